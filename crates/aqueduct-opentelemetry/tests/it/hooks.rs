//! Filters and redactors.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_opentelemetry::{
    CardinalityConfig, CardinalityLimiter, LocalTailConfig, NotTaken, Redaction, Verdict,
};
use aqueduct_wire::encode::ValueRef;
use opentelemetry::KeyValue;
use opentelemetry::logs::{LogRecord as _, Logger, LoggerProvider};
use opentelemetry::trace::{Span as _, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry_proto::tonic::common::v1 as proto;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::collector::{Collector, PATIENCE};

/// Guards the filter: it leaves out, it changes, and it may panic.
#[test]
fn a_filter_decides_about_spans() {
    let collector = Collector::healthy();
    let builder = collector.builder().filter_spans(|span| match &*span.name {
        "/healthz" => Verdict::Drop,
        "bad" => panic!("as a filter should not"),
        _ => {
            span.name = format!("GET {}", span.name).into();
            Verdict::Export
        }
    });
    let telemetry = builder.build().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    for name in ["/healthz", "/cart", "bad", "/pay"] {
        provider.tracer("test").start(name).end();
    }
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(collector.span_names(), ["GET /cart", "GET /pay"]);
    assert_eq!(report.signals[0].not_taken, [(NotTaken::Filtered, 1), (NotTaken::Panicked, 1)]);
    assert_eq!(report.lost(), 1);
}

/// Guards secrets: what the redactor says of an attribute holds wherever the attribute stands.
#[test]
fn a_redactor_decides_about_attributes() {
    let collector = Collector::healthy();
    let builder = collector.builder().redact(|key, _| match key {
        "password" => Redaction::Omit,
        "email" => Redaction::Replace("****".into()),
        "bad" => panic!("as a redactor should not"),
        _ => Redaction::Keep,
    });
    let telemetry = builder.build().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    let secrets =
        || vec![KeyValue::new("email", "a@b"), KeyValue::new("password", "s3cret"), KeyValue::new("k", 1)];
    let tracer = provider.tracer("test");
    let mut span = tracer.start("span");
    span.set_attributes(secrets());
    span.add_event("event", secrets());
    span.end();
    let mut span = tracer.start("panics");
    span.set_attribute(KeyValue::new("bad", 1));
    span.end();
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!(report.signals[0].not_taken, [(NotTaken::Panicked, 1)]);
    let sent = collector.requests().concat();
    for secret in ["s3cret", "a@b"] {
        assert!(!sent.windows(secret.len()).any(|found| found == secret.as_bytes()));
    }
    let span = collector.spans().remove(0);
    let keys = |attributes: &[proto::KeyValue]| {
        attributes.iter().map(|attribute| attribute.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&span.attributes), ["email", "k"]);
    assert_eq!(keys(&span.events[0].attributes), ["email", "k"]);
    assert_eq!(span.dropped_attributes_count, 0, "no limit left it out");
}

fn text(attribute: &proto::KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.clone()) {
        Some(proto::any_value::Value::StringValue(text)) => text,
        Some(proto::any_value::Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?} is neither a text nor a number"),
    }
}

/// Guards the index of a backend: of a limited key no more values leave than are allowed, in spans and in their events; others keep all.
#[test]
fn so_many_values_of_a_limited_key_leave_and_no_more() {
    let collector = Collector::healthy();
    let limiter = CardinalityLimiter::new(["user", "shop"], CardinalityConfig::default().with_max_values(3));
    let limiter = Arc::new(limiter);
    let telemetry = collector.builder().limit_cardinality(Arc::clone(&limiter)).build().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    for user in 0..20 {
        let mut span = provider.tracer("test").start("span");
        span.set_attribute(KeyValue::new("user", format!("u{user}")));
        span.set_attribute(KeyValue::new("shop", user));
        span.set_attribute(KeyValue::new("order", format!("o{user}")));
        span.add_event("event", vec![KeyValue::new("user", format!("u{}", 19 - user))]);
        span.end();
    }
    assert_eq!(telemetry.shutdown(PATIENCE).delivered(), 20);
    let spans = collector.spans();
    let events = spans.iter().flat_map(|span| &span.events).flat_map(|event| &event.attributes);
    let attributes = || spans.iter().flat_map(|span| &span.attributes).chain(events.clone());
    let values = |key: &str| -> BTreeSet<String> {
        attributes().filter(|attribute| attribute.key == key).map(text).collect()
    };
    assert_eq!(values("user"), ["_OTHER", "u0", "u1", "u19"].map(str::to_owned).into());
    assert_eq!(values("shop"), ["0", "1", "2", "_OTHER"].map(str::to_owned).into());
    assert_eq!(values("order").len(), 20);
    let stats = limiter.stats();
    assert_eq!(stats.kept + stats.overflowed, 60);
}

/// Guards limiters from one another: a second one does not take the place of the first.
#[test]
fn several_limiters_limit() {
    let collector = Collector::healthy();
    let limiter =
        |key| Arc::new(CardinalityLimiter::new([key], CardinalityConfig::default().with_max_values(0)));
    let builder = collector.builder().limit_cardinality(limiter("user")).limit_cardinality(limiter("shop"));
    let telemetry = builder.build().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    let mut span = provider.tracer("test").start("span");
    span.set_attributes(["user", "shop", "order"].map(|key| KeyValue::new(key, "a")));
    span.end();
    assert_eq!(telemetry.shutdown(PATIENCE).delivered(), 1);
    let sent: Vec<String> = collector.spans()[0].attributes.iter().map(text).collect();
    assert_eq!(sent, ["_OTHER", "_OTHER", "a"]);
}

/// Guards the order: a redactor is asked about what the limiter has left, and has the last word; log records go the same way.
#[test]
fn a_limiter_comes_before_a_redactor() {
    let collector = Collector::healthy();
    let limiter =
        CardinalityLimiter::new(["user", "secret"], CardinalityConfig::default().with_max_values(0));
    let builder = collector.builder().limit_cardinality(Arc::new(limiter)).redact(|key, value| match key {
        "user" => {
            assert!(matches!(value, ValueRef::Str("_OTHER")));
            Redaction::Keep
        }
        "secret" => Redaction::Omit,
        _ => Redaction::Replace("****".into()),
    });
    let telemetry = builder.build().unwrap();
    let provider = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
    let logger = provider.logger("test");
    let mut record = logger.create_log_record();
    for key in ["user", "secret", "mail"] {
        record.add_attribute(key, "anna");
    }
    logger.emit(record);
    assert_eq!(telemetry.shutdown(PATIENCE).delivered(), 1);
    let sent = &collector.logs().resource_logs[0].scope_logs[0].log_records[0].attributes;
    let sent: Vec<_> = sent.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect();
    assert_eq!(sent, [("user", "_OTHER"), ("mail", "****")].map(|(key, text)| (key.into(), text.into())));
}

/// Guards the traces that went wrong: they arrive in full, and the others do not.
#[test]
fn behind_a_local_tail_errors_arrive() {
    let collector = Collector::healthy();
    let telemetry = collector.handle();
    let tail = telemetry.local_tail(&LocalTailConfig::new(Duration::from_secs(3600), 0.0)).unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(tail).build();
    let tracer = provider.tracer("test");
    for request in ["fine", "failed", "fine"] {
        tracer.in_span(request, |context| {
            tracer.in_span("child", |_| ());
            if request == "failed" {
                context.span().set_status(Status::error("no such item"));
            }
        });
    }
    provider.shutdown().unwrap();
    let report = telemetry.shutdown(PATIENCE);
    assert_eq!((report.delivered(), report.lost()), (2, 0));
    assert_eq!(collector.span_names(), ["child", "failed"]);
}

/// Guards against a silent loss: a handle that is shut down before its provider says what a tail still holds.
#[test]
fn what_a_tail_holds_at_the_end_is_told() {
    let telemetry = Collector::healthy().handle();
    let tail = telemetry.local_tail(&LocalTailConfig::new(Duration::ZERO, 1.0)).unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(tail).build();
    let tracer = provider.tracer("test");
    let root = opentelemetry::Context::new().with_span(tracer.start("root"));
    tracer.start_with_context("child", &root).end();
    let flushed = telemetry.flush(PATIENCE);
    assert_eq!((flushed.complete, flushed.held_in_tails), (true, 1));
    let ended = telemetry.shutdown(PATIENCE);
    assert_eq!((ended.complete, ended.held_in_tails), (false, 1));
    assert!(ended.to_string().contains("1 spans wait in local tails"), "{ended}");
    // The provider's end decides it, too late.
    drop((tracer, root));
    let _ = provider.shutdown();
    let last = telemetry.shutdown(PATIENCE);
    assert_eq!((last.complete, last.held_in_tails, last.lost()), (true, 0, 2), "{last}");
}
