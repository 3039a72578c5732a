//! What comes out: sealed batches, and why they were sealed.

use std::fmt;
use std::iter::FusedIterator;
use std::time::Instant;

use crate::Weight;

/// A batch that takes no more items.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealed<B> {
    /// The items, in the order in which they were offered.
    pub batch: B,
    /// What they weigh together.
    pub weight: Weight,
    /// When the first of them was offered: `now - opened` is the time that batching took.
    pub opened: Instant,
    /// Why it was sealed.
    pub reason: SealReason,
}

/// Why a batch was sealed.
///
/// A healthy pipeline under load seals by items or bytes, an idle one by age; the counts per reason tell which bound is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum SealReason {
    /// It reached `max_items`, or the next offer would have exceeded it.
    Items,
    /// It reached `max_bytes`, or the next offer would have exceeded it.
    Bytes,
    /// No offer came for `max_idle`.
    Idle,
    /// Its first offer waited for `max_age`.
    Age,
    /// [`Batcher::flush`](crate::Batcher::flush) was called.
    Flush,
}

impl SealReason {
    /// Every reason, in the order of [`SealReason::index`].
    pub const ALL: [SealReason; 5] =
        [SealReason::Items, SealReason::Bytes, SealReason::Idle, SealReason::Age, SealReason::Flush];

    /// The position in [`SealReason::ALL`], for tables of counters.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The reason as a label value: `items`, `bytes`, `idle`, `age`, `flush`.
    pub const fn as_str(self) -> &'static str {
        match self {
            SealReason::Items => "items",
            SealReason::Bytes => "bytes",
            SealReason::Idle => "idle",
            SealReason::Age => "age",
            SealReason::Flush => "flush",
        }
    }
}

impl fmt::Display for SealReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an offer sealed: no batch (most often), one or two, in the order in which they were opened.
///
/// Two come out when the offer did not fit, which sealed the open batch, and then filled a batch of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the sealed batches are in here and nowhere else"]
pub struct Sealing<B> {
    pub(crate) before: Option<Sealed<B>>,
    pub(crate) filled: Option<Sealed<B>>,
}

impl<B> Sealing<B> {
    /// Whether nothing is left in here.
    pub fn is_empty(&self) -> bool {
        self.before.is_none() && self.filled.is_none()
    }
}

impl<B> Iterator for Sealing<B> {
    type Item = Sealed<B>;

    fn next(&mut self) -> Option<Sealed<B>> {
        self.before.take().or_else(|| self.filled.take())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.before.is_some()) + usize::from(self.filled.is_some());
        (left, Some(left))
    }
}

impl<B> ExactSizeIterator for Sealing<B> {}
impl<B> FusedIterator for Sealing<B> {}
