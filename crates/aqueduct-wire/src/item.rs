//! A light handle on an item: a place in the bytes, and what can be read of it at once.

mod around;
#[cfg(test)]
mod tests;

pub(crate) use around::{Around, Described, Known};

use crate::Signal;
use crate::cursor::{Cursor, LEN, MESSAGE_DEPTH};
use crate::fields::{Live, Place, usual_span};
use crate::schema::ids;
use crate::schema::numbers::{metric, span};
use crate::view::{Resource, Scope, Text};
use core::fmt;

/// A span, log record or data point inside of a [`Chunk`](crate::Chunk), as [`filter`](crate::filter) and
/// [`group_by`](crate::group_by) show it.
///
/// What is around it (resource, scope, metric) is found once for all of its neighbours, whoever of them asks first; to ask
/// again for each item costs a few nanoseconds, whatever the size of the request. More of the item itself is in the views of
/// [`view`](crate::view), such as [`view::Span::new`](crate::view::Span::new) of [`Item::bytes`].
///
/// # Examples
///
/// ```
/// use aqueduct_wire::{Chunk, Limits, Signal, filter};
/// use bytes::Bytes;
///
/// // A log record with the severity text "A", of a scope with the name "s" and of no resource.
/// let request = Bytes::from_static(b"\x0a\x0c\x12\x0a\x0a\x03\x0a\x01s\x12\x03\x1a\x01A");
/// let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
///
/// let of_scope = filter(&chunk, |record| record.scope().is_some_and(|scope| scope.name() == "s"))?;
/// assert_eq!(of_scope.removed, 0);
/// let of_host = filter(&chunk, |record| {
///     record.resource().is_some_and(|resource| resource.attributes().iter().any(|pair| pair.key() == "host"))
/// })?;
/// assert_eq!(of_host.removed, 1);
/// # Ok::<(), aqueduct_wire::Invalid>(())
/// ```
#[derive(Copy, Clone)]
pub struct Item<'a> {
    bytes: &'a [u8],
    around: &'a Around<'a>,
}

impl<'a> Item<'a> {
    /// The item whose content is at `body`.
    #[inline]
    pub(crate) fn new(body: Place, around: &'a Around<'a>) -> Item<'a> {
        Item { bytes: &around.request[body.range()], around }
    }

    /// What it is an item of.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.around.signal
    }

    /// The encoded `Span`, `LogRecord` or data point, without its tag and length.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The resource that the item is of; `None` if its record has none.
    ///
    /// The first one who asks looks through the record, stepping over its scopes; the answer is kept for all of its items. (A
    /// resource in several pieces, which protobuf allows, is joined, and so is a scope.)
    #[must_use]
    pub fn resource(&self) -> Option<Resource<'a>> {
        self.around.record?.by(self.around.request).map(Resource::of_body)
    }

    /// The instrumentation scope that the item is of; `None` if its scope record names none.
    ///
    /// The first one who asks looks through the scope record, stepping over its items; the answer is kept for all of them.
    #[must_use]
    pub fn scope(&self) -> Option<Scope<'a>> {
        self.around.scope?.by(self.around.request).map(Scope::of_body)
    }

    /// The metric that a data point belongs to. `None` for spans and log records.
    #[must_use]
    #[inline]
    pub fn metric(&self) -> Option<ItemMetric<'a>> {
        Some(ItemMetric { request: self.around.request, known: self.around.metric? })
    }

    /// The trace id (`Span.trace_id`, `LogRecord.trace_id`). `None` for log records without one and for data
    /// points.
    ///
    /// If the field is repeated its last value counts, so that every field of the item is stepped over: some
    /// tens of nanoseconds.
    #[must_use]
    #[inline]
    pub fn trace_id(&self) -> Option<&'a [u8; 16]> {
        self.last(ids(self.around.signal)?.0)?.try_into().ok()
    }

    /// The span id (`Span.span_id`, `LogRecord.span_id`), as [`Item::trace_id`].
    #[must_use]
    #[inline]
    pub fn span_id(&self) -> Option<&'a [u8; 8]> {
        self.last(ids(self.around.signal)?.1)?.try_into().ok()
    }

    /// The last value of one of the two ids; `None` also if the item is broken.
    #[inline]
    fn last(&self, number: u32) -> Option<&'a [u8]> {
        let mut cursor = Cursor::new(self.bytes);
        let mut last = None;
        if self.around.signal == Signal::Traces
            && let Some(rest) = usual_span(self.bytes, |_| true)
        {
            last = Some(if number == span::TRACE_ID { &self.bytes[2..18] } else { &self.bytes[20..28] });
            cursor.rest = rest;
        }
        while !cursor.is_empty() {
            // Most fields are short messages with a short key.
            if let [key, len @ ..0x80, rest @ ..] = cursor.rest
                && key & 0x87 == LEN
                && let Some((value, rest)) = rest.split_at_checked(usize::from(*len))
            {
                if u32::from(key >> 3) == number {
                    last = Some(value);
                }
                cursor.rest = rest;
                continue;
            }
            match cursor.key().ok()? {
                (found, LEN) => {
                    let value = cursor.bytes().ok()?;
                    if found == number {
                        last = Some(value);
                    }
                }
                (found, wire) => cursor.skip(found, wire, MESSAGE_DEPTH).ok()?,
            }
        }
        last
    }
}

/// The metric that a data point belongs to (`metrics.v1.Metric`): what was found of it before its first point was shown.
#[derive(Copy, Clone)]
pub struct ItemMetric<'a> {
    request: &'a [u8],
    known: &'a Known,
}

impl<'a> ItemMetric<'a> {
    /// Its name. Free.
    #[must_use]
    #[inline]
    pub fn name(&self) -> Text<'a> {
        Text::new(&self.request[self.known.name.range()])
    }

    /// The unit of its values, as in UCUM. Free.
    #[must_use]
    #[inline]
    pub fn unit(&self) -> Text<'a> {
        Text::new(&self.request[self.known.unit.range()])
    }

    /// What its data is. Free.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> MetricKind {
        match self.known.live.map_or(0, Live::kind) {
            metric::SUM => MetricKind::Sum,
            metric::HISTOGRAM => MetricKind::Histogram,
            metric::EXPONENTIAL_HISTOGRAM => MetricKind::ExponentialHistogram,
            metric::SUMMARY => MetricKind::Summary,
            _ => MetricKind::Gauge,
        }
    }

    /// The encoded `Metric` with all of its points, for [`view::Metric::new`](crate::view::Metric::new).
    ///
    /// Every look into it steps over what it holds. For each point anew, that is as many steps as the square of the points: keep
    /// what was found for as long as this has the same address.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        &self.request[self.known.body.range()]
    }
}

/// What the data of a metric is (`metrics.v1.Metric.data`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// `gauge`
    Gauge,
    /// `sum`
    Sum,
    /// `histogram`
    Histogram,
    /// `exponential_histogram`
    ExponentialHistogram,
    /// `summary`
    Summary,
}

/// Without name and bytes: they are the data of others.
impl fmt::Debug for ItemMetric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemMetric").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

/// Without the bytes: they are the data of others.
impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("signal", &self.around.signal)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
