//! What a span costs the thread that ends it.

use std::sync::Arc;

use aqueduct_opentelemetry::{CardinalityConfig, CardinalityLimiter};
use aqueduct_testkit::CountingAllocator;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{SpanData, SpanProcessor as _};

use crate::collector::{Collector, Manner};

fn span(number: u64) -> SpanData {
    let state = TraceState::from_key_value([("ot", "th:8"), ("vendor", "x")]).unwrap();
    let context = SpanContext::new(
        TraceId::from(u128::from(number) + 1),
        SpanId::from(number + 1),
        TraceFlags::SAMPLED,
        false,
        state,
    );
    let attributes = || vec![KeyValue::new("http.route", "/cart"), KeyValue::new("n", 7)];
    let mut span = SpanData {
        span_context: context.clone(),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Server,
        name: "GET /cart".into(),
        start_time: std::time::UNIX_EPOCH,
        end_time: std::time::UNIX_EPOCH,
        attributes: attributes(),
        dropped_attributes_count: 0,
        events: Default::default(),
        links: Default::default(),
        status: Default::default(),
        instrumentation_scope: opentelemetry::InstrumentationScope::builder("http").with_version("1").build(),
    };
    span.events.events.push(Event::new("event", std::time::UNIX_EPOCH, attributes(), 0));
    span.links.links.push(Link::new(context, attributes(), 0));
    span
}

/// Guards the claim: after warm-up a span is encoded without an allocation, its trace state and its link's included.
#[test]
fn a_span_allocates_nothing() {
    let collector = Collector::new(Manner::Hanging);
    let telemetry = collector.handle();
    let processor = telemetry.span_processor();
    let (_, seen) = CountingAllocator::count(|| span(0));
    assert!(seen.count > 0, "the allocator counts");
    (0..20).for_each(|number| processor.on_end(span(number)));
    let spans: Vec<_> = (20..120).map(span).collect();
    let (_, made) = CountingAllocator::count(|| spans.into_iter().for_each(|span| processor.on_end(span)));
    assert_eq!(made.count, 0);
    drop(processor);
    let report = telemetry.flush(std::time::Duration::ZERO);
    assert_eq!(report.signals[0].lane.ledger.accepted + report.signals[0].lane.encoding_items, 120);
    telemetry.shutdown(std::time::Duration::ZERO);
}

/// Guards the same with a limiter: neither a value that is admitted nor one that overflows allocates.
#[test]
fn a_limited_span_allocates_nothing() {
    let collector = Collector::new(Manner::Hanging);
    for values in [0, 10] {
        let config = CardinalityConfig::default().with_max_values(values);
        let limiter = Arc::new(CardinalityLimiter::new(["http.route", "n"], config));
        let telemetry = collector.builder().limit_cardinality(Arc::clone(&limiter)).build().unwrap();
        let processor = telemetry.span_processor();
        (0..20).for_each(|number| processor.on_end(span(number)));
        let spans: Vec<_> = (20..120).map(span).collect();
        let (_, made) =
            CountingAllocator::count(|| spans.into_iter().for_each(|span| processor.on_end(span)));
        assert_eq!(made.count, 0, "with room for {values} values");
        assert_eq!(limiter.stats().overflowed, if values == 0 { 120 * 6 } else { 0 });
        telemetry.shutdown(std::time::Duration::ZERO);
    }
}
