//! The way from a request to its items, and where an item has its ids: by the numbers that the tables give.

use super::numbers as n;
use crate::Signal;
use crate::cursor::{LEN, MESSAGE_DEPTH};

/// A message on the way to the items, by what it holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// `Export*ServiceRequest`: records.
    Request,
    /// `ResourceSpans`, `ResourceMetrics`, `ResourceLogs`: scopes.
    Record,
    /// `ScopeSpans`, `ScopeLogs`: items.
    Items,
    /// `ScopeMetrics`: metrics.
    Metrics,
    /// `Metric`: one kind of data.
    Metric,
    /// `Gauge`, `Sum`, `Histogram`, `ExponentialHistogram`, `Summary`: data points.
    Data,
}

impl Level {
    /// Whether the field is what the message is there for; all other fields are its header.
    #[inline(always)]
    pub(crate) fn holds(self, number: u32) -> bool {
        match self {
            Level::Request => number == RECORDS,
            Level::Record => number == SCOPES,
            Level::Items | Level::Metrics => number == ITEMS,
            Level::Metric => is_data(number),
            Level::Data => number == POINTS,
        }
    }

    /// What the messages in this one are; `None` if they are items.
    #[inline(always)]
    pub(crate) fn inner(self, signal: Signal) -> Option<Level> {
        match self {
            Level::Request => Some(Level::Record),
            Level::Record if signal == Signal::Metrics => Some(Level::Metrics),
            Level::Record => Some(Level::Items),
            Level::Metrics => Some(Level::Metric),
            Level::Metric => Some(Level::Data),
            Level::Items | Level::Data => None,
        }
    }

    /// How many more levels of messages and groups there may be inside of this one.
    #[inline(always)]
    pub(crate) fn left(self) -> usize {
        MESSAGE_DEPTH
            - match self {
                Level::Request => 0,
                Level::Record => 1,
                Level::Items | Level::Metrics => 2,
                Level::Metric => 3,
                Level::Data => 4,
            }
    }
}

impl Level {
    /// The key of the items' field in this message.
    pub(crate) fn items_key(self) -> u8 {
        message_key(if self == Level::Data { POINTS } else { ITEMS })
    }

    /// The key of the field that a message of this level is. Of the request, which is none, and of a metric's data, whose key
    /// is its kind, it means nothing.
    pub(crate) fn key(self) -> u8 {
        message_key(match self {
            Level::Record => RECORDS,
            Level::Items | Level::Metrics => SCOPES,
            Level::Metric | Level::Request | Level::Data => ITEMS,
        })
    }
}

/// The key of a message in field `number`, which is below 16.
pub(crate) const fn message_key(number: u32) -> u8 {
    (number << 3) as u8 | LEN
}

/// The records in a request, the scopes in a record, the items or metrics in a scope, and the points in a metric's
/// data: the same number for every signal and every kind of data.
pub(crate) const RECORDS: u32 =
    same([n::traces_request::RECORDS, n::metrics_request::RECORDS, n::logs_request::RECORDS]);
pub(crate) const SCOPES: u32 =
    same([n::resource_spans::SCOPES, n::resource_metrics::SCOPES, n::resource_logs::SCOPES]);
pub(crate) const ITEMS: u32 = same([n::scope_spans::ITEMS, n::scope_metrics::ITEMS, n::scope_logs::ITEMS]);
pub(crate) const POINTS: u32 = same([
    n::gauge::POINTS,
    n::sum::POINTS,
    n::histogram::POINTS,
    n::exponential_histogram::POINTS,
    n::summary::POINTS,
]);

/// Whether a field of a metric is its data.
#[inline(always)]
pub(crate) fn is_data(number: u32) -> bool {
    use n::metric::{EXPONENTIAL_HISTOGRAM, GAUGE, HISTOGRAM, SUM, SUMMARY};
    matches!(number, GAUGE | SUM | HISTOGRAM | EXPONENTIAL_HISTOGRAM | SUMMARY)
}

/// The one number that all of these are; checked when this crate is compiled.
const fn same<const N: usize>(numbers: [u32; N]) -> u32 {
    let mut at = 1;
    while at < N {
        assert!(numbers[at] == numbers[0], "messages that are read alike differ in a field number");
        at += 1;
    }
    numbers[0]
}

/// The fields of an item that hold its trace id and its span id; data points have none.
#[inline(always)]
pub(crate) fn ids(signal: Signal) -> Option<(u32, u32)> {
    match signal {
        Signal::Traces => Some((n::span::TRACE_ID, n::span::SPAN_ID)),
        Signal::Logs => Some((n::log_record::TRACE_ID, n::log_record::SPAN_ID)),
        Signal::Metrics => None,
    }
}

/// The field of a record or scope that holds its resource or scope.
pub(crate) const DESCRIBED_BY: u32 = same([
    n::resource_spans::RESOURCE,
    n::resource_metrics::RESOURCE,
    n::resource_logs::RESOURCE,
    n::scope_spans::SCOPE,
    n::scope_metrics::SCOPE,
    n::scope_logs::SCOPE,
]);

/// The field of a `Resource` that holds the attributes.
pub(crate) const RESOURCE_ATTRIBUTES: u32 = n::resource::ATTRIBUTES;

/// The field of an `InstrumentationScope` that holds the attributes.
pub(crate) const SCOPE_ATTRIBUTES: u32 = n::scope::ATTRIBUTES;

/// The field of an item that holds the attributes: of a data point by the field of the metric that its data is.
pub(crate) fn item_attributes(signal: Signal, data: u32) -> u32 {
    match (signal, data) {
        (Signal::Traces, _) => n::span::ATTRIBUTES,
        (Signal::Logs, _) => n::log_record::ATTRIBUTES,
        (Signal::Metrics, n::metric::HISTOGRAM) => n::histogram_point::ATTRIBUTES,
        (Signal::Metrics, n::metric::EXPONENTIAL_HISTOGRAM) => n::exponential_point::ATTRIBUTES,
        (Signal::Metrics, n::metric::SUMMARY) => n::summary_point::ATTRIBUTES,
        (Signal::Metrics, _) => n::number_point::ATTRIBUTES,
    }
}
