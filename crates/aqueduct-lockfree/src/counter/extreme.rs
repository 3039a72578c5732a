//! The largest and the smallest of what many threads saw.
//!
//! A cell holds the extreme of what was recorded there since it was last emptied, or a mark that there was nothing. The owner of a cell stores only
//! what is beyond what it loaded. Taking swaps the mark in. If that happens between the owner's load and store, the new value counts for the time
//! after the taking, and it is more extreme than what was taken, so nothing is lost; if the owner does not store, its value was not beyond the
//! one that is being taken.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

use super::cells::{Cells, Word};

/// The mark of an empty cell. Both extremes are kept as smallest numbers, the largest value counted down from [`LARGEST`].
const NOTHING: u64 = u64::MAX;

/// The largest value that can be told from nothing.
const LARGEST: u64 = u64::MAX - 1;

fn record(word: Word<'_>, value: u64) {
    // Relaxed throughout: the words are independent, and nothing else is read through them.
    match word {
        Word::Own(word) => {
            if value < word.load(Relaxed) {
                word.store(value, Relaxed);
            }
        }
        Word::Shared(word) => {
            // The load spares the read-modify-write in the usual case that the value is nothing new.
            if value < word.load(Relaxed) {
                word.fetch_min(value, Relaxed);
            }
        }
    }
}

fn least(cells: &Cells) -> Option<u64> {
    cells.words().map(|word| word.load(Relaxed)).min().filter(|&value| value != NOTHING)
}

fn take_least(cells: &Cells) -> Option<u64> {
    let take = |word: &crate::sync::atomic::AtomicU64| {
        // Without the swap where there is nothing: idle cells stay in their owners' caches.
        if word.load(Relaxed) == NOTHING { NOTHING } else { word.swap(NOTHING, Relaxed) }
    };
    cells.words().map(take).min().filter(|&value| value != NOTHING)
}

macro_rules! extreme {
    ($(#[$doc:meta])* $name:ident, $read:ident, $(#[$read_doc:meta])* |$value:ident| $key:expr) => {
        $(#[$doc])*
        pub struct $name {
            cells: Cells,
        }

        impl $name {
            /// Nothing recorded yet, with cells for four threads a core, 64 at most.
            pub fn new() -> $name {
                $name::with_cells(Cells::default_count())
            }

            /// Nothing recorded yet, with so many cells, rounded up to a power of two; 1 to 65,536. More threads than cells are slower,
            /// not wrong.
            pub fn with_cells(cells: usize) -> $name {
                $name { cells: Cells::new(cells, NOTHING) }
            }

            /// Records a value.
            #[inline]
            pub fn record(&self, $value: u64) {
                record(self.cells.mine(), $key);
            }

            /// Records as the thread at this place, of which there must be one.
            #[cfg(crossbeam_loom)]
            #[doc(hidden)]
            pub fn record_at(&self, place: usize, $value: u64) {
                record(self.cells.at(place), $key);
            }

            $(#[$read_doc])*
            pub fn $read(&self) -> Option<u64> {
                least(&self.cells).map(|$value| $key)
            }

            /// As reading, and starts anew.
            pub fn take(&self) -> Option<u64> {
                take_least(&self.cells).map(|$value| $key)
            }

            /// How many threads can have a cell of their own.
            pub fn cells(&self) -> usize {
                self.cells.count()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name::new()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field(stringify!($read), &self.$read()).field("cells", &self.cells()).finish()
            }
        }
    };
}

extreme! {
    /// The largest of the values that many threads record, read now and then.
    ///
    /// Recording is wait-free and touches no line that another thread writes, as long as there are not more threads than cells; a value that is
    /// nothing new is a load. Exact at rest, except that 2^64 - 1 is recorded as one less. Zero is a value like any other, and nothing
    /// recorded is `None`.
    ///
    /// # Examples
    /// ```
    /// let longest = aqueduct_lockfree::ShardedMax::new();
    /// assert_eq!(longest.max(), None);
    /// longest.record(3);
    /// longest.record(2);
    /// assert_eq!((longest.take(), longest.max()), (Some(3), None));
    /// ```
    ShardedMax, max,
    /// The largest value since the last [`take`](ShardedMax::take).
    |value| LARGEST - value.min(LARGEST)
}

extreme! {
    /// The smallest of the values that many threads record, read now and then: the mirror image of [`ShardedMax`].
    ///
    /// # Examples
    /// ```
    /// let shortest = aqueduct_lockfree::ShardedMin::new();
    /// assert_eq!(shortest.min(), None);
    /// shortest.record(3);
    /// shortest.record(0);
    /// assert_eq!((shortest.take(), shortest.min()), (Some(0), None));
    /// ```
    ShardedMin, min,
    /// The smallest value since the last [`take`](ShardedMin::take).
    |value| value.min(LARGEST)
}
