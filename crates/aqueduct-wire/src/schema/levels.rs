//! The way from a request to its items, and where an item has its ids.

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
            Level::Request | Level::Data => number == 1,
            Level::Record | Level::Items | Level::Metrics => number == 2,
            Level::Metric => matches!(number, 5 | 7 | 9 | 10 | 11),
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
        let number = if self == Level::Data { 1 } else { 2 };
        number << 3 | LEN
    }

    /// The key of the field that a message of this level is. Of the request, which is none, and of a metric's data, whose key
    /// is its kind, it means nothing.
    pub(crate) fn key(self) -> u8 {
        let number = if self == Level::Record { 1 } else { 2 };
        number << 3 | LEN
    }
}

/// The fields of an item that hold its trace id and its span id; data points have none.
#[inline(always)]
pub(crate) fn ids(signal: Signal) -> Option<(u32, u32)> {
    match signal {
        Signal::Traces => Some((1, 2)),
        Signal::Logs => Some((9, 10)),
        Signal::Metrics => None,
    }
}

/// The field of a record or scope that holds its resource or scope.
pub(crate) const DESCRIBED_BY: u32 = 1;

/// The field of a `Resource` that holds the attributes.
pub(crate) const RESOURCE_ATTRIBUTES: u32 = 1;

/// The field of an `InstrumentationScope` that holds the attributes.
pub(crate) const SCOPE_ATTRIBUTES: u32 = 3;

/// The field of an item that holds the attributes: of a data point by the field of the metric that its data is.
pub(crate) fn item_attributes(signal: Signal, data: u32) -> u32 {
    match (signal, data) {
        (Signal::Traces, _) | (Signal::Metrics, 9) => 9,
        (Signal::Logs, _) => 6,
        (Signal::Metrics, 10) => 1,
        (Signal::Metrics, _) => 7,
    }
}
