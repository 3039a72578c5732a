//! A counter that is added to often and read seldom.

use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::cells::{Cells, Word};
use crate::sync::atomic::AtomicU64;

/// A count that many threads add to and somebody reads now and then.
///
/// Adding is wait-free and touches no line that another thread writes, as long as there are not more threads than cells. Reading visits
/// every cell. Sums wrap around at 2^64, those between two calls of [`take`](ShardedCounter::take) as well.
///
/// # Guarantees
/// Exact at rest: what was added before, in the sense of happens-before, is in the sum. While others add, the sum is some number between that
/// and what was added when the call returns. [`take`](ShardedCounter::take) loses and repeats nothing, however many take.
///
/// # Allocation
/// When made: 128 bytes a cell on common processors. None afterwards.
///
/// # Examples
/// ```
/// use aqueduct_lockfree::ShardedCounter;
///
/// let spans = ShardedCounter::new();
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| (0..1000).for_each(|_| spans.inc()));
///     }
/// });
/// assert_eq!(spans.take(), 4000);
/// spans.add(2);
/// assert_eq!(spans.sum(), 2);
/// ```
#[doc(alias = "CacheLineAligned")]
#[doc(alias = "FalseSharingAvoidance")]
pub struct ShardedCounter {
    cells: Cells,
    /// How much of the cells' total was taken. Moved forward by who takes; read for the sum.
    taken: AtomicU64,
}

impl ShardedCounter {
    /// A counter at zero, with cells for four threads a core, 64 at most.
    pub fn new() -> ShardedCounter {
        ShardedCounter::with_cells(Cells::default_count())
    }

    /// A counter at zero, with so many cells, rounded up to a power of two; 1 to 65,536. More threads than cells are slower, not wrong.
    pub fn with_cells(cells: usize) -> ShardedCounter {
        ShardedCounter { cells: Cells::new(cells, 0), taken: AtomicU64::new(0) }
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds.
    #[inline]
    pub fn add(&self, count: u64) {
        add(self.cells.mine(), count);
    }

    /// Adds as the thread at this place, of which there must be one.
    #[cfg(crossbeam_loom)]
    #[doc(hidden)]
    pub fn add_at(&self, place: usize, count: u64) {
        add(self.cells.at(place), count);
    }

    /// The total since the last [`take`](ShardedCounter::take).
    #[doc(alias = "load")]
    pub fn sum(&self) -> u64 {
        // Acquire: pairs with the release of `take`; the cells are not read older than who took read them, so the total is not behind.
        let taken = self.taken.load(Acquire);
        self.total().wrapping_sub(taken)
    }

    /// The total since the last call, and starts anew: each addition is in exactly one of all the values ever taken, or in none so far.
    ///
    /// Lock-free: where two take at once, the later one looks again at what is left.
    #[doc(alias = "reset")]
    #[doc(alias = "swap")]
    pub fn take(&self) -> u64 {
        // Acquire: as in `sum`, pairs with the release below. So a total that is read after is not behind what was taken, and the difference is
        // what was added since, however large.
        let mut taken = self.taken.load(Acquire);
        loop {
            let total = self.total();
            // Release: pairs with the acquire of `sum` and of this; who sees the new value reads no cell older than we did. Acquire on
            // failure: as above.
            match self.taken.compare_exchange(taken, total, Release, Acquire) {
                Ok(_) => return total.wrapping_sub(taken),
                Err(now) => taken = now,
            }
        }
    }

    /// How many threads can have a cell of their own.
    pub fn cells(&self) -> usize {
        self.cells.count()
    }

    fn total(&self) -> u64 {
        // Relaxed: each word is a counter of its own.
        self.cells.words().fold(0, |sum: u64, word| sum.wrapping_add(word.load(Relaxed)))
    }
}

#[inline(always)]
fn add(word: Word<'_>, count: u64) {
    // Relaxed throughout: counters.
    match word {
        Word::Own(word) => word.store(word.load(Relaxed).wrapping_add(count), Relaxed),
        Word::Shared(word) => _ = word.fetch_add(count, Relaxed),
    }
}

impl Default for ShardedCounter {
    fn default() -> Self {
        ShardedCounter::new()
    }
}

impl fmt::Debug for ShardedCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardedCounter").field("sum", &self.sum()).field("cells", &self.cells()).finish()
    }
}
