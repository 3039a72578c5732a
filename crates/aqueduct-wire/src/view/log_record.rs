//! Log records.

use super::kinds::SeverityNumber;
use super::record::{attributes, record, scalars};
use super::value::Value;
use crate::schema::numbers::log_record;

record! {
    /// A log record (`logs.v1.LogRecord`).
    LogRecord
}

scalars! {
    LogRecord as LogRecordFields<'a> {
        /// When it happened, in nanoseconds since the Unix epoch; 0 if that is not known.
        time_unix_nano: u64 = log_record::TIME,
        /// When it was seen by the collection system, in nanoseconds since the Unix epoch.
        observed_time_unix_nano: u64 = log_record::OBSERVED_TIME,
        /// How bad it is, as a number.
        severity_number: SeverityNumber = log_record::SEVERITY_NUMBER,
        /// How bad it is, in the words of the source.
        severity_text: &'a str = log_record::SEVERITY_TEXT,
        /// How many attributes were dropped.
        dropped_attributes_count: u32 = log_record::DROPPED_ATTRIBUTES,
        /// Bits 0 to 7 are the flags of W3C Trace Context.
        flags: u32 = log_record::FLAGS,
        /// Id of the trace that it belongs to: 16 bytes, or none.
        trace_id: &'a [u8] = log_record::TRACE_ID,
        /// Id of the span that it belongs to: 8 bytes, or none.
        span_id: &'a [u8] = log_record::SPAN_ID,
        /// Name of the event; empty if the record is none.
        event_name: &'a str = log_record::EVENT_NAME,
    }
}

attributes! {
    LogRecord {
        /// The attributes of the record.
        attributes = log_record::ATTRIBUTES,
    }
}

impl<'a> LogRecord<'a> {
    /// What is logged, if there is something.
    #[must_use]
    pub fn body(&self) -> Option<Value<'a>> {
        self.content().message(log_record::BODY).map(Value::of_body)
    }
}
