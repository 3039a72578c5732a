//! Limits on counts and lengths, which cut what is encoded and count what they cut.

use aqueduct_opentelemetry::Limits;
use opentelemetry::trace::{Span as _, SpanContext, Tracer, TracerProvider};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_proto::tonic::common::v1::KeyValue as Sent;
use opentelemetry_proto::tonic::common::v1::any_value::Value as SentValue;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanLimits};

use crate::collector::{Collector, PATIENCE};

fn many(count: i64) -> Vec<KeyValue> {
    (0..count).map(|number| KeyValue::new(format!("k{number}"), number)).collect()
}

fn text_of(attributes: &[Sent], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key).unwrap();
    match found.value.clone().unwrap().value.unwrap() {
        SentValue::StringValue(text) => text,
        SentValue::ArrayValue(list) => {
            let texts = list.values.into_iter().map(|value| match value.value.unwrap() {
                SentValue::StringValue(text) => text,
                other => panic!("{other:?}"),
            });
            texts.collect::<Vec<_>>().join("|")
        }
        other => panic!("{other:?}"),
    }
}

/// Guards each limit of spans, and that what it leaves out is counted.
#[test]
fn of_spans() {
    let collector = Collector::healthy();
    let variables = |name: &str| {
        let value = match name {
            "OTEL_ATTRIBUTE_COUNT_LIMIT" => "9",
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT" => "3",
            "OTEL_SPAN_EVENT_COUNT_LIMIT" => "2",
            "OTEL_SPAN_LINK_COUNT_LIMIT" => "1",
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT" => "4",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT" => "5",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let telemetry = collector.builder().variables(variables).build().unwrap();
    // The SDK cuts nothing.
    let wide = SpanLimits {
        max_events_per_span: 1000,
        max_attributes_per_span: 1000,
        max_links_per_span: 1000,
        max_attributes_per_event: 1000,
        max_attributes_per_link: 1000,
    };
    let provider = SdkTracerProvider::builder()
        .with_span_limits(wide)
        .with_span_processor(telemetry.span_processor())
        .build();
    let mut span = provider.tracer("test").start("span");
    span.set_attribute(KeyValue::new("text", "abcdefgh"));
    span.set_attribute(KeyValue::new(
        "texts",
        Value::Array(Array::String(vec!["abcdef".into(), "a".into()])),
    ));
    span.set_attributes(many(10));
    (0..5).for_each(|_| span.add_event("event", many(6)));
    (0..3).for_each(|_| span.add_link(SpanContext::empty_context(), many(12)));
    span.end();
    assert!(telemetry.shutdown(PATIENCE).complete);
    let span = collector.spans().remove(0);
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (3, 9));
    assert_eq!(text_of(&span.attributes, "text"), "abcde");
    assert_eq!(text_of(&span.attributes, "texts"), "abcde|a");
    assert_eq!((span.events.len(), span.dropped_events_count), (2, 3));
    assert_eq!((span.events[0].attributes.len(), span.events[0].dropped_attributes_count), (4, 2));
    assert_eq!((span.links.len(), span.dropped_links_count), (1, 2));
    assert_eq!((span.links[0].attributes.len(), span.links[0].dropped_attributes_count), (9, 3));
}

/// Guards counts larger than the SDK's own, which it is to be given.
#[test]
fn more_than_the_sdk_has_by_default() {
    let collector = Collector::healthy();
    let limits = Limits { span_attributes: 200, ..Limits::default() };
    let telemetry = collector.builder().limits(limits).build().unwrap();
    let provider = SdkTracerProvider::builder()
        .with_span_limits(telemetry.span_limits())
        .with_span_processor(telemetry.span_processor())
        .build();
    let mut span = provider.tracer("test").start("span");
    span.set_attributes(many(300));
    span.end();
    assert!(telemetry.shutdown(PATIENCE).complete);
    let span = collector.spans().remove(0);
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (200, 100));
}
