//! A light handle on an item: a place in the bytes, and what can be read of it at once.

use crate::Signal;
use crate::cursor::{Cursor, LEN, MESSAGE_DEPTH};
use crate::schema::ids;
use core::fmt;

/// A span, log record or data point inside of a [`Chunk`](crate::Chunk), as [`filter`](crate::filter) and
/// [`group_by`](crate::group_by) show it.
#[derive(Copy, Clone)]
pub struct Item<'a> {
    signal: Signal,
    bytes: &'a [u8],
    metric: Option<&'a [u8]>,
}

impl<'a> Item<'a> {
    #[inline]
    pub(crate) fn new(signal: Signal, bytes: &'a [u8], metric: Option<&'a [u8]>) -> Item<'a> {
        Item { signal, bytes, metric }
    }

    /// What it is an item of.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The encoded `Span`, `LogRecord` or data point, without its tag and length.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The encoded `Metric` that a data point belongs to: its name, its unit, and the kind of its data.
    /// `None` for spans and log records.
    #[must_use]
    pub fn metric(&self) -> Option<&'a [u8]> {
        self.metric
    }

    /// The trace id (`Span.trace_id`, `LogRecord.trace_id`). `None` for log records without one and for data
    /// points.
    ///
    /// If the field is repeated its last value counts, so that every field of the item is stepped over: some
    /// tens of nanoseconds.
    #[must_use]
    #[inline]
    pub fn trace_id(&self) -> Option<&'a [u8; 16]> {
        self.last(ids(self.signal)?.0)?.try_into().ok()
    }

    /// The span id (`Span.span_id`, `LogRecord.span_id`), as [`Item::trace_id`].
    #[must_use]
    #[inline]
    pub fn span_id(&self) -> Option<&'a [u8; 8]> {
        self.last(ids(self.signal)?.1)?.try_into().ok()
    }

    /// The last value of a field of bytes; `None` also if the item is broken.
    #[inline]
    fn last(&self, number: u32) -> Option<&'a [u8]> {
        let mut cursor = Cursor::new(self.bytes);
        let mut last = None;
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

/// Without the bytes: they are the data of others.
impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("signal", &self.signal)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
