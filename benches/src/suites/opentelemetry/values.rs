//! Attributes that are limited, shared and pooled, and spans that wait for their trace.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use aqueduct_opentelemetry::{
    AttributePool, CardinalityConfig, CardinalityLimiter, LocalTailConfig, LocalTailProcessor, RandomIds,
    SpanFactory,
};
use opentelemetry::trace::{SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{IdGenerator, Span, SpanData, SpanEvents, SpanLinks, SpanProcessor};

use crate::Failure;
use crate::harness::Run;

/// Texts that a program has read from somewhere.
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

/// Of a trace.
const SPANS: u64 = 10;

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    limiter(run)?;
    let (pool, known) = (AttributePool::default(), String::from("/users/{id}/orders"));
    run.compare(
        "values: attribute pool, hit",
        1,
        || KeyValue::new("http.route", pool.value(black_box(&known))),
        || KeyValue::new("http.route", black_box(&known).clone()),
    )?;
    let texts = TEXTS.map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    let own = || [KeyValue::new("db.operation.name", "SELECT"), KeyValue::new("rows", 7)];
    let factory = SpanFactory::new(texts.clone());
    run.compare(
        "values: span factory, 8 shared texts",
        1,
        || factory.builder_with("SELECT shop.items", own()),
        || SpanBuilder::from_name("SELECT shop.items").with_attributes(texts.iter().cloned().chain(own())),
    )?;
    tail(run)
}

fn limiter(run: &mut Run<'_>) -> Result<(), Failure> {
    let values: Vec<String> = (0..10_000).map(|user| format!("user-{user}")).collect();
    let limiter = CardinalityLimiter::new(["user.id"], CardinalityConfig::default());
    let (admitted, others) = values.split_at(CardinalityConfig::default().max_values);
    for value in &values {
        // Who comes first is admitted.
        let _ = limiter.limit("user.id", value);
    }
    let set = Mutex::new(values.iter().cloned().collect::<HashSet<String>>());
    let known = |value: &str| set.lock().unwrap_or_else(PoisonError::into_inner).contains(value);
    for (row, values) in [("values: limiter, admitted", admitted), ("values: limiter, overflows", others)] {
        let limited = || values.iter().filter(|value| limiter.limit("user.id", value).is_overflow()).count();
        let kept = || values.iter().filter(|value| known(value)).count();
        run.compare(row, values.len() as u64, limited, kept)?;
    }
    Ok(())
}

fn tail(run: &mut Run<'_>) -> Result<(), Failure> {
    let config = LocalTailConfig::new(Duration::from_secs(1), 0.01);
    let tail = LocalTailProcessor::new(Nothing, &config)?;
    let ids = RandomIds::new();
    run.compare("local tail, 1 % kept", SPANS, || trace(&ids, &tail), || trace(&ids, &Nothing))
}

/// A trace whose root ends last.
fn trace(ids: &RandomIds, processor: &dyn SpanProcessor) {
    let trace_id = ids.new_trace_id();
    for parent in (0..SPANS).rev() {
        let context =
            SpanContext::new(trace_id, ids.new_span_id(), TraceFlags::SAMPLED, false, TraceState::NONE);
        processor.on_end(span(context, SpanId::from(parent)));
    }
}

fn span(span_context: SpanContext, parent_span_id: SpanId) -> SpanData {
    SpanData {
        span_context,
        parent_span_id,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "SELECT shop.items".into(),
        start_time: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
        end_time: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
        attributes: vec![KeyValue::new("db.operation.name", "SELECT"), KeyValue::new("rows", 7)],
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

/// Drops what it gets.
#[derive(Debug)]
struct Nothing;

impl SpanProcessor for Nothing {
    fn on_start(&self, _: &mut Span, _: &Context) {}
    fn on_end(&self, _: SpanData) {}
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
