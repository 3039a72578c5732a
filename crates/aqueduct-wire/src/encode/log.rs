//! Log records: `logs.v1.LogRecord`.

use super::IN_ITEM;
use super::value::{AttributeSink, ValueSink};
use super::writer::Writer;
use crate::schema::tags::log_record;

/// A log record on loan: what the encoder asks for. Every method has a default that writes nothing.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::encode::{Encoder, LogSource, ValueRef, ValueSink};
///
/// struct Line(u64, String);
///
/// impl LogSource for Line {
///     fn time_unix_nano(&self) -> u64 { self.0 }
///     fn severity_number(&self) -> i32 { 9 }
///     fn severity_text(&self) -> &str { "INFO" }
///     fn body(&self, out: ValueSink<'_>) { out.put(ValueRef::Str(&self.1)) }
/// }
///
/// let mut encoder = Encoder::new();
/// assert_eq!(encoder.log(&Line(1, "started".to_owned())).len(), 30);
/// ```
#[doc(alias = "SdkLogRecord")]
pub trait LogSource {
    /// `time_unix_nano`, when it happened: nanoseconds since 1970-01-01 UTC; 0 if that is not known.
    fn time_unix_nano(&self) -> u64 {
        0
    }

    /// `observed_time_unix_nano`, when it was collected: nanoseconds since 1970-01-01 UTC.
    fn observed_time_unix_nano(&self) -> u64 {
        0
    }

    /// `severity_number`: 1 to 24, from the lowest of trace to the highest of fatal; 0 unspecified.
    fn severity_number(&self) -> i32 {
        0
    }

    /// `severity_text`: the level as the source calls it.
    fn severity_text(&self) -> &str {
        ""
    }

    /// Hands over the `body`, or drops the sink if there is none.
    fn body(&self, out: ValueSink<'_>) {
        let _ = out;
    }

    /// Hands over the `attributes`.
    fn attributes(&self, out: &mut AttributeSink<'_>) {
        let _ = out;
    }

    /// `dropped_attributes_count`.
    fn dropped_attributes_count(&self) -> u32 {
        0
    }

    /// `flags`: the W3C's trace flags in the low eight bits.
    fn flags(&self) -> u32 {
        0
    }

    /// `trace_id`.
    fn trace_id(&self) -> Option<[u8; 16]> {
        None
    }

    /// `span_id`.
    fn span_id(&self) -> Option<[u8; 8]> {
        None
    }

    /// `event_name`: what kind of event the record is.
    fn event_name(&self) -> &str {
        ""
    }
}

/// Writes the contents of a `LogRecord`.
pub(super) fn put_log<L: LogSource + ?Sized>(writer: &mut Writer, source: &L) {
    writer.fixed64(log_record::TIME, source.time_unix_nano());
    writer.int32(log_record::SEVERITY_NUMBER, source.severity_number());
    writer.string(log_record::SEVERITY_TEXT, source.severity_text());
    source.body(ValueSink::new(writer, log_record::BODY, IN_ITEM));
    source.attributes(&mut AttributeSink::new(writer, log_record::ATTRIBUTES, IN_ITEM));
    writer.uint(log_record::DROPPED_ATTRIBUTES, source.dropped_attributes_count().into());
    writer.fixed32(log_record::FLAGS, source.flags());
    writer.id(log_record::TRACE_ID, source.trace_id());
    writer.id(log_record::SPAN_ID, source.span_id());
    writer.fixed64(log_record::OBSERVED_TIME, source.observed_time_unix_nano());
    writer.string(log_record::EVENT_NAME, source.event_name());
}
