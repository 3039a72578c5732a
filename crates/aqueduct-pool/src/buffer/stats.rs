//! What a buffer pool has done, and who counts it.

use super::size::CLASSES;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, Padded, lock, relax};

/// What a [`BufferPool`](crate::BufferPool) has done so far, and what it owns now.
///
/// At rest the figures are exact: `taken - returned` buffers are in use, and `made - dropped` pieces of memory exist. Read while threads
/// work, they are off by no more than what happened during the read.
///
/// # Examples
///
/// ```
/// use aqueduct_pool::BufferPool;
///
/// let pool = BufferPool::default();
/// drop(pool.take(4096));
/// let buffer = pool.take(4096);
/// let stats = pool.stats();
/// assert_eq!((stats.taken, stats.made, stats.returned), (2, 1, 1));
/// assert_eq!((stats.in_use(), stats.bytes), (1, 4096));
/// # drop(buffer);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Buffers handed out.
    pub taken: u64,
    /// Buffers that came back, to the pool or past it.
    pub returned: u64,
    /// Pieces of memory that came from the allocator.
    pub made: u64,
    /// Pieces of memory that went back to it: over the cap, too large, trimmed, or after the pool was gone.
    pub dropped: u64,
    /// Buffers that were handed out although they did not fit below the cap.
    pub over_cap: u64,
    /// Calls of `try_take` and `try_reserve` that were refused.
    pub refused: u64,
    /// Bytes the pool owns, in use and idle, over the cap or not.
    pub bytes: usize,
    /// The most bytes it ever owned.
    #[doc(alias = "peak")]
    pub high_water_bytes: usize,
}

impl PoolStats {
    /// Buffers in use.
    #[must_use]
    pub fn in_use(&self) -> u64 {
        self.taken.saturating_sub(self.returned)
    }
}

/// What one thread has done, and how full its racks are. The thread writes with plain loads and stores, anybody reads.
///
/// The fill of a rack and the count of what was taken from it are one word, so that an operation writes one word and no more. What
/// was returned follows: whatever lies in a rack or was taken from it, and did not come from the depot, was returned by a user.
#[derive(Debug)]
pub(super) struct Ledger {
    /// By class: in the low 8 bits how many pieces the rack holds, above them how many were ever popped, modulo 2^56. Written by the thread
    /// that owns the racks, read by it and by `Tallies::sum`.
    racks: [AtomicU64; CLASSES],
    /// Buffers handed out past the racks, modulo 2^64. Written and read likewise.
    taken: AtomicU64,
    /// Buffers that came back past the racks, plus what the racks gave to the depot, less what they got from there, modulo 2^64. Likewise.
    returned: AtomicU64,
    /// Odd while `racks` and `returned` change together, another even number afterwards. Likewise.
    version: AtomicU64,
}

/// The bits of a word in `Ledger::racks` that say how full the rack is.
const FILL: u64 = 0xff;
/// One more piece popped, in the same word.
const POPPED: u64 = FILL + 1;

impl Ledger {
    fn new() -> Ledger {
        let zero = || AtomicU64::new(0);
        Ledger { racks: std::array::from_fn(|_| zero()), taken: zero(), returned: zero(), version: zero() }
    }

    /// How many pieces a rack holds.
    #[inline]
    pub(super) fn fill(&self, class: usize) -> usize {
        // Relaxed, as all loads of the owner: it reads what it wrote itself.
        (self.racks[class].load(Ordering::Relaxed) & FILL) as usize
    }

    /// Takes the last piece off a rack's books, and says in which place it lies. For the owning thread only.
    #[inline]
    pub(super) fn pop(&self, class: usize) -> Option<usize> {
        let before = self.racks[class].load(Ordering::Relaxed);
        let place = (before & FILL).checked_sub(1)?;
        // Release pairs with the Acquire in `read`: who sees this value sees `version` and `returned` as they were before it, too.
        self.racks[class].store(before.wrapping_add(POPPED - 1), Ordering::Release);
        Some(place as usize)
    }

    /// Enters one piece, returned by a user, and says in which place it has to lie. `None` if there are `limit` already. For the owning thread
    /// only.
    #[inline]
    pub(super) fn push(&self, class: usize, limit: usize) -> Option<usize> {
        let before = self.racks[class].load(Ordering::Relaxed);
        let place = (before & FILL) as usize;
        if place >= limit {
            return None;
        }
        // Release: as in `pop`.
        self.racks[class].store(before + 1, Ordering::Release);
        Some(place)
    }

    /// Enters pieces that came from the depot. For the owning thread only.
    pub(super) fn fill_up(&self, class: usize, count: usize) {
        self.transfer(class, count as u64);
    }

    /// Takes pieces off the books that left the rack, but not to a user. For the owning thread only.
    pub(super) fn drain(&self, class: usize, count: usize) {
        self.transfer(class, (count as u64).wrapping_neg());
    }

    /// Changes the fill of a rack, and nothing of what `read` says.
    fn transfer(&self, class: usize, count: u64) {
        // `add` releases: who sees one of the later values sees the odd version, and who sees the even version, all of them.
        add(&self.version, 1);
        add(&self.racks[class], count);
        add(&self.returned, count.wrapping_neg());
        add(&self.version, 1);
    }

    /// Counts a buffer handed out past the racks. For the owning thread only.
    pub(super) fn count_taken(&self) {
        add(&self.taken, 1);
    }

    /// Counts a buffer come back past the racks. For the owning thread only.
    pub(super) fn count_returned(&self) {
        add(&self.returned, 1);
    }

    /// Taken and returned. Waits while the owner is between the two halves of a transfer.
    fn read(&self) -> [u64; 2] {
        loop {
            // All Acquire: they pair with the Release of whoever wrote the value. A rack or a sum from after the beginning of a transfer thus
            // brings the odd version with it, and the second look at the version shows it.
            let version = self.version.load(Ordering::Acquire);
            let returned = self.returned.load(Ordering::Acquire);
            let racks = self.racks.each_ref().map(|rack| rack.load(Ordering::Acquire));
            let taken = self.taken.load(Ordering::Acquire);
            if version.is_multiple_of(2) && version == self.version.load(Ordering::Relaxed) {
                let popped = racks.iter().fold(0, |sum: u64, rack| sum.wrapping_add(rack / POPPED));
                let filled = racks.iter().map(|rack| rack & FILL).sum::<u64>();
                return [taken.wrapping_add(popped), returned.wrapping_add(popped).wrapping_add(filled)];
            }
            relax();
        }
    }
}

/// Adds to a word that only this thread writes. Release pairs with the Acquire in `Ledger::read`.
fn add(word: &AtomicU64, count: u64) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(count), Ordering::Release);
}

/// The counters of all threads of one pool.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    threads: Mutex<Threads>,
    /// Buffers handed out by threads that are too far gone to have a cache. Written by those, read by `sum`; so the next.
    taken: AtomicU64,
    /// Buffers that came back on such threads.
    returned: AtomicU64,
}

#[derive(Debug, Default)]
struct Threads {
    live: Vec<Arc<Padded<Ledger>>>,
    /// Sums of the threads that ended.
    ended: [u64; 2],
}

impl Tallies {
    /// A new thread's ledger.
    pub(super) fn register(&self) -> Arc<Padded<Ledger>> {
        let ledger = Arc::new(Padded(Ledger::new()));
        lock(&self.threads).live.push(Arc::clone(&ledger));
        ledger
    }

    /// Takes over what a thread that ends has counted. The caller is that thread, and its racks are empty.
    pub(super) fn unregister(&self, ledger: &Arc<Padded<Ledger>>) {
        let mut threads = lock(&self.threads);
        let [taken, returned] = ledger.0.read();
        threads.ended = [threads.ended[0].wrapping_add(taken), threads.ended[1].wrapping_add(returned)];
        threads.live.retain(|other| !Arc::ptr_eq(other, ledger));
    }

    /// Counts a buffer handed out by a thread without a cache.
    pub(super) fn count_taken(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a buffer come back on a thread without a cache.
    pub(super) fn count_returned(&self) {
        self.returned.fetch_add(1, Ordering::Relaxed);
    }

    /// Taken and returned, over all threads there are and were.
    pub(super) fn sum(&self) -> [u64; 2] {
        let others = [self.taken.load(Ordering::Relaxed), self.returned.load(Ordering::Relaxed)];
        let threads = lock(&self.threads);
        let each = threads.live.iter().map(|ledger| ledger.0.read()).chain([others, threads.ended]);
        each.fold([0, 0], |sum, one| [sum[0].wrapping_add(one[0]), sum[1].wrapping_add(one[1])])
    }
}
