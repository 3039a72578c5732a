//! A span of the SDK, and its events and links, as the encoder asks for them.

use aqueduct_wire::encode::{
    AttributeSink, EventSink, EventSource, LinkSink, LinkSource, SpanSource, StatusRef,
};
use opentelemetry::trace::{Event, Link, SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use super::flags::flags;
use crate::encode::{Attributes, LINK, nanos, over, with_trace_state};
use crate::limits::Limits;
use crate::redact::Redactor;

/// A span under limits.
pub(super) struct Source<'a> {
    pub(super) span: &'a SpanData,
    pub(super) trace_state: &'a str,
    pub(super) limits: &'a Limits,
    pub(super) redactor: Option<&'a Redactor>,
}

impl Source<'_> {
    #[inline]
    fn attributes_of(&self, count: u32) -> Attributes<'_> {
        Attributes { count, value_length: self.limits.span_value_length, redactor: self.redactor }
    }
}

impl SpanSource for Source<'_> {
    #[inline]
    fn trace_id(&self) -> [u8; 16] {
        self.span.span_context.trace_id().to_bytes()
    }

    #[inline]
    fn span_id(&self) -> [u8; 8] {
        self.span.span_context.span_id().to_bytes()
    }

    #[inline]
    fn name(&self) -> &str {
        &self.span.name
    }

    #[inline]
    fn trace_state(&self) -> &str {
        self.trace_state
    }

    #[inline]
    fn parent_span_id(&self) -> Option<[u8; 8]> {
        let parent = self.span.parent_span_id;
        (parent != SpanId::INVALID).then(|| parent.to_bytes())
    }

    #[inline]
    fn kind(&self) -> i32 {
        match self.span.span_kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
            SpanKind::Producer => 4,
            SpanKind::Consumer => 5,
        }
    }

    #[inline]
    fn start_time_unix_nano(&self) -> u64 {
        nanos(self.span.start_time)
    }

    #[inline]
    fn end_time_unix_nano(&self) -> u64 {
        nanos(self.span.end_time)
    }

    #[inline]
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        self.attributes_of(self.limits.span_attributes).put(out, &self.span.attributes);
    }

    #[inline]
    fn dropped_attributes_count(&self) -> u32 {
        over(self.span.attributes.len(), self.limits.span_attributes, self.span.dropped_attributes_count)
    }

    #[inline]
    fn events(&self, out: &mut EventSink<'_>) {
        let attributes = self.attributes_of(self.limits.event_attributes);
        for event in self.span.events.iter().take(self.limits.span_events as usize) {
            out.push(&EventOf { event, attributes });
        }
    }

    #[inline]
    fn dropped_events_count(&self) -> u32 {
        over(self.span.events.len(), self.limits.span_events, self.span.events.dropped_count)
    }

    #[inline]
    fn links(&self, out: &mut LinkSink<'_>) {
        let attributes = self.attributes_of(self.limits.link_attributes);
        for link in self.span.links.iter().take(self.limits.span_links as usize) {
            with_trace_state(link.span_context.trace_state(), &LINK, |trace_state| {
                out.push(&LinkOf { link, trace_state, attributes });
            });
        }
    }

    #[inline]
    fn dropped_links_count(&self) -> u32 {
        over(self.span.links.len(), self.limits.span_links, self.span.links.dropped_count)
    }

    #[inline]
    fn status(&self) -> Option<StatusRef<'_>> {
        match &self.span.status {
            Status::Unset => None,
            Status::Ok => Some(StatusRef { code: 1, message: "" }),
            Status::Error { description } => Some(StatusRef { code: 2, message: description }),
        }
    }

    #[inline]
    fn flags(&self) -> u32 {
        flags(&self.span.span_context, self.span.parent_span_is_remote)
    }
}

struct EventOf<'a> {
    event: &'a Event,
    attributes: Attributes<'a>,
}

impl EventSource for EventOf<'_> {
    fn name(&self) -> &str {
        &self.event.name
    }

    fn time_unix_nano(&self) -> u64 {
        nanos(self.event.timestamp)
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        self.attributes.put(out, &self.event.attributes);
    }

    fn dropped_attributes_count(&self) -> u32 {
        over(self.event.attributes.len(), self.attributes.count, self.event.dropped_attributes_count)
    }
}

struct LinkOf<'a> {
    link: &'a Link,
    trace_state: &'a str,
    attributes: Attributes<'a>,
}

impl LinkSource for LinkOf<'_> {
    fn trace_id(&self) -> Option<[u8; 16]> {
        Some(self.link.span_context.trace_id().to_bytes())
    }

    fn span_id(&self) -> Option<[u8; 8]> {
        Some(self.link.span_context.span_id().to_bytes())
    }

    fn trace_state(&self) -> &str {
        self.trace_state
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        self.attributes.put(out, &self.link.attributes);
    }

    fn dropped_attributes_count(&self) -> u32 {
        over(self.link.attributes.len(), self.attributes.count, self.link.dropped_attributes_count)
    }

    fn flags(&self) -> u32 {
        flags(&self.link.span_context, self.link.span_context.is_remote())
    }
}
