//! Filters and redactors.

use aqueduct_opentelemetry::{NotTaken, Redaction, Verdict};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
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
    let keys = |attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]| {
        attributes.iter().map(|attribute| attribute.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&span.attributes), ["email", "k"]);
    assert_eq!(keys(&span.events[0].attributes), ["email", "k"]);
    assert_eq!(span.dropped_attributes_count, 0, "no limit left it out");
}
