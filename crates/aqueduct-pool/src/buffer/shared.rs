//! The state that handles, buffers and threads of one pool have in common, and all that is not the fast path.

use std::mem::{self, ManuallyDrop};
use std::ptr::NonNull;

use super::config::BufferPoolConfig;
use super::depot::Depot;
use super::local::{self, Current, ROUNDS};
use super::memory::Memory;
use super::pooled::PooledBuf;
use super::size::{CLASSES, PLAIN, Shape, WIPE, bytes_of, capacity_for, class_of};
use super::stats::{PoolStats, Tallies};
use crate::sync::{Arc, AtomicU64, AtomicUsize, Ordering, Padded};

/// Bytes between two writes that make memory resident. Pages may be larger, not smaller.
const PAGE: usize = 4096;

/// Numbers pools, so that each finds its own place in `HOT`. Not part of the protocol, so not loom's: a repeated number is harmless.
static NUMBER: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);

/// What to do if a buffer does not fit below the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    Give,
    Refuse,
}

#[derive(Debug)]
pub(super) struct Shared {
    /// Read by every operation, written almost never.
    read_mostly: Padded<ReadMostly>,
    books: Padded<Books>,
    depot: Depot,
    tallies: Tallies,
    config: BufferPoolConfig,
}

#[derive(Debug)]
struct ReadMostly {
    /// Bit 0: the last handle is gone; set by `close`. Above it: the number of trims, raised by `trim`. Every operation reads it.
    epoch: AtomicUsize,
    slot: usize,
    /// `WIPE` or nothing: goes into each buffer beside its class.
    wipe: usize,
    /// How many pieces a thread may keep, by class.
    limits: [u8; CLASSES],
}

/// Counted where memory is made and freed, which is seldom. All of them are Relaxed: none says anything about other memory.
#[derive(Debug, Default)]
struct Books {
    /// Bytes the pool owns. Raised before memory is made, lowered after it was freed, by whoever does it.
    bytes: AtomicUsize,
    /// The most that `bytes` ever was. Raised by whoever raised `bytes`.
    high_water_bytes: AtomicUsize,
    /// As in `PoolStats`, raised by whoever did it; so the others.
    made: AtomicU64,
    dropped: AtomicU64,
    over_cap: AtomicU64,
    refused: AtomicU64,
}

impl Shared {
    pub(super) fn new(config: BufferPoolConfig) -> Shared {
        let most = config.magazine_bytes.min(config.max_bytes / 16);
        let limit = |class| match (most / bytes_of(class)).min(ROUNDS) {
            // One piece alone would be handed back and forth all the time.
            0 | 1 => 0,
            // At most ROUNDS, which fits.
            several => several as u8,
        };
        let read_mostly = ReadMostly {
            epoch: AtomicUsize::new(0),
            slot: NUMBER.fetch_add(1, core::sync::atomic::Ordering::Relaxed),
            wipe: if config.zero_on_return { WIPE } else { 0 },
            limits: std::array::from_fn(limit),
        };
        Shared {
            read_mostly: Padded(read_mostly),
            books: Padded(Books::default()),
            depot: Depot::new(),
            tallies: Tallies::default(),
            config,
        }
    }

    #[inline]
    pub(super) fn epoch(&self) -> usize {
        // Relaxed: it only tells a thread to empty its own racks, which it may do at any time. See the header of `buffer`.
        self.read_mostly.0.epoch.load(Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.epoch() & 1 == 1
    }

    #[inline]
    pub(super) fn slot(&self) -> usize {
        self.read_mostly.0.slot
    }

    pub(super) fn rack_limit(&self, class: usize) -> usize {
        self.read_mostly.0.limits[class].into()
    }

    pub(super) fn depot(&self) -> &Depot {
        &self.depot
    }

    pub(super) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    pub(super) fn config(&self) -> &BufferPoolConfig {
        &self.config
    }

    pub(super) fn stats(&self) -> PoolStats {
        // Relaxed: see `Books`. `dropped` before `made`, so that nothing seems dropped before it was made.
        let books = &self.books.0;
        let dropped = books.dropped.load(Ordering::Relaxed);
        let [taken, returned] = self.tallies.sum();
        PoolStats {
            taken,
            returned,
            made: books.made.load(Ordering::Relaxed),
            dropped,
            over_cap: books.over_cap.load(Ordering::Relaxed),
            refused: books.refused.load(Ordering::Relaxed),
            bytes: books.bytes.load(Ordering::Relaxed),
            high_water_bytes: books.high_water_bytes.load(Ordering::Relaxed),
        }
    }

    /// Takes a buffer, from the thread's rack at best. `None` if it is refused.
    #[inline]
    pub(super) fn take(this: &Arc<Shared>, bytes: usize, excess: Excess) -> Option<PooledBuf> {
        let class = class_of(bytes);
        let (memory, shape) = if class < CLASSES
            && let Some(memory) = local::pop(this, class)
        {
            (memory, Shape::of_class(class, this.read_mostly.0.wipe))
        } else {
            // Two words, which come in registers: as a whole buffer it would come through memory on all paths.
            Shared::take_slow(this, bytes, excess)?
        };
        // SAFETY: the memory was idle in this pool and given up, or has just been made for it, in that shape.
        Some(unsafe { PooledBuf::new(Arc::as_ptr(this), memory, shape) })
    }

    #[cold]
    #[inline(never)]
    fn take_slow(this: &Arc<Shared>, bytes: usize, excess: Excess) -> Option<(Memory, Shape)> {
        let (class, size) = (class_of(bytes), capacity_for(bytes));
        let wipe = this.read_mostly.0.wipe;
        let current = local::current(this);
        let idle = match &current {
            _ if class >= CLASSES => None,
            Some(current) => current.take(class),
            None => this.depot.take(class).inspect(|_| this.tallies.count_taken()),
        };
        if let Some(memory) = idle {
            return Some((memory, Shape::of_class(class, wipe)));
        }
        let (memory, shape) = if Shared::reserve(this, size, current.as_ref()) {
            let shape = if class < CLASSES { Shape::of_class(class, wipe) } else { Shape::plain(size, wipe) };
            (Shared::make(this, size), shape)
        } else {
            (Shared::make_over_cap(this, size, excess)?, Shape::plain(size, wipe))
        };
        match &current {
            Some(current) => current.count_taken(),
            None => this.tallies.count_taken(),
        }
        Some((memory, shape))
    }

    /// Takes back the memory of a buffer, into the thread's rack at best.
    ///
    /// # Safety
    /// The caller owns the memory, which is of this pool and shape. It gives up the memory's strong count, which it keeps alive until then.
    ///
    /// A call of its own with its arguments in registers: inlined, dropping a buffer would be so much code that the compiler calls it, with the
    /// address of the buffer, where a panic may unwind. The buffer then has to lie on the stack on the way there too, written in words and
    /// read at once in larger pieces, which stalls processors for longer than this call takes.
    #[inline(never)]
    pub(super) unsafe fn release(shared: NonNull<Shared>, memory: Memory, shape: Shape) {
        memory.used();
        // SAFETY: the memory's strong count keeps the state alive. On the fast path the count moves into the rack together with the
        // memory, and the rack's cache has another one.
        let this = unsafe { shared.as_ref() };
        let mark = shape.mark();
        if mark >= CLASSES || !local::push(this, mark, memory) {
            // SAFETY: `push` did not take the memory, so it is the caller's still.
            unsafe { Shared::release_slow(shared.as_ptr(), memory, shape) };
        }
    }

    /// Takes back the memory of a buffer that is not simply pushed into the thread's rack: because there is no room, because it has
    /// to be wiped, or because it is plain.
    ///
    /// # Safety
    /// The caller owns the memory, which is of this pool and shape. It gives up the memory's strong count.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn release_slow(shared: *const Shared, memory: Memory, shape: Shape) {
        let (class, size) = (shape.class(), shape.capacity());
        // SAFETY: the memory's own strong count, which this takes over.
        let this = ManuallyDrop::new(unsafe { Arc::from_raw(shared) });
        if shape.has_to_be_wiped() {
            // SAFETY: the caller owns it.
            unsafe { memory.wipe(size) };
            if class != PLAIN && local::push(&this, class, memory) {
                // The count is where the memory is.
                return;
            }
        }
        let current = local::current(&this);
        if class != PLAIN
            && let Some(current) = &current
            && current.put(class, memory)
        {
            return;
        }
        match &current {
            Some(current) => current.count_returned(),
            None => this.tallies.count_returned(),
        }
        // With a cache, the depot has been asked already, or is no place for it. Without, the way leads there directly; and as nothing else of this
        // thread's keeps the state alive once another may take the memory from there, a count of our own does.
        let kept = class != PLAIN && current.is_none() && {
            let alive = Arc::clone(&this);
            alive.depot.put(class, &[memory])
        };
        if !kept {
            // SAFETY: nobody took it, so it is still the caller's.
            unsafe { this.give_back(memory, size) };
            // The count goes with the memory, and perhaps the pool's state with it.
            drop(ManuallyDrop::into_inner(this));
        }
    }

    /// Makes sure that `size` more bytes fit below the cap, and counts them as owned. Idle memory of other classes gives way.
    fn reserve(this: &Arc<Shared>, size: usize, current: Option<&Current>) -> bool {
        if size > this.config.max_bytes {
            return false;
        }
        if this.try_reserve(size) {
            return true;
        }
        // Large ones first: that takes the fewest.
        for class in (0..CLASSES).rev() {
            while let Some(memory) = this.depot.take(class) {
                // SAFETY: the depot owned it and gave it up.
                unsafe { Shared::free(this, memory, bytes_of(class)) };
                if this.try_reserve(size) {
                    return true;
                }
            }
        }
        // At last what this thread keeps itself: otherwise its own magazines could make the pool refuse it for ever.
        current.is_some_and(|current| current.flush() > 0 && this.try_reserve(size))
    }

    fn try_reserve(&self, size: usize) -> bool {
        let fits = |bytes: usize| bytes.checked_add(size).filter(|&sum| sum <= self.config.max_bytes);
        // Relaxed: see `Books`.
        let reserved = self.books.0.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if let Ok(before) = reserved {
            self.books.0.high_water_bytes.fetch_max(before + size, Ordering::Relaxed);
        }
        reserved.is_ok()
    }

    /// Makes memory whose bytes are counted already.
    fn make(this: &Arc<Shared>, size: usize) -> Memory {
        // Whatever was made before has another colour.
        let made = this.books.0.made.fetch_add(1, Ordering::Relaxed);
        let memory = Memory::allocate(size, made);
        // The memory's own strong count.
        mem::forget(Arc::clone(this));
        memory
    }

    fn make_over_cap(this: &Arc<Shared>, size: usize, excess: Excess) -> Option<Memory> {
        if excess == Excess::Refuse {
            return None;
        }
        let before = this.books.0.bytes.fetch_add(size, Ordering::Relaxed);
        this.books.0.high_water_bytes.fetch_max(before.saturating_add(size), Ordering::Relaxed);
        this.books.0.over_cap.fetch_add(1, Ordering::Relaxed);
        Some(Shared::make(this, size))
    }

    /// Counts a call that was refused.
    pub(super) fn count_refused(&self) {
        self.books.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives memory to the allocator. Its strong count remains.
    ///
    /// # Safety
    /// The caller owns the memory, which is of this pool and size.
    unsafe fn give_back(&self, memory: Memory, size: usize) {
        // SAFETY: the caller owns it.
        unsafe { memory.free(size) };
        self.books.0.bytes.fetch_sub(size, Ordering::Relaxed);
        self.books.0.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives memory to the allocator, and its strong count up.
    ///
    /// # Safety
    /// The caller owns the memory, which is of this pool and size.
    pub(super) unsafe fn free(this: &Arc<Shared>, memory: Memory, size: usize) {
        // SAFETY: the caller owns it.
        unsafe { this.give_back(memory, size) };
        // SAFETY: the count that `make` added for this memory. `this` holds another, so the state outlives the call.
        drop(unsafe { Arc::from_raw(Arc::as_ptr(this)) });
    }

    /// Makes up to `count` pieces, resident, and lays them into the depot. Returns how many fitted below the cap.
    pub(super) fn prefill(this: &Arc<Shared>, bytes: usize, count: usize) -> usize {
        let class = class_of(bytes);
        if class >= CLASSES {
            return 0;
        }
        let size = bytes_of(class);
        let mut made = 0;
        while made < count && this.try_reserve(size) {
            let memory = Shared::make(this, size);
            for offset in (0..size).step_by(PAGE) {
                // SAFETY: within the memory, which nobody else knows yet.
                unsafe { memory.start().add(offset).write(0) };
            }
            // A closed pool has no handle, and this is called through one.
            let kept = this.depot.put(class, &[memory]);
            debug_assert!(kept, "the caller holds a handle");
            made += 1;
        }
        made
    }

    /// Gives idle memory to the allocator: the depot's and this thread's now, that of other threads at their next operation.
    pub(super) fn trim(this: &Arc<Shared>) -> usize {
        // Relaxed: see `epoch`. Two a step: bit 0 is not part of the count.
        this.read_mostly.0.epoch.fetch_add(2, Ordering::Relaxed);
        let own = local::current(this).map_or(0, |current| current.flushed);
        let shelves = (0..CLASSES).map(|class| Shared::free_all(this, class, this.depot.take_all(class)));
        own + shelves.sum::<usize>()
    }

    /// The last handle is gone: nothing is kept from here on.
    pub(super) fn close(this: &Arc<Shared>) {
        // Relaxed: see `epoch`. What has to be ordered is the closing of each shelf, and that has a lock.
        this.read_mostly.0.epoch.fetch_or(1, Ordering::Relaxed);
        for class in 0..CLASSES {
            Shared::free_all(this, class, this.depot.close(class));
        }
        // Empties the racks of this thread.
        let _ = local::current(this);
    }

    fn free_all(this: &Arc<Shared>, class: usize, idle: Vec<Memory>) -> usize {
        let bytes = idle.len() * bytes_of(class);
        for memory in idle {
            // SAFETY: the depot owned it and gave it up.
            unsafe { Shared::free(this, memory, bytes_of(class)) };
        }
        bytes
    }
}
