//! Spans: `trace.v1.Span` with its events, links and status.

use super::value::AttributeSink;
use super::writer::Writer;
use super::{IN_ITEM, IN_ITEM_PART};
use crate::schema::tags::{SPAN_FLAGS, event, link, span, status};
use core::fmt;

/// A span on loan: what the encoder asks for. Every method but the first three has a default that writes nothing.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::encode::{AttributeSink, Encoder, SpanSource, ValueRef};
///
/// struct Request { id: u64, path: String, status: u16, begin: u64, end: u64 }
///
/// impl SpanSource for Request {
///     fn trace_id(&self) -> [u8; 16] { u128::from(self.id).to_be_bytes() }
///     fn span_id(&self) -> [u8; 8] { self.id.to_be_bytes() }
///     fn name(&self) -> &str { "request" }
///     fn kind(&self) -> i32 { 2 }
///     fn start_time_unix_nano(&self) -> u64 { self.begin }
///     fn end_time_unix_nano(&self) -> u64 { self.end }
///     fn attributes(&self, out: &mut AttributeSink<'_>) {
///         out.push("url.path", ValueRef::Str(&self.path));
///         out.push("http.response.status_code", ValueRef::Int(self.status.into()));
///     }
/// }
///
/// let request = Request { id: 7, path: "/".to_owned(), status: 200, begin: 1, end: 2 };
/// let mut encoder = Encoder::new();
/// let record = encoder.span(&request);
/// let mut out = Vec::with_capacity(record.len());
/// record.put(&mut out);
/// assert_eq!((record.items(), record.len()), (1, out.len()));
/// ```
#[doc(alias = "SpanData")]
pub trait SpanSource {
    /// `trace_id`.
    fn trace_id(&self) -> [u8; 16];

    /// `span_id`.
    fn span_id(&self) -> [u8; 8];

    /// `name`.
    fn name(&self) -> &str;

    /// `trace_state`, in the form of the W3C's header.
    fn trace_state(&self) -> &str {
        ""
    }

    /// `parent_span_id`; `None` of a root span.
    fn parent_span_id(&self) -> Option<[u8; 8]> {
        None
    }

    /// `kind`: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    fn kind(&self) -> i32 {
        0
    }

    /// `start_time_unix_nano`: nanoseconds since 1970-01-01 UTC.
    fn start_time_unix_nano(&self) -> u64 {
        0
    }

    /// `end_time_unix_nano`: nanoseconds since 1970-01-01 UTC.
    fn end_time_unix_nano(&self) -> u64 {
        0
    }

    /// Hands over the `attributes`.
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        let _ = out;
    }

    /// `dropped_attributes_count`.
    fn dropped_attributes_count(&self) -> u32 {
        0
    }

    /// Hands over the `events`.
    fn events(&self, out: &mut EventSink<'_>) {
        let _ = out;
    }

    /// `dropped_events_count`.
    fn dropped_events_count(&self) -> u32 {
        0
    }

    /// Hands over the `links`.
    fn links(&self, out: &mut LinkSink<'_>) {
        let _ = out;
    }

    /// `dropped_links_count`.
    fn dropped_links_count(&self) -> u32 {
        0
    }

    /// `status`.
    fn status(&self) -> Option<StatusRef<'_>> {
        None
    }

    /// `flags`: the W3C's trace flags in the low eight bits, bit 8 set if bit 9 says whether the parent is remote.
    fn flags(&self) -> u32 {
        0
    }
}

/// `trace.v1.Status` on loan. Complete: the message has these fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusRef<'a> {
    /// 0 unset, 1 ok, 2 error.
    pub code: i32,
    /// What went wrong, for people.
    pub message: &'a str,
}

/// An event of a span on loan: `trace.v1.Span.Event`.
pub trait EventSource {
    /// `name`.
    fn name(&self) -> &str;

    /// `time_unix_nano`: nanoseconds since 1970-01-01 UTC.
    fn time_unix_nano(&self) -> u64 {
        0
    }

    /// Hands over the `attributes`.
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        let _ = out;
    }

    /// `dropped_attributes_count`.
    fn dropped_attributes_count(&self) -> u32 {
        0
    }
}

/// A link of a span on loan: `trace.v1.Span.Link`.
pub trait LinkSource {
    /// `trace_id`.
    fn trace_id(&self) -> Option<[u8; 16]>;

    /// `span_id`.
    fn span_id(&self) -> Option<[u8; 8]>;

    /// `trace_state`, in the form of the W3C's header.
    fn trace_state(&self) -> &str {
        ""
    }

    /// Hands over the `attributes`.
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        let _ = out;
    }

    /// `dropped_attributes_count`.
    fn dropped_attributes_count(&self) -> u32 {
        0
    }

    /// `flags`, as those of a span; bits 8 and 9 speak of the linked span.
    fn flags(&self) -> u32 {
        0
    }
}

/// Where the events of a span go.
pub struct EventSink<'w>(&'w mut Writer);

impl EventSink<'_> {
    /// Writes an event.
    pub fn push<E: EventSource + ?Sized>(&mut self, source: &E) {
        let writer = &mut *self.0;
        let message = writer.begin(span::EVENTS);
        writer.fixed64(event::TIME, source.time_unix_nano());
        writer.string(event::NAME, source.name());
        source.attributes(&mut AttributeSink::new(writer, event::ATTRIBUTES, IN_ITEM_PART));
        writer.uint(event::DROPPED_ATTRIBUTES, source.dropped_attributes_count().into());
        writer.end(message);
    }
}

impl fmt::Debug for EventSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSink").finish_non_exhaustive()
    }
}

/// Where the links of a span go.
pub struct LinkSink<'w>(&'w mut Writer);

impl LinkSink<'_> {
    /// Writes a link.
    pub fn push<L: LinkSource + ?Sized>(&mut self, source: &L) {
        let writer = &mut *self.0;
        let message = writer.begin(span::LINKS);
        writer.id(link::TRACE_ID, source.trace_id());
        writer.id(link::SPAN_ID, source.span_id());
        writer.string(link::TRACE_STATE, source.trace_state());
        source.attributes(&mut AttributeSink::new(writer, link::ATTRIBUTES, IN_ITEM_PART));
        writer.uint(link::DROPPED_ATTRIBUTES, source.dropped_attributes_count().into());
        writer.fixed32(link::FLAGS, source.flags());
        writer.end(message);
    }
}

impl fmt::Debug for LinkSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkSink").finish_non_exhaustive()
    }
}

/// Writes the contents of a `Span`.
pub(super) fn put_span<S: SpanSource + ?Sized>(writer: &mut Writer, source: &S) {
    // Most spans start with the same 28 bytes of keys, lengths and ids: written at once.
    let mut ids = [0; 28];
    (ids[0], ids[1]) = (span::TRACE_ID, 16);
    ids[2..18].copy_from_slice(&source.trace_id());
    (ids[18], ids[19]) = (span::SPAN_ID, 8);
    ids[20..].copy_from_slice(&source.span_id());
    writer.put(&ids);
    writer.string(span::TRACE_STATE, source.trace_state());
    writer.id(span::PARENT_SPAN_ID, source.parent_span_id());
    writer.string(span::NAME, source.name());
    let (kind, start, end) = (source.kind(), source.start_time_unix_nano(), source.end_time_unix_nano());
    if matches!(kind, 1..0x80) && start != 0 && end != 0 {
        let mut fields = [0; 20];
        (fields[0], fields[1]) = (span::KIND, kind as u8);
        fields[2] = span::START_TIME;
        fields[3..11].copy_from_slice(&start.to_le_bytes());
        fields[11] = span::END_TIME;
        fields[12..].copy_from_slice(&end.to_le_bytes());
        writer.put(&fields);
    } else {
        writer.int32(span::KIND, kind);
        writer.fixed64(span::START_TIME, start);
        writer.fixed64(span::END_TIME, end);
    }
    source.attributes(&mut AttributeSink::new(writer, span::ATTRIBUTES, IN_ITEM));
    writer.uint(span::DROPPED_ATTRIBUTES, source.dropped_attributes_count().into());
    source.events(&mut EventSink(writer));
    writer.uint(span::DROPPED_EVENTS, source.dropped_events_count().into());
    source.links(&mut LinkSink(writer));
    writer.uint(span::DROPPED_LINKS, source.dropped_links_count().into());
    if let Some(found) = source.status() {
        let message = writer.begin(span::STATUS);
        writer.string(status::MESSAGE, found.message);
        writer.int32(status::CODE, found.code);
        writer.end(message);
    }
    let flags = source.flags();
    if flags != 0 {
        let ([tag, more], [a, b, c, d]) = (SPAN_FLAGS, flags.to_le_bytes());
        writer.put(&[tag, more, a, b, c, d]);
    }
}
