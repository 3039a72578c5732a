//! The encoder of single items.

use super::log::{LogSource, put_log};
use super::metric::{MetricSource, put_metric};
use super::span::{SpanSource, put_span};
use super::writer::{HEAD, Writer, put_head};
use crate::schema::tags::scope_record;
use bytes::BufMut;
use core::fmt;

/// Encodes items one by one, in a buffer that is used again for each.
///
/// # Allocation
///
/// The buffer grows to the size of the largest item.
#[derive(Default)]
pub struct Encoder {
    /// The item, behind room for its key and length.
    writer: Writer,
    /// Where its key is.
    begin: usize,
    items: u64,
}

impl Encoder {
    /// An encoder. Allocates nothing yet.
    #[must_use]
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// Encodes a span.
    #[inline]
    pub fn span<S: SpanSource + ?Sized>(&mut self, span: &S) -> Record<'_> {
        self.encode(|writer| {
            put_span(writer, span);
            1
        })
    }

    /// Encodes a log record.
    #[inline]
    pub fn log<L: LogSource + ?Sized>(&mut self, log: &L) -> Record<'_> {
        self.encode(|writer| {
            put_log(writer, log);
            1
        })
    }

    /// Encodes a metric with all its points, each of which is an item.
    #[inline]
    pub fn metric<M: MetricSource + ?Sized>(&mut self, metric: &M) -> Record<'_> {
        self.encode(|writer| put_metric(writer, metric))
    }

    /// The length is known when the item is written: key and length then go before it, backwards.
    #[inline]
    fn encode(&mut self, item: impl FnOnce(&mut Writer) -> u64) -> Record<'_> {
        self.writer.restart(HEAD);
        self.items = item(&mut self.writer);
        let len = self.writer.len() - HEAD;
        self.begin = put_head(&mut self.writer.bytes_mut()[..HEAD], scope_record::ITEM, len);
        self.record()
    }

    /// What was encoded last.
    #[inline]
    pub(super) fn record(&self) -> Record<'_> {
        Record {
            bytes: &self.writer.bytes()[self.begin..],
            head: HEAD - self.begin,
            items: self.items,
            cut: self.writer.cut,
        }
    }
}

/// Without the bytes.
impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

/// An encoded item: an entry of `ScopeSpans.spans`, `ScopeLogs.log_records` or `ScopeMetrics.metrics`.
pub struct Record<'a> {
    bytes: &'a [u8],
    /// How many of them are the key of the field and the length.
    head: usize,
    items: u64,
    cut: u64,
}

impl<'a> Record<'a> {
    /// How many bytes [`Record::put`] writes.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it is nothing: never, for the field's key alone is a byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many items: 1 for a span or a log record, the number of points of a metric.
    #[must_use]
    #[inline]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// How many lists were written without contents because they were nested too deeply.
    #[must_use]
    pub fn cut_values(&self) -> u64 {
        self.cut
    }

    /// The record: key of the field, length, message.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The message alone.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[self.head..]
    }

    /// Writes the record.
    ///
    /// # Panics
    ///
    /// If `out` has less room than [`Record::len`] and does not grow, as every method of `BufMut`.
    pub fn put(&self, out: &mut impl BufMut) {
        out.put_slice(self.bytes);
    }
}

/// Without the bytes.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("len", &self.len()).field("items", &self.items).finish_non_exhaustive()
    }
}
