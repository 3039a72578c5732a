//! An unbounded queue for many producers and many consumers, in segments.
//!
//! # When to prefer another
//!
//! Unbounded means that memory grows as long as consumers are slower than producers. Telemetry wants a bound: `Ring` refuses or
//! overwrites past its capacity, and `Lanes` is the quickest way from many threads to one batch consumer. Use
//! [`Queue`] where the number of items is bounded by something else (a fixed set of jobs, tokens, the buffers of a pool), or where
//! refusing is no option. Item by item, `crossbeam_queue::SegQueue` is a tie (28 against 24 ns for push and pop together by one thread, 31 against
//! 32 million items a second from two threads to two); in batches of 64 an item costs 3.6 ns here.
//!
//! # Protocol
//!
//! A list of segments, each an array of slots, and for each side an index and the segment it lies in, as in crossbeam's `SegQueue` and,
//! before it, in `dotnet`'s `ConcurrentQueue`.
//!
//! - *Push*: exchange the tail's index for the next (for the one after *n* slots, for a batch). The slot is this producer's: write the
//!   item, then set its flag. Whoever was given a segment's last slot first moves the tail on to the next segment, which it allocated
//!   before the exchange, and links the two.
//! - *Pop*: if the head's index is not the tail's, exchange it likewise. The slot is this consumer's: wait for its flag, read the
//!   item. Whoever was given the last slot first moves the head on to the next segment.
//! - *Linearization*: a push takes effect when it moves the tail's index, a pop when it moves the head's; a pop that finds nothing when it
//!   reads the tail's index.
//! - *Reclamation*: the consumer that was given a segment's last slot retires it, after moving the head past it. The epoch collector
//!   frees it when the consumers that were inside it then have left. Who claimed a last slot lets the collector work once it is empty:
//!   it runs destructors of other structures as well, which may take their time, panic, or use this very queue. A producer need not be known to the collector: its last
//!   access to a segment is setting the flag of its slot, and the consumer of that slot waits for it. The link is
//!   set before the flag of the last slot.
//!
//! # Progress
//!
//! `push` and `pop` never wait for a lock, and no user's code runs between claiming a slot and filling or emptying it. But they are not lock-free in
//! the strict sense: a producer that loses its core just there (a window of some nanoseconds) makes the consumer that reaches
//! its slot wait, spinning and then yielding; so does a thread that stops while it moves a side on to the next segment.
//! [`is_empty`](Queue::is_empty), [`len`](Queue::len) and a [`pop`](Queue::pop) of an empty queue are wait-free, but for a
//! segment's change. A variant in which consumers close slots of absent producers instead (Correia and Ramalhete's *FAAArrayQueue*) is
//! lock-free, but must pin every producer and pay two more atomic exchanges an item; it measured 1.5 to 2 times as slow.
//!
//! # Sleeping
//!
//! The queue wakes nobody. A consumer that goes to sleep announces so with a SeqCst store, then looks once more with
//! [`pop`](Queue::pop) or [`is_empty`](Queue::is_empty); a producer pushes, then looks at the announcement with a SeqCst load. One of the
//! two sees the other.

mod iter;
mod position;
mod segment;
mod slot;
mod wait;

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;
use core::panic::{RefUnwindSafe, UnwindSafe};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crossbeam_epoch::{self as epoch, Guard};
use crossbeam_utils::CachePadded;

pub use self::iter::IntoIter;
use self::position::{Position, distance, offset};
use self::segment::Segment;
use self::wait::Wait;
use crate::quiet::quietly;
use crate::sync::atomic::Ordering;

/// An unbounded FIFO queue for many producers and many consumers.
///
/// See the [module](self) for the protocol, what may wait for what, and for when to prefer another queue.
///
/// # Examples
///
/// ```
/// use aqueduct_lockfree::Queue;
///
/// let queue = Queue::new();
/// std::thread::scope(|scope| {
///     for part in 0..4 {
///         let queue = &queue;
///         scope.spawn(move || queue.push_batch(&mut (0..100).map(|n| part * 100 + n).collect()));
///     }
/// });
/// let mut all = Vec::new();
/// assert_eq!(queue.pop_batch(&mut all, 1000), 400);
/// assert_eq!(queue.pop(), None);
/// ```
///
/// What cannot be sent cannot be queued between threads:
///
/// ```compile_fail,E0277
/// fn sync<T: Sync>() {}
/// sync::<aqueduct_lockfree::Queue<std::rc::Rc<u8>>>();
/// ```
///
/// ```compile_fail,E0277
/// fn send<T: Send>() {}
/// send::<aqueduct_lockfree::Queue<std::rc::Rc<u8>>>();
/// ```
#[doc(alias = "LockFreeQueue")]
#[doc(alias = "SegQueue")]
pub struct Queue<T> {
    head: CachePadded<Position<T>>,
    tail: CachePadded<Position<T>>,
    owns: PhantomData<T>,
}

// SAFETY: the queue moves items between threads and never hands out references to them.
unsafe impl<T: Send> Send for Queue<T> {}
// SAFETY: as above; what is shared is atomic, or owned through the protocol of slots.
unsafe impl<T: Send> Sync for Queue<T> {}
impl<T> UnwindSafe for Queue<T> {}
impl<T> RefUnwindSafe for Queue<T> {}

impl<T> Queue<T> {
    /// Makes an empty queue.
    ///
    /// # Allocation
    /// One segment: 4 KiB for small items, seven slots for large ones.
    #[must_use]
    pub fn new() -> Queue<T> {
        Queue::starting_at(0)
    }

    /// For tests of the wrap-around: indices begin at `index`, rounded down to a segment.
    #[doc(hidden)]
    #[must_use]
    pub fn starting_at(index: u64) -> Queue<T> {
        let index = index - offset::<T>(index) as u64;
        let first = Box::into_raw(Segment::boxed());
        Queue {
            head: CachePadded::new(Position::new(index, first)),
            tail: CachePadded::new(Position::new(index, first)),
            owns: PhantomData,
        }
    }

    /// Adds an item at the end.
    ///
    /// # Allocation
    /// A segment each 4 KiB of items (each 7 items, if they are large).
    ///
    /// # Overload
    /// There is no bound; see the [module](self).
    #[doc(alias = "enqueue")]
    #[inline]
    pub fn push(&self, item: T) {
        let (segment, offsets) = self.reserve(1);
        // SAFETY: `reserve` gave this slot to us alone. The segment lives at least until the slot is full, because its consumer waits for that.
        unsafe { (*segment).slot(offsets.start).put(item) };
    }

    /// Moves all items of a vector to the end of the queue, in their order, and leaves the vector empty with its memory.
    ///
    /// Takes as many slots at a time as are left in the segment, with one atomic exchange. So the items are neighbours, but for
    /// items of others that may come between at a segment's end.
    ///
    /// # Allocation
    /// As [`push`](Queue::push).
    #[doc(alias = "enqueue_batch")]
    pub fn push_batch(&self, items: &mut Vec<T>) {
        let mut items = items.drain(..);
        while items.len() > 0 {
            let (segment, offsets) = self.reserve(items.len());
            // No user's code runs in here, and nothing can panic: consumers may be waiting for these slots.
            for (offset, item) in offsets.zip(&mut items) {
                // SAFETY: `reserve` gave these slots to us alone, as many as there are items at most, and the segment lives until the last of them is full.
                unsafe { (*segment).slot(offset).put(item) };
            }
        }
    }

    /// Takes the item at the front; `None` if the queue was empty at a moment during the call.
    ///
    /// # Allocation
    /// None. At the end of a segment it frees what nobody uses any more, of this and of other structures; see [`pop_batch`](Queue::pop_batch).
    ///
    /// # Panics
    /// As [`pop_batch`](Queue::pop_batch).
    #[doc(alias = "dequeue")]
    #[inline]
    pub fn pop(&self) -> Option<T> {
        if !self.has_items() {
            return None;
        }
        let guard = epoch::pin();
        let (segment, offsets) = self.claim(1, &guard)?;
        // SAFETY: `claim` gave this slot to us alone, and a producer was given it before.
        let item = unsafe { segment.slot(offsets.start).take() };
        if offsets.end == Segment::<T>::SLOTS {
            collect(&guard);
        }
        Some(item)
    }

    /// Takes up to `max` items from the front and appends them to `items`, in order; returns how many. Less than `max` means that the
    /// queue was empty at a moment during the call.
    ///
    /// The items are neighbours, but for items that others may take in between at a segment's end: one atomic exchange for all of a segment.
    ///
    /// # Allocation
    /// Only to let `items` grow, by no more than there are items to take.
    ///
    /// # Panics
    /// Not by itself. But the collector is shared with all that use crossbeam-epoch, and it may have its turn when this thread is pinned: a
    /// destructor of theirs that panics may then do so here. No item is lost by it: that is before items are claimed, and those that were taken
    /// already are in `items`. At the end of a segment, when the collector has its turn because of this queue, such a panic is caught. Either way
    /// some memory that was to be freed together with the culprit's is leaked.
    #[doc(alias = "dequeue_batch")]
    pub fn pop_batch(&self, items: &mut Vec<T>, max: usize) -> usize {
        let before = items.len();
        while items.len() - before < max && self.has_items() {
            let left = max - (items.len() - before);
            // Before anything is claimed: what is claimed must be taken, and growing may fail.
            items.reserve(left.min(self.len()).min(Segment::<T>::SLOTS));
            let room = left.min(items.capacity() - items.len()).max(1);
            // Pinned anew for each segment, so that a long batch does not hold up reclamation.
            let guard = epoch::pin();
            let Some((segment, offsets)) = self.claim(room, &guard) else { break };
            for offset in offsets.clone() {
                // SAFETY: `claim` gave these slots to us alone, and producers were given them before.
                items.push(unsafe { segment.slot(offset).take() });
            }
            if offsets.end == Segment::<T>::SLOTS {
                collect(&guard);
            }
        }
        items.len() - before
    }

    /// How many items there are, those on their way in included: exact while nobody pushes or pops, otherwise near the truth.
    #[must_use]
    pub fn len(&self) -> usize {
        // Acquire: the tail is read after the head, so that it is not before it. SeqCst: as in `is_empty`.
        let head = self.head.index.load(Ordering::Acquire);
        distance::<T>(head, self.tail.index.load(Ordering::SeqCst))
    }

    /// Whether the queue was empty at a moment during the call.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Acquire: partner is the Release in `claim`. The tail's index is read after this one; equal, they say "empty" for the moment of that.
        let head = self.head.index.load(Ordering::Acquire);
        // SeqCst: partner is the SeqCst exchange in `reserve`; see "Sleeping" above.
        let tail = self.tail.index.load(Ordering::SeqCst);
        // The second: the end of a lap has no slot.
        head == tail || distance::<T>(head, tail) == 0
    }

    /// Whether there was an item at a moment during the call. Before pinning, because polling an empty queue should cost nothing; and without
    /// the producers' cache line, if it can be.
    #[inline]
    fn has_items(&self) -> bool {
        // Acquire: as in `is_empty`.
        let head = self.head.index.load(Ordering::Acquire);
        // Relaxed: as in `claim`.
        let seen = self.head.seen.load(Ordering::Relaxed);
        // SeqCst: as in `is_empty`.
        seen.wrapping_sub(head).cast_signed() > 0 || head != self.tail.index.load(Ordering::SeqCst)
    }

    /// Takes 1 to `max` slots, all in one segment, for a producer. They are to be filled without delay.
    #[inline]
    fn reserve(&self, max: usize) -> (*mut Segment<T>, Range<usize>) {
        let mut wait = Wait::new();
        let mut next = None;
        // Acquire: partner is the Release (SeqCst) in `move_tail`; the segment is not read before the index.
        let mut index = self.tail.index.load(Ordering::Acquire);
        loop {
            // Acquire: partner is the Release in `move_tail`; the segment's memory is used below.
            let segment = self.tail.segment.load(Ordering::Acquire);
            let start = offset::<T>(index);
            if start == Segment::<T>::SLOTS {
                wait.for_another();
                index = self.tail.index.load(Ordering::Acquire);
                continue;
            }
            let count = max.min(Segment::<T>::SLOTS - start);
            let takes_last = start + count == Segment::<T>::SLOTS;
            if takes_last && next.is_none() {
                // Before the exchange: after it, others wait.
                next = Some(Segment::boxed());
            }
            // SeqCst: partner is the SeqCst load in `is_empty`; items travel by their flags. Acquire on failure: as for the load.
            match self.tail.index.compare_exchange_weak(
                index,
                index.wrapping_add(count as u64),
                Ordering::SeqCst,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    if takes_last {
                        let next = next.expect("allocated above");
                        self.move_tail(index.wrapping_add(count as u64), segment, next);
                    }
                    return (segment, start..start + count);
                }
                // Waits, then tries with the index seen before the wait: that succeeds only if nobody came by in the meantime. Whoever has
                // the cache line goes on with it undisturbed, which is several times the throughput of taking turns.
                Err(actual) => index = actual,
            }
            wait.after_loss();
        }
    }

    /// Moves the tail from the end of a lap to the next segment. Only for the producer that took the last slot.
    #[cold]
    fn move_tail(&self, end: u64, segment: *mut Segment<T>, next: Box<Segment<T>>) {
        let next = Box::into_raw(next);
        // Release: partner is the Acquire load of `segment` in `reserve`.
        self.tail.segment.store(next, Ordering::Release);
        // SeqCst: releases what is above to the Acquire loads in `reserve`, and is read by `is_empty`.
        self.tail.index.store(end.wrapping_add(1), Ordering::SeqCst);
        // Last: the head passes on by this link, and must not get ahead of the tail's index.
        // SAFETY: the caller has yet to fill the last slot of the segment, so it is alive.
        unsafe { (*segment).link(next) };
    }

    /// Takes 1 to `max` slots, all in one segment, for a consumer; `None` if the queue was empty. They are to be emptied without delay. If the
    /// last slot is among them, the segment was retired, and whoever has emptied them lets the collector work.
    #[inline]
    fn claim<'g>(&self, max: usize, guard: &'g Guard) -> Option<(&'g Segment<T>, Range<usize>)> {
        let mut wait = Wait::new();
        // Acquire: partner is the Release below and in `move_head`; neither the segment nor the tail's index is read before it.
        let mut index = self.head.index.load(Ordering::Acquire);
        loop {
            // Acquire: partner is the Release in `move_head`; the segment's memory is used below.
            let segment = self.head.segment.load(Ordering::Acquire);
            let start = offset::<T>(index);
            if start == Segment::<T>::SLOTS {
                wait.for_another();
                index = self.head.index.load(Ordering::Acquire);
                continue;
            }
            // Relaxed: an index that the tail had, whoever wrote it; the items are handed over by their flags.
            let mut ahead = self.head.seen.load(Ordering::Relaxed).wrapping_sub(index).cast_signed();
            if ahead <= 0 {
                // SeqCst: as in `is_empty`.
                let tail = self.tail.index.load(Ordering::SeqCst);
                ahead = tail.wrapping_sub(index).cast_signed();
                // Below 0: the index is stale, and the exchange would fail. Look again.
                if ahead < 0 {
                    index = self.head.index.load(Ordering::Acquire);
                    continue;
                }
                if ahead == 0 {
                    return None;
                }
                self.head.seen.store(tail, Ordering::Relaxed);
            }
            let count = max.min(Segment::<T>::SLOTS - start);
            // Less than a segment holds, if that is less.
            let count = usize::try_from(ahead).map_or(count, |ahead| count.min(ahead));
            let takes_last = start + count == Segment::<T>::SLOTS;
            let end = index.wrapping_add(count as u64);
            // Release: partner is the Acquire of the loads. Acquire on failure: as for the load.
            match self.head.index.compare_exchange_weak(index, end, Ordering::Release, Ordering::Acquire) {
                Ok(_) => {
                    if takes_last {
                        // SAFETY: we were given the last slot.
                        unsafe { self.move_head(end, segment, guard) };
                    }
                    // SAFETY: the exchange says that the index, and so the segment, was the head's after we were pinned. It is freed after the guard is
                    // gone at the earliest.
                    return Some((unsafe { &*segment }, start..start + count));
                }
                // As in `reserve`.
                Err(actual) => index = actual,
            }
            wait.after_loss();
        }
    }

    /// Moves the head from the end of a lap to the next segment, and retires the one it leaves. Runs no destructors.
    ///
    /// # Safety
    /// Only for the consumer that took the last slot of `segment`, and before it takes the item.
    #[cold]
    unsafe fn move_head(&self, end: u64, segment: *mut Segment<T>, guard: &Guard) {
        // SAFETY: alive while we are pinned; its last slot was given to a producer, since it was to us.
        let next = unsafe { (*segment).successor() };
        // Release: partner is the Acquire load of `segment` in `claim`.
        self.head.segment.store(next, Ordering::Release);
        // Release: partner is the Acquire load of `index` in `claim`.
        self.head.index.store(end.wrapping_add(1), Ordering::Release);
        // SAFETY: consumers that pin from now on do not find the segment: the head has left it, and the tail had before. Those that are in it are
        // pinned. Producers in it have a consumer that waits for them while pinned. Each slot has a consumer that takes its
        // item, so that freeing drops none.
        unsafe { guard.defer_unchecked(move || drop(Box::from_raw(segment))) };
    }

    /// The front item, for a user who is alone.
    fn pop_alone(&mut self) -> Option<T> {
        // Relaxed, all: exclusive access has ordered everything before.
        let index = self.head.index.load(Ordering::Relaxed);
        if index == self.tail.index.load(Ordering::Relaxed) {
            return None;
        }
        let segment = self.head.segment.load(Ordering::Relaxed);
        let start = offset::<T>(index);
        // SAFETY: the list owns its segments, and we own the list. At rest an index that is not the tail's has a full slot.
        let item = unsafe { (*segment).slot(start).take() };
        let mut following = index.wrapping_add(1);
        if start + 1 == Segment::<T>::SLOTS {
            // SAFETY: the last slot was given to a producer, who linked the next segment. Nobody else is in this one, and it is empty.
            unsafe {
                self.head.segment.store((*segment).successor(), Ordering::Relaxed);
                drop(Box::from_raw(segment));
            }
            following = following.wrapping_add(1);
        }
        self.head.index.store(following, Ordering::Relaxed);
        Some(item)
    }
}

/// Hands on what this thread has retired, and frees what nobody uses any more, of whichever structure. A segment is worth a whole bag of
/// garbage: without this, up to 64 of them would wait in this thread.
///
/// A stranger's destructor that panics has told the panic hook. It goes no further: whoever pops has an item in hand, which unwinding would drop.
#[cold]
fn collect(guard: &Guard) {
    quietly(|| guard.flush());
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue::new()
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        let mut panicked = None;
        // An item's destructor that panics does not keep the others from running; the first panic is passed on.
        while let Some(item) = self.pop_alone() {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(item))) {
                panicked.get_or_insert(payload);
            }
        }
        // SAFETY: `pop_alone` has freed all segments but the last, which is empty.
        drop(unsafe { Box::from_raw(self.head.segment.load(Ordering::Relaxed)) });
        if let Some(payload) = panicked
            && !std::thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}
