//! The unit of data: validated bytes with their count.

use crate::{Invalid, Limits, Signal, validate};
use bytes::Bytes;
use core::fmt;

/// Complete records of one signal, and how many items they hold.
///
/// The bytes are the body of an `Export*ServiceRequest`: zero or more `ResourceSpans`, `ResourceMetrics` or
/// `ResourceLogs`, each with its tag and length. Two chunks of a signal written one after the other are
/// again such a body. Cloning shares the bytes.
#[doc(alias = "ZeroCopyDataProcessor")]
#[derive(Clone, PartialEq, Eq)]
pub struct Chunk {
    signal: Signal,
    items: u64,
    bytes: Bytes,
}

impl Chunk {
    /// Checks every field of `bytes` and keeps them.
    ///
    /// # Errors
    ///
    /// As [`validate`]; the bytes are then dropped, so clone them first if they are needed (a
    /// reference count).
    ///
    /// # Allocation
    ///
    /// None, unless the bytes are invalid.
    pub fn validate(signal: Signal, bytes: Bytes, limits: &Limits) -> Result<Chunk, Invalid> {
        let summary = validate(signal, &bytes, limits)?;
        Ok(Chunk { signal, items: summary.items, bytes })
    }

    /// Takes bytes that the caller knows to be valid, with their number of items.
    ///
    /// For bytes that an encoder of one's own just wrote, or that were validated before. Wrong bytes
    /// do no harm to memory, but they will be merged with the data of others and may spoil all of it.
    #[must_use]
    pub fn from_valid(signal: Signal, items: u64, bytes: Bytes) -> Chunk {
        Chunk { signal, items, bytes }
    }

    /// What the items are.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// How many spans, data points or log records.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// The encoded records.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The encoded records, by value.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Length of the encoded records in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes at all. (Bytes without items are possible: a resource without spans.)
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Without the bytes: they are the data of others, and may be megabytes.
impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("signal", &self.signal)
            .field("items", &self.items)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
