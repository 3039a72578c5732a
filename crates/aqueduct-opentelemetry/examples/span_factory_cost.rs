//! What a builder with shared attributes costs: cloned by hand, by a factory, and with vectors that are used again. Nanoseconds, best of ten runs, on one thread.
//!
//! `cargo run --release -p aqueduct-opentelemetry --example span_factory_cost`

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::hint::black_box;
use std::time::Instant;

use aqueduct_opentelemetry::{AttributePool, CardinalityConfig, CardinalityLimiter, SpanFactory};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanBuilder;

/// A build without optimization is for finding out whether it runs.
const CALLS: u32 = if cfg!(debug_assertions) { 100 } else { 200_000 };

const TEXTS: [(&str, &str); 8] = [
    ("db.system.name", "postgresql"),
    ("db.namespace", "shop"),
    ("server.address", "db-3.internal.example.com"),
    ("tenant", "acme"),
    ("deployment.environment.name", "production"),
    ("cloud.region", "eu-central-1"),
    ("k8s.pod.name", "checkout-7d9c6b5f4-x2v9q"),
    ("service.instance.id", "627cc493-f310-47de-96bd-71410b7dec09"),
];

fn main() {
    let own = || [KeyValue::new("db.operation.name", "SELECT"), KeyValue::new("rows", 7)];
    let clones = |shared: &[KeyValue]| {
        black_box(SpanBuilder::from_name("name").with_attributes(shared.iter().cloned().chain(own())));
    };
    let owned = TEXTS.map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    let statics = TEXTS.map(|(key, value)| KeyValue::new(key, value));
    time("clones, owned texts", || clones(&owned));
    time("clones, static texts", || clones(&statics));
    let factory = SpanFactory::new(owned);
    time("factory, owned texts", || {
        black_box(factory.builder_with("name", own()));
    });
    time("factory, owned texts, recycled", || {
        let made = black_box(factory.builder_with("name", own()));
        SpanFactory::recycle(made.attributes.unwrap_or_default());
    });
    let statics = SpanFactory::new(statics);
    time("factory, static texts", || {
        black_box(statics.builder_with("name", own()));
    });
    time("factory, static texts, recycled", || {
        let made = black_box(statics.builder_with("name", own()));
        SpanFactory::recycle(made.attributes.unwrap_or_default());
    });

    let pool = AttributePool::default();
    let (known, common) = (String::from("/users/{id}/orders"), String::from("GET"));
    time("value: allocated", || {
        black_box(KeyValue::new("http.route", black_box(&known).clone()));
    });
    time("value: pooled", || {
        black_box(KeyValue::new("http.route", pool.value(black_box(&known))));
    });
    time("value: pooled, common", || {
        black_box(KeyValue::new("http.request.method", pool.value(black_box(&common))));
    });

    let limiter = CardinalityLimiter::new(["user.id"], CardinalityConfig::default());
    let values: Vec<String> = (0..10_000).map(|user| format!("user-{user}")).collect();
    let mut users = values.iter().cycle();
    for user in &values {
        let _ = limiter.limit("user.id", user);
    }
    time("limit: another key", || {
        black_box(limiter.limit(black_box("http.route"), &known));
    });
    time("limit: admitted", || {
        black_box(limiter.limit("user.id", black_box("user-7")));
    });
    time("limit: 10,000 values in turn", || {
        black_box(limiter.limit("user.id", users.next().map_or("", String::as_str)));
    });
}

fn time(name: &str, mut call: impl FnMut()) {
    let run = |_| {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    let best = (0..10).map(run).fold(f64::INFINITY, f64::min);
    println!("{name:<36} {best:>7.1}");
}
