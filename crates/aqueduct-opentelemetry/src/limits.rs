//! How much of an item is kept.

/// Limits on what is encoded of each span and log record (OpenTelemetry specification, "Attribute Limits", "Span Limits", "LogRecord Limits").
///
/// They are applied while an item is encoded, and what is left out is counted in the item's own `dropped_*_count`. Counts are limits of the SDK, too, which
/// applies its own before (128 unless the provider says otherwise): give [`Aqueduct::span_limits`](crate::Aqueduct::span_limits) to the provider to raise them.
/// Lengths are limited here only: the SDK does not know them.
///
/// ```
/// use aqueduct_opentelemetry::Limits;
///
/// let limits = Limits { span_value_length: Some(4_096), ..Limits::default() };
/// assert_eq!(limits.span_attributes, 128);
/// ```
///
/// Complete: the specification has these limits. (It has two more, for all kinds of items together: the environment's reader spreads them.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attributes of a span. Default 128. `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`.
    pub span_attributes: u32,
    /// Events of a span. Default 128. `OTEL_SPAN_EVENT_COUNT_LIMIT`.
    pub span_events: u32,
    /// Links of a span. Default 128. `OTEL_SPAN_LINK_COUNT_LIMIT`.
    pub span_links: u32,
    /// Attributes of an event. Default 128. `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`.
    pub event_attributes: u32,
    /// Attributes of a link. Default 128. `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT`.
    pub link_attributes: u32,
    /// Characters of a text, and bytes of a byte string, in attributes of spans, their events and their links; longer ones are cut. `None` for any number.
    /// Default `None`. `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`.
    pub span_value_length: Option<u32>,
    /// Attributes of a log record. Default 128. `OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT`.
    pub log_attributes: u32,
    /// As [`span_value_length`](Self::span_value_length), in attributes of log records. Bodies are not cut. Default `None`.
    /// `OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT`.
    pub log_value_length: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            span_attributes: 128,
            span_events: 128,
            span_links: 128,
            event_attributes: 128,
            link_attributes: 128,
            span_value_length: None,
            log_attributes: 128,
            log_value_length: None,
        }
    }
}
