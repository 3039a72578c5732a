//! Spans of any kind.

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{attributes, scope, text, time};

fn trace_state() -> impl Strategy<Value = TraceState> {
    vec(("[a-z]{1,5}", "[a-z:0-9]{1,9}"), 0..4)
        .prop_map(|members| TraceState::from_key_value(members).unwrap_or_default())
}

fn context() -> impl Strategy<Value = SpanContext> {
    (any::<u128>(), any::<u64>(), 0_u8..4, any::<bool>(), trace_state()).prop_map(
        |(trace, span, flags, remote, state)| {
            let (trace, span) = (TraceId::from(trace), SpanId::from(span));
            SpanContext::new(trace, span, TraceFlags::new(flags), remote, state)
        },
    )
}

fn events() -> impl Strategy<Value = SpanEvents> {
    let event = (text(), time(), attributes(3), 0_u32..3)
        .prop_map(|(name, time, attributes, dropped)| Event::new(name, time, attributes, dropped));
    (vec(event, 0..3), 0_u32..3).prop_map(|(list, dropped)| {
        let mut events = SpanEvents::default();
        (events.events, events.dropped_count) = (list, dropped);
        events
    })
}

fn links() -> impl Strategy<Value = SpanLinks> {
    let link = (context(), attributes(3), 0_u32..3)
        .prop_map(|(context, attributes, dropped)| Link::new(context, attributes, dropped));
    (vec(link, 0..3), 0_u32..3).prop_map(|(list, dropped)| {
        let mut links = SpanLinks::default();
        (links.links, links.dropped_count) = (list, dropped);
        links
    })
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Unset), Just(Status::Ok), text().prop_map(Status::error)]
}

fn kind() -> impl Strategy<Value = SpanKind> {
    prop_oneof![
        Just(SpanKind::Internal),
        Just(SpanKind::Server),
        Just(SpanKind::Client),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer),
    ]
}

/// Any span, sampled or not.
pub(crate) fn span() -> impl Strategy<Value = SpanData> {
    let ids = (context(), prop_oneof![Just(0), any::<u64>()], any::<bool>(), kind());
    let own = (text(), time(), time(), attributes(6), 0_u32..3);
    (ids, own, events(), links(), status(), scope()).prop_map(|(ids, own, events, links, status, scope)| {
        let (span_context, parent, parent_span_is_remote, span_kind) = ids;
        let (name, start_time, end_time, attributes, dropped_attributes_count) = own;
        SpanData {
            span_context,
            parent_span_id: SpanId::from(parent),
            parent_span_is_remote,
            span_kind,
            name: name.into(),
            start_time,
            end_time,
            attributes,
            dropped_attributes_count,
            events,
            links,
            status,
            instrumentation_scope: scope,
        }
    })
}

pub(crate) fn spans(most: usize) -> impl Strategy<Value = Vec<SpanData>> {
    vec(span(), 0..=most)
}

/// One of them, always the same.
pub(crate) fn a_span(sampled: bool) -> SpanData {
    let mut runner = TestRunner::deterministic();
    let span = span().prop_filter("as asked", move |span| span.span_context.is_sampled() == sampled);
    span.new_tree(&mut runner).unwrap().current()
}
