//! The cells of a counter.

use std::fmt;
use std::num::NonZeroUsize;

use crossbeam_utils::CachePadded;

use crate::place;
use crate::sync::atomic::AtomicU64;

/// One line (two where the processor fetches pairs) of a counter.
struct Cell {
    /// Written by the thread whose place this is, by load and store; for extremes also emptied by who takes. Read by all.
    own: AtomicU64,
    /// Written by threads without a cell of their own, by read-modify-write. Read by all.
    shared: AtomicU64,
}

/// A power of two of them.
pub(super) struct Cells(Box<[CachePadded<Cell>]>);

/// The word that a thread may write, and how.
pub(super) enum Word<'a> {
    /// No other thread stores here.
    Own(&'a AtomicU64),
    /// Others may.
    Shared(&'a AtomicU64),
}

impl Cells {
    pub(super) fn new(count: usize, initial: u64) -> Cells {
        let cell =
            |_| CachePadded::new(Cell { own: AtomicU64::new(initial), shared: AtomicU64::new(initial) });
        Cells((0..count.clamp(1, 1 << 16).next_power_of_two()).map(cell).collect())
    }

    /// Enough for four threads a core, 64 cells at most.
    pub(super) fn default_count() -> usize {
        let cores = std::thread::available_parallelism().map_or(4, NonZeroUsize::get);
        (4 * cores).min(64)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The word of the calling thread.
    #[inline(always)]
    pub(super) fn mine(&self) -> Word<'_> {
        let place = place::mine();
        match self.0.get(place) {
            Some(cell) => Word::Own(&cell.own),
            None => self.shared(place),
        }
    }

    /// The word of the thread at this place, for models in which the threads know theirs.
    #[cfg(crossbeam_loom)]
    pub(super) fn at(&self, place: usize) -> Word<'_> {
        self.0.get(place).map_or_else(|| self.shared(place), |cell| Word::Own(&cell.own))
    }

    #[cold]
    fn shared(&self, place: usize) -> Word<'_> {
        Word::Shared(&self.0[place & (self.0.len() - 1)].shared)
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.0.iter().flat_map(|cell| [&cell.own, &cell.shared])
    }
}

impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cells", self.count())
    }
}
