//! Builders with shared attributes: the same spans, with fewer allocations.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_opentelemetry::SpanFactory;
use aqueduct_testkit::CountingAllocator;
use opentelemetry::trace::{Span, SpanBuilder, SpanKind, Tracer, TracerProvider};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanProcessor};

fn owned() -> Vec<KeyValue> {
    let attribute = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    vec![
        attribute("tenant", "acme"),
        KeyValue::new("static", "text"),
        KeyValue::new("number", 7),
        KeyValue::new("counted", Arc::<str>::from("text")),
        attribute("", ""),
    ]
}

/// Guards what comes out: the builder that one would make by hand.
#[test]
fn builders_are_those_made_by_hand() {
    let list = Value::Array(Array::String(vec![StringValue::from("a".to_owned()), "b".into()]));
    let shared = || owned().into_iter().chain([KeyValue::new("list", list.clone())]);
    let factory = SpanFactory::new(shared()).with_kind(SpanKind::Client).with_room(0);
    let own = [KeyValue::new("own", 1), KeyValue::new("tenant", "again")];
    for own in [&own[..], &[]] {
        let made = factory.builder_with("name", own.iter().cloned());
        let by_hand = SpanBuilder::from_name("name")
            .with_kind(SpanKind::Client)
            .with_attributes(shared().chain(own.iter().cloned()));
        assert_eq!(made.attributes, by_hand.attributes);
        assert_eq!((made.name, made.span_kind), (by_hand.name, by_hand.span_kind));
    }
    assert_eq!(factory.builder("name").attributes.as_deref(), Some(factory.shared()));
}

/// Guards the promise: one allocation for a builder, and none with a vector that was recycled; attributes within the room do not make it grow.
#[test]
fn the_shared_part_is_not_allocated() {
    let factory = SpanFactory::new(owned()).with_room(3);
    let fill = |mut builder: SpanBuilder| {
        let attributes = builder.attributes.as_mut().expect("the shared ones");
        attributes.push(KeyValue::new("b", 2));
        attributes.push(KeyValue::new("c", 3));
        builder
    };
    let build = || fill(factory.builder_with("name", [KeyValue::new("a", 1)]));
    let (made, allocations) = CountingAllocator::count(build);
    assert_eq!(allocations.count, 1);
    SpanFactory::recycle(made.attributes.unwrap_or_default());
    let (made, allocations) = CountingAllocator::count(build);
    assert_eq!(allocations.count, 0);
    assert_eq!(made.attributes.map(|attributes| attributes.len()), Some(8), "emptied before");
}

/// Guards the bound on what is kept: 32 vectors, and no large ones.
#[test]
fn few_vectors_are_kept() {
    let factory = SpanFactory::new([]).with_room(4);
    let _ = (0..100).map(|_| factory.builder("name")).collect::<Vec<_>>();
    SpanFactory::recycle(Vec::with_capacity(1_000));
    let (_, allocations) = CountingAllocator::count(|| factory.builder("name"));
    assert_eq!(allocations.count, 1);
    (0..100).for_each(|_| SpanFactory::recycle(Vec::with_capacity(4)));
    let (_, allocations) = CountingAllocator::count(|| (0..40).for_each(|_| drop(factory.builder("name"))));
    assert_eq!(allocations.count, 8);
}

/// Guards the way through the SDK: the vector that the factory made comes out of the span with its attributes, and goes in again.
#[test]
fn vectors_go_round_through_the_sdk() {
    #[derive(Debug, Default)]
    struct Recycling(Arc<Mutex<Vec<usize>>>);
    impl SpanProcessor for Recycling {
        fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}
        fn on_end(&self, span: SpanData) {
            self.0.lock().expect("no panic").push(span.attributes.len());
            SpanFactory::recycle(span.attributes);
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }
    let seen = Arc::default();
    let provider = SdkTracerProvider::builder().with_span_processor(Recycling(Arc::clone(&seen))).build();
    let tracer = provider.tracer("test");
    let factory = SpanFactory::new(owned());
    let mut counts = Vec::new();
    for _ in 0..3 {
        let (builder, allocations) = CountingAllocator::count(|| factory.builder("name"));
        counts.push(allocations.count);
        let mut span = tracer.build(builder);
        span.set_attribute(KeyValue::new("late", true));
        span.end();
    }
    assert_eq!((counts, seen.lock().expect("no panic").clone()), (vec![1, 0, 0], vec![6, 6, 6]));
}
