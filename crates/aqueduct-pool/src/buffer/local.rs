//! What one thread holds: a rack of idle memory per size class, for each pool it uses.
//!
//! A rack is a magazine of two halves in one array. Taking and returning work at its end. A rack that is empty takes half its
//! size from the depot, a full one gives its colder half there: whatever a thread does, it then has half a rack of operations before it
//! comes back to the lock. Memory that is made by one thread and freed by another travels in the same halves.
//!
//! Two thread-locals: `OWNED` owns the caches and empties them when the thread ends; `HOT` finds the cache of a pool with one
//! indexed load. `HOT` has no destructor, so reaching it costs no check of whether it still exists, and it works while other thread-locals
//! are being destroyed: by then `OWNED` has cleared it.

use std::cell::{Cell, RefCell};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use super::memory::Memory;
use super::shared::Shared;
use super::size::{CLASSES, bytes_of};
use super::stats::Ledger;
use crate::sync::{Arc, Padded, UnsafeCell, per_thread};

/// The most that a rack holds. With 32, a lock is taken once for 16 operations at worst.
#[cfg(not(crossbeam_loom))]
pub(super) const ROUNDS: usize = 32;
/// As small as a rack of two halves can be.
#[cfg(crossbeam_loom)]
pub(super) const ROUNDS: usize = 2;

/// How many pools a thread finds without a search.
const HOT_SLOTS: usize = 8;

per_thread! {
    /// The caches used last, by `Shared::slot`. Points into what `OWNED` owns, or nowhere.
    static HOT: [Cell<*const LocalCache>; HOT_SLOTS] = const { [const { Cell::new(ptr::null()) }; HOT_SLOTS] };
}

per_thread! {
    static OWNED: Owned = const { Owned { caches: RefCell::new(Vec::new()) } };
}

/// All the caches of a thread.
struct Owned {
    /// Made by `Box::into_raw`, freed by `retire`. Not boxes, because `HOT` points to the same.
    caches: RefCell<Vec<NonNull<LocalCache>>>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        for cache in std::mem::take(self.caches.get_mut()) {
            // SAFETY: the list owned the cache, and has just been taken.
            unsafe { retire(cache) };
        }
    }
}

/// One thread's share of one pool. Everything in it is used by that thread only, except that others read the ledger.
pub(super) struct LocalCache {
    /// `Shared::epoch` as this thread has seen it.
    epoch: Cell<usize>,
    /// Keeps the address that `HOT` is compared with from being another pool's.
    shared: Arc<Shared>,
    /// Says how full the racks are.
    ledger: Arc<Padded<Ledger>>,
    racks: [UnsafeCell<Rack>; CLASSES],
}

struct Rack {
    /// How many rounds are in use, at most ROUNDS; 0 if the class has no magazine.
    limit: usize,
    /// As many of the first as the ledger says are initialised, and owned by the rack. The last of them is the warmest.
    rounds: [MaybeUninit<Memory>; ROUNDS],
}

/// The cache of this pool, if the thread used it lately and nothing has happened to the pool since.
#[inline]
fn hot(shared: &Shared) -> Option<&LocalCache> {
    let cache = HOT.try_with(|hot| hot[shared.slot() % HOT_SLOTS].get()).unwrap_or(ptr::null());
    // SAFETY: `HOT` holds null or a cache in `OWNED`; whoever frees a cache clears its place in `HOT` first. The reference
    // does not outlive the operation that asked for it, and no operation frees caches while it uses one.
    let cache = unsafe { cache.as_ref() }?;
    let current = ptr::eq(Arc::as_ptr(&cache.shared), shared) && cache.epoch.get() == shared.epoch();
    current.then_some(cache)
}

/// Takes from the thread's own rack and counts it.
#[inline]
pub(super) fn pop(shared: &Shared, class: usize) -> Option<Memory> {
    hot(shared)?.pop(class)
}

/// Puts memory into the thread's own rack and counts it, if there is room.
#[inline]
pub(super) fn push(shared: &Shared, class: usize, memory: Memory) -> bool {
    hot(shared).is_some_and(|cache| cache.push(class, memory))
}

/// A thread's cache, as the slow paths see it.
pub(super) struct Current {
    cache: NonNull<LocalCache>,
    /// Bytes that went back to the allocator because the pool was trimmed since the thread's last visit.
    pub(super) flushed: usize,
}

/// Finds or makes this thread's cache of a pool, and brings it up to date. Caches of closed pools are emptied on the way.
///
/// `None` if the pool is closed, the thread is at its end, or the allocator called us from within this function.
pub(super) fn current(shared: &Arc<Shared>) -> Option<Current> {
    let mut gone = Vec::new();
    let cache = OWNED.try_with(|owned| {
        let mut caches = owned.caches.try_borrow_mut().ok()?;
        caches.retain(|&cache| {
            // SAFETY: caches in the list exist.
            let closed = unsafe { cache.as_ref() }.shared.is_closed();
            if closed {
                gone.push(cache);
            }
            !closed
        });
        if shared.is_closed() {
            return None;
        }
        // SAFETY: as above.
        let known = caches.iter().find(|cache| Arc::ptr_eq(&unsafe { cache.as_ref() }.shared, shared));
        let cache = known.copied().unwrap_or_else(|| {
            let cache = NonNull::from(Box::leak(Box::new(LocalCache::new(Arc::clone(shared)))));
            caches.push(cache);
            cache
        });
        remember(shared, cache.as_ptr());
        Some(cache)
    });
    for cache in gone {
        // SAFETY: the list owned it and does so no longer.
        unsafe { retire(cache) };
    }
    let cache = cache.ok().flatten()?;
    // SAFETY: the cache is in the list, and only this thread takes it out, in this function or at its end.
    let flushed = unsafe { cache.as_ref() }.catch_up();
    Some(Current { cache, flushed })
}

fn remember(shared: &Shared, cache: *const LocalCache) {
    // An error means that the thread is at its end, and then there is nothing to remember.
    let _ = HOT.try_with(|hot| hot[shared.slot() % HOT_SLOTS].set(cache));
}

/// Hands what a cache holds to the depot, or to the allocator if the pool is closed, and frees it.
///
/// # Safety
/// The caller owns the cache, and runs on the thread whose cache it is.
unsafe fn retire(cache: NonNull<LocalCache>) {
    // SAFETY: the caller owns it.
    let slot = unsafe { cache.as_ref() }.shared.slot();
    let _ = HOT.try_with(|hot| {
        let place = &hot[slot % HOT_SLOTS];
        if place.get() == cache.as_ptr() {
            place.set(ptr::null());
        }
    });
    // SAFETY: made from a box by `current`, and no pointer to it is left: the list has given it up, `HOT` was cleared.
    let cache = unsafe { Box::from_raw(cache.as_ptr()) };
    for class in 0..CLASSES {
        let memory = cache.drain(class, ROUNDS);
        if !memory.is_empty() && !cache.shared.depot().put(class, memory.as_slice()) {
            memory.free(&cache.shared, class);
        }
    }
    cache.shared.tallies().unregister(&cache.ledger);
}

impl Current {
    /// The cache. Not to be kept over a call that may free caches, that is, `current`.
    fn cache(&self) -> &LocalCache {
        // SAFETY: `current` gave the pointer out; the cache stays until this thread's next call of it.
        unsafe { self.cache.as_ref() }
    }

    /// Counts a buffer handed out.
    pub(super) fn count_taken(&self) {
        self.cache().ledger.0.count_taken();
    }

    /// Counts a buffer come back.
    pub(super) fn count_returned(&self) {
        self.cache().ledger.0.count_returned();
    }

    /// Gives all that this thread keeps of the pool to the allocator. Returns how many bytes that were.
    pub(super) fn flush(&self) -> usize {
        self.cache().flush()
    }

    /// Takes from the rack, filling half of it from the depot if it is empty, and counts it.
    pub(super) fn take(&self, class: usize) -> Option<Memory> {
        let cache = self.cache();
        if let Some(memory) = cache.pop(class) {
            return Some(memory);
        }
        let limit = cache.limit(class);
        if limit > 0 {
            cache.refill(class, limit / 2);
            return cache.pop(class);
        }
        let memory = cache.shared.depot().take(class)?;
        self.count_taken();
        Some(memory)
    }

    /// Puts memory into the rack, giving the colder half of it to the depot if it is full, and counts it. False if the pool takes nothing any
    /// more: then the memory is the caller's still, and not counted.
    pub(super) fn put(&self, class: usize, memory: Memory) -> bool {
        let cache = self.cache();
        if cache.push(class, memory) {
            return true;
        }
        let limit = cache.limit(class);
        if limit > 0 {
            let half = cache.drain(class, limit / 2);
            if !cache.shared.depot().put(class, half.as_slice()) {
                half.free(&cache.shared, class);
            }
            return cache.push(class, memory);
        }
        let kept = cache.shared.depot().put(class, &[memory]);
        if kept {
            self.count_returned();
        }
        kept
    }
}

impl LocalCache {
    fn new(shared: Arc<Shared>) -> LocalCache {
        let rack = |class| {
            UnsafeCell::new(Rack { limit: shared.rack_limit(class), rounds: [MaybeUninit::uninit(); ROUNDS] })
        };
        LocalCache {
            epoch: Cell::new(shared.epoch() & !1),
            ledger: shared.tallies().register(),
            racks: std::array::from_fn(rack),
            shared,
        }
    }

    #[inline]
    fn pop(&self, class: usize) -> Option<Memory> {
        let place = self.ledger.0.pop(class)?;
        Some(self.racks[class].with(|rack| {
            // SAFETY: only this thread uses the rack. The place was within the fill, which is at most ROUNDS, so it is initialised; now it is
            // off the books, and what lay there the caller's.
            unsafe { (*rack).rounds.get_unchecked(place).assume_init() }
        }))
    }

    #[inline]
    fn push(&self, class: usize, memory: Memory) -> bool {
        self.racks[class].with_mut(|rack| {
            // SAFETY: only this thread uses the rack, and what is called here does not come back to it.
            let rack = unsafe { &mut *rack };
            let Some(place) = self.ledger.0.push(class, rack.limit) else { return false };
            // SAFETY: `place` is below `limit`, which is at most ROUNDS.
            unsafe { rack.rounds.get_unchecked_mut(place) }.write(memory);
            true
        })
    }

    fn limit(&self, class: usize) -> usize {
        self.racks[class].with(|rack| {
            // SAFETY: only this thread uses the rack.
            unsafe { (*rack).limit }
        })
    }

    /// Fills an empty rack with up to `most` pieces from the depot.
    fn refill(&self, class: usize, most: usize) {
        debug_assert_eq!(self.ledger.0.fill(class), 0);
        let count = self.racks[class].with_mut(|rack| {
            // SAFETY: only this thread uses the rack. The depot does not call back, except into the closure.
            let rounds = unsafe { &mut (*rack).rounds };
            let mut places = rounds.iter_mut();
            self.shared.depot().take_many(class, most, |memory| {
                places.next().expect("`most` is at most half of the rounds").write(memory);
            })
        });
        self.ledger.0.fill_up(class, count);
    }

    /// If the pool was trimmed since the last visit, gives everything to the allocator. Returns how many bytes that were.
    fn catch_up(&self) -> usize {
        let epoch = self.shared.epoch();
        // Never with the bit of the closing: it may have come since `current` looked, and every operation has to see it from then on.
        if self.epoch.replace(epoch & !1) == epoch {
            return 0;
        }
        self.flush()
    }

    /// Gives everything to the allocator. Returns how many bytes that were.
    fn flush(&self) -> usize {
        (0..CLASSES).map(|class| self.drain(class, ROUNDS).free(&self.shared, class)).sum()
    }

    /// Moves up to `most` pieces out of a rack, the coldest first.
    fn drain(&self, class: usize, most: usize) -> Drained {
        let mut drained = Drained { len: 0, memory: [MaybeUninit::uninit(); ROUNDS] };
        let fill = self.ledger.0.fill(class);
        drained.len = fill.min(most);
        self.racks[class].with_mut(|rack| {
            // SAFETY: only this thread uses the rack, and nothing here calls back.
            let rounds = unsafe { &mut (*rack).rounds };
            drained.memory[..drained.len].copy_from_slice(&rounds[..drained.len]);
            rounds.copy_within(drained.len..fill, 0);
        });
        self.ledger.0.drain(class, drained.len);
        drained
    }
}

/// Memory on its way out of a rack. Has to be put somewhere or freed; dropped, it leaks.
struct Drained {
    len: usize,
    memory: [MaybeUninit<Memory>; ROUNDS],
}

impl Drained {
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn as_slice(&self) -> &[Memory] {
        // SAFETY: `drain` initialised the first `len`, and a `MaybeUninit<Memory>` is laid out like a `Memory`.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast(), self.len) }
    }

    /// Gives everything to the allocator, and returns how many bytes that were.
    fn free(self, shared: &Arc<Shared>, class: usize) -> usize {
        for &memory in self.as_slice() {
            // SAFETY: the rack owned it and `drain` took it out.
            unsafe { Shared::free(shared, memory, bytes_of(class)) };
        }
        self.len * bytes_of(class)
    }
}
