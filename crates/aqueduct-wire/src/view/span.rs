//! Spans with their events, links and status.

use super::kinds::{SpanKind, StatusCode};
use super::record::{attributes, lists, merged, record, scalars};
use crate::schema::numbers::{event, link, span, status};

record! {
    /// A span (`trace.v1.Span`).
    Span
}

scalars! {
    Span as SpanFields<'a> {
        /// Id of the trace: 16 bytes.
        trace_id: &'a [u8] = span::TRACE_ID,
        /// Id of the span: 8 bytes.
        span_id: &'a [u8] = span::SPAN_ID,
        /// `tracestate` of W3C Trace Context, as a header.
        trace_state: &'a str = span::TRACE_STATE,
        /// Id of the parent: 8 bytes, or none in a root span.
        parent_span_id: &'a [u8] = span::PARENT_SPAN_ID,
        /// Bits 0 to 7 are the flags of W3C Trace Context; `0x100` says that it is known whether the parent
        /// is remote, `0x200` that it is.
        flags: u32 = span::FLAGS,
        /// Name of the operation.
        name: &'a str = span::NAME,
        /// What the span is to the spans around it.
        kind: SpanKind = span::KIND,
        /// When it started, in nanoseconds since the Unix epoch.
        start_time_unix_nano: u64 = span::START,
        /// When it ended, in nanoseconds since the Unix epoch.
        end_time_unix_nano: u64 = span::END,
        /// How many attributes were dropped.
        dropped_attributes_count: u32 = span::DROPPED_ATTRIBUTES,
        /// How many events were dropped.
        dropped_events_count: u32 = span::DROPPED_EVENTS,
        /// How many links were dropped.
        dropped_links_count: u32 = span::DROPPED_LINKS,
    }
}

attributes! {
    Span {
        /// The attributes of the span.
        attributes = span::ATTRIBUTES,
    }
}

lists! {
    Span {
        /// What happened during the span.
        events: Event<'a> = span::EVENTS,
        /// Spans that this one is related to.
        links: Link<'a> = span::LINKS,
    }
}

impl<'a> Span<'a> {
    /// How it ended, if that is said.
    #[must_use]
    pub fn status(&self) -> Option<Status<'a>> {
        self.content().message(span::STATUS).map(Status::of_body)
    }
}

merged! {
    /// How a span ended (`trace.v1.Status`).
    Status
}

scalars! {
    Status {
        /// A message for developers; only an error has one.
        message: &'a str = status::MESSAGE,
        /// How it ended.
        code: StatusCode = status::CODE,
    }
}

record! {
    /// Something that happened during a span (`trace.v1.Span.Event`).
    Event
}

scalars! {
    Event as EventFields<'a> {
        /// When it happened, in nanoseconds since the Unix epoch.
        time_unix_nano: u64 = event::TIME,
        /// What happened.
        name: &'a str = event::NAME,
        /// How many attributes were dropped.
        dropped_attributes_count: u32 = event::DROPPED_ATTRIBUTES,
    }
}

attributes! {
    Event {
        /// The attributes of the event.
        attributes = event::ATTRIBUTES,
    }
}

record! {
    /// A relation to another span (`trace.v1.Span.Link`).
    Link
}

scalars! {
    Link as LinkFields<'a> {
        /// Id of the trace: 16 bytes, or none.
        trace_id: &'a [u8] = link::TRACE_ID,
        /// Id of the span: 8 bytes, or none.
        span_id: &'a [u8] = link::SPAN_ID,
        /// `tracestate` of W3C Trace Context, as a header.
        trace_state: &'a str = link::TRACE_STATE,
        /// How many attributes were dropped.
        dropped_attributes_count: u32 = link::DROPPED_ATTRIBUTES,
        /// As [`Span::flags`], about the linked span.
        flags: u32 = link::FLAGS,
    }
}

attributes! {
    Link {
        /// The attributes of the link.
        attributes = link::ATTRIBUTES,
    }
}
