//! Spans of two providers with two scopes each.

use opentelemetry::trace::{
    Event, Link, Span, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
    TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::{Exporter, TEXT, attributes, both, moment, resources, scopes};
use crate::Failure;

/// Small spans beside the elaborate ones, so many that the SDK needs more than one request.
const FILLERS: u64 = 600;
/// The elaborate ones of one scope.
const RICH: u64 = 6;

/// Exports the spans and returns their number.
pub(super) fn export(to: &[Exporter; 2]) -> Result<u64, Failure> {
    let mut providers = Vec::new();
    let mut spans = 0;
    for resource in resources() {
        let mut builder = SdkTracerProvider::builder()
            .with_resource(resource)
            // Small limits, so that something is dropped and counted.
            .with_max_events_per_span(3)
            .with_max_links_per_span(2)
            .with_max_attributes_per_span(u32::try_from(attributes().len())? - 1)
            .with_max_attributes_per_event(5)
            .with_max_attributes_per_link(4);
        for exporter in to {
            builder = builder.with_batch_exporter(exporter.spans()?);
        }
        let provider = builder.build();
        for scope in scopes() {
            let tracer = provider.tracer_with_scope(scope);
            rich(&tracer);
            spans += RICH;
        }
        providers.push(provider);
    }
    let tracer = providers[1].tracer("fillers");
    for number in 0..FILLERS {
        let attribute = KeyValue::new("number", i64::try_from(number)?);
        let builder = tracer.span_builder(format!("filler {number}")).with_start_time(moment(number));
        builder.with_attributes([attribute]).start(&tracer).end_with_timestamp(moment(number + 1));
    }
    spans += FILLERS;
    both(providers.iter().map(SdkTracerProvider::force_flush))?;
    both(providers.iter().map(SdkTracerProvider::shutdown))?;
    Ok(spans)
}

fn rich<T: Tracer>(tracer: &T)
where
    T::Span: Send + Sync + 'static,
{
    let remote = context(1, true);
    let everything = SpanBuilder::from_name(TEXT)
        .with_kind(SpanKind::Server)
        .with_start_time(moment(0))
        .with_attributes(attributes())
        .with_events((0..5).map(event).collect())
        .with_links(
            (2..6)
                .map(|number| Link::new(context(number, number.is_multiple_of(2)), attributes(), 0))
                .collect(),
        );
    let mut span = everything.start_with_context(tracer, &Context::new().with_remote_span_context(remote));
    span.add_event_with_timestamp("one too many", moment(9), attributes());
    span.set_status(Status::error(TEXT));
    let inner = Context::new().with_remote_span_context(span.span_context().clone());
    span.end_with_timestamp(moment(10));

    let kinds = [SpanKind::Client, SpanKind::Internal, SpanKind::Producer, SpanKind::Consumer];
    for (number, kind) in (11..).zip(kinds) {
        let builder =
            tracer.span_builder(format!("{kind:?}")).with_kind(kind).with_start_time(moment(number));
        let mut span = builder.start_with_context(tracer, &inner);
        span.set_status(if number.is_multiple_of(2) { Status::Ok } else { Status::error("") });
        span.end_with_timestamp(moment(number));
    }
    // A root without anything; even its name is empty.
    tracer.start_with_context("", &Context::new()).end();
}

fn event(number: u64) -> Event {
    Event::new(format!("event {number} {TEXT}"), moment(number), attributes(), 0)
}

fn context(number: u64, remote: bool) -> SpanContext {
    let state = TraceState::from_key_value([("vendor", "t61rcWkgMzE"), ("other@tenant", "00f067aa0ba902b7")]);
    SpanContext::new(
        TraceId::from(u128::from(number) << 64 | 0xfeed),
        SpanId::from(number),
        if number.is_multiple_of(3) { TraceFlags::NOT_SAMPLED } else { TraceFlags::SAMPLED },
        remote,
        state.unwrap_or_default(),
    )
}
