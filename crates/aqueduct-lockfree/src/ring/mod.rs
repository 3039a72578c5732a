//! `Ring`: a bounded queue of many producers and many consumers.
//!
//! An array of slots, each with a stamp, after Dmitry Vyukov's bounded MPMC queue. A *position* counts the pushes (or the pops) since the
//! ring was made; its slot is the position modulo the number of slots, a power of two. Positions are kept doubled, so that the lowest bit
//! is free: in a stamp it tells whether the slot holds a value, in `tail` whether the ring is closed.
//!
//! ```text
//! stamp of the slot of position p        state                      who may touch the value
//! 2p                                     empty, waits for push p    who moves `tail` from 2p to 2p + 2
//! 2p + 1                                 holds the value of push p  who moves `head` from 2p to 2p + 2
//! 2(p + capacity)                        empty, for the next lap    as the first line, with p + capacity
//! ```
//!
//! A push looks at the stamp, moves `tail`, writes the value, then releases the stamp; a pop mirrors it. The value is touched only by the
//! winner of the move, and only between the move and the release of the stamp: nothing is ever taken out before the race is won. There is
//! nothing to reclaim, so nothing can be used after it was freed. Stamps have 64 bits on every
//! machine and do not repeat within 2^63 positions, which is the length of the stall that an operation would have to survive to be confused.
//!
//! *Full* and *empty* are answered only if `head` and `tail` say so; a slot that is claimed and not yet finished makes the operation wait for
//! the thread that works on it, first spinning, then yielding. This keeps the ring linearizable, and is the one place where it is
//! not lock-free: a thread suspended between the move and the release holds up those who need this very slot.
//!
//! A batch looks at the stamps of as many slots as it wants and moves `tail` (or `head`) over all of them at once. Only the thread that moves
//! over a position can change what that check saw, so a move that succeeds owns every slot that was checked.

mod batch;
mod overwrite;
mod slot;

use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};

use crossbeam_utils::{Backoff, CachePadded};

use crate::PushError;
use crate::sync::atomic::{AtomicU64, fence};
use slot::Slot;

/// In `tail`: the ring is closed.
const CLOSED: u64 = 1;
/// From one position to the next.
const STEP: u64 = 2;

/// A bounded first-in first-out queue that any number of threads push to and pop from.
///
/// # Progress
/// Lock-free but for one case: an operation waits, spinning and then yielding, for a thread that was suspended in the few instructions
/// between claiming the slot it needs and finishing with it.
///
/// # Allocation
/// All of it when the ring is made. Batches grow the vector that they are given.
///
/// # Overload
/// A full ring refuses and gives the value back, or replaces the oldest if asked to by [`push_overwrite`](Ring::push_overwrite). Both are
/// counted exactly.
///
/// # Examples
/// ```
/// use aqueduct_lockfree::{PushError, Ring};
///
/// let ring = Ring::new(2);
/// assert_eq!(ring.push('a'), Ok(()));
/// assert_eq!(ring.push('b'), Ok(()));
/// assert_eq!(ring.push('c'), Err(PushError::Full('c')));
/// assert_eq!(ring.push_overwrite('d'), Ok(Some('a')));
/// assert_eq!((ring.pop(), ring.pop(), ring.pop()), (Some('b'), Some('d'), None));
/// assert_eq!((ring.refused(), ring.displaced()), (1, 1));
/// ```
#[doc(alias = "LockFreeQueue")]
#[doc(alias = "enqueue")]
#[doc(alias = "dequeue")]
#[doc(alias = "ArrayQueue")]
pub struct Ring<T> {
    /// The next position to pop, doubled. Moved by poppers (and by an overwriting push); read by all.
    head: CachePadded<AtomicU64>,
    /// The next position to push, doubled, and [`CLOSED`]. Moved by pushers; read by all. Except in the middle of an overwriting push it
    /// is ahead of `head` by at most the capacity.
    tail: CachePadded<AtomicU64>,
    /// Values refused, for want of room or after closing. Added to by pushers that fail.
    refused: CachePadded<AtomicU64>,
    /// Values displaced by overwriting. Added to by those who displace.
    displaced: CachePadded<AtomicU64>,
    slots: Box<[Slot<T>]>,
    /// The number of slots less one.
    mask: usize,
}

// SAFETY: a value is handed from the pusher to one popper, so T must be Send; the stamps see to it that no two threads touch the same
// cell at the same time, and nobody gets a reference into the ring, so T need not be Sync.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    /// A ring with room for `capacity` values, rounded up to the next power of two; zero counts as one.
    ///
    /// # Panics
    /// If the memory cannot be addressed: more than a quarter of `usize::MAX` values.
    pub fn new(capacity: usize) -> Ring<T> {
        Ring::starting_at(capacity, 0)
    }

    /// A ring whose first position is given, to be tested where positions wrap around.
    #[doc(hidden)]
    pub fn starting_at(capacity: usize, position: u64) -> Ring<T> {
        assert!(capacity <= usize::MAX / 4, "a ring of {capacity} values cannot be addressed");
        let capacity = capacity.max(1).next_power_of_two();
        let (mask, start) = (capacity - 1, position.wrapping_mul(STEP));
        let slots = (0..capacity as u64).map(|index| {
            // The first position at or after the start that falls into this slot.
            let distance = index.wrapping_sub(position) & mask as u64;
            Slot::new(start.wrapping_add(distance * STEP))
        });
        Ring {
            slots: slots.collect(),
            head: CachePadded::new(AtomicU64::new(start)),
            tail: CachePadded::new(AtomicU64::new(start)),
            refused: CachePadded::new(AtomicU64::new(0)),
            displaced: CachePadded::new(AtomicU64::new(0)),
            mask,
        }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// The ring is full or closed; the value comes back.
    ///
    /// # Allocation
    /// None.
    #[inline]
    pub fn push(&self, value: T) -> Result<(), PushError<T>> {
        let backoff = Backoff::new();
        // Relaxed: only a hint which slot to look at. The stamp orders the value, and the move confirms the position.
        let mut tail = self.tail.load(Relaxed);
        loop {
            if tail & CLOSED != 0 {
                self.count_refusals(1);
                return Err(PushError::Closed(value));
            }
            let slot = self.slot(tail);
            let stamp = slot.stamp();
            if stamp == tail {
                // SeqCst: one total order with the fences of `is_full` and `is_empty`. Relaxed on failure: a hint, as above.
                match self.tail.compare_exchange_weak(tail, tail.wrapping_add(STEP), SeqCst, Relaxed) {
                    Ok(_) => {
                        // SAFETY: this thread moved `tail` over this position while its stamp said empty: the slot is
                        // ours until its stamp is released, which `fill` does.
                        unsafe { slot.fill(value, tail.wrapping_add(1)) };
                        return Ok(());
                    }
                    // A retry at once would only take the line from whoever won.
                    Err(now) => {
                        tail = now;
                        backoff.spin();
                    }
                }
            } else {
                if stamp == self.previous_lap(tail) {
                    if self.is_full_at(tail) {
                        self.count_refusals(1);
                        return Err(PushError::Full(value));
                    }
                    backoff.snooze();
                } else {
                    backoff.snooze();
                }
                tail = self.tail.load(Relaxed);
            }
        }
    }

    /// Takes the oldest value.
    ///
    /// # Allocation
    /// None.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        let backoff = Backoff::new();
        // Relaxed: a hint which slot to look at, as in `push`.
        let mut head = self.head.load(Relaxed);
        loop {
            let slot = self.slot(head);
            let stamp = slot.stamp();
            if stamp == head.wrapping_add(1) {
                // SeqCst and Relaxed: as in `push`.
                match self.head.compare_exchange_weak(head, head.wrapping_add(STEP), SeqCst, Relaxed) {
                    // SAFETY: this thread moved `head` over this position while its stamp said that it holds a value: the
                    // slot is ours until its stamp is released, which `empty` does.
                    Ok(_) => return Some(unsafe { slot.empty(self.next_lap(head)) }),
                    Err(now) => {
                        head = now;
                        backoff.spin();
                    }
                }
            } else {
                if stamp == head {
                    if self.is_empty_at(head) {
                        return None;
                    }
                    backoff.snooze();
                } else {
                    backoff.snooze();
                }
                head = self.head.load(Relaxed);
            }
        }
    }

    /// Refuses all further pushes. What is in the ring can still be popped. Whether this call closed it.
    pub fn close(&self) -> bool {
        // SeqCst: in the total order of the pushes' moves, so that a push is either before the closing or refused.
        self.tail.fetch_or(CLOSED, SeqCst) & CLOSED == 0
    }

    /// Whether the ring was closed.
    pub fn is_closed(&self) -> bool {
        // Acquire: what happened before the closing happened before this.
        self.tail.load(Acquire) & CLOSED != 0
    }

    /// Whether nothing can come any more: closed, and every value taken. Exact, as the closing is part of the word that pushes move.
    pub fn is_finished(&self) -> bool {
        // SeqCst: the total order of the moves. Tail first: once closed it stays.
        let tail = self.tail.load(SeqCst);
        tail & CLOSED != 0 && self.head.load(SeqCst) == tail & !CLOSED
    }

    /// For how many values there is room.
    pub fn capacity(&self) -> usize {
        self.mask + 1
    }

    /// How many values there are: exact if nobody pushes or pops meanwhile, otherwise true of some moment during the call.
    pub fn len(&self) -> usize {
        loop {
            // SeqCst: a `tail` that did not change around the reading of `head` belongs to it.
            let tail = self.tail.load(SeqCst);
            let head = self.head.load(SeqCst);
            if self.tail.load(SeqCst) == tail {
                // An overwriting push is ahead by one for a moment.
                return (((tail & !CLOSED).wrapping_sub(head) / STEP) as usize).min(self.capacity());
            }
        }
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// How many values were refused since the ring was made: full and closed, single and in batches. Exact at rest.
    #[doc(alias = "dropped")]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// How many values [`push_overwrite`](Ring::push_overwrite) displaced since the ring was made. Exact at rest.
    pub fn displaced(&self) -> u64 {
        self.displaced.load(Relaxed)
    }

    #[inline(always)]
    fn slot(&self, position: u64) -> &Slot<T> {
        // SAFETY: masked by the number of slots less one, which is a power of two less one.
        unsafe { self.slots.get_unchecked((position / STEP) as usize & self.mask) }
    }

    /// The stamp of a slot for its next push, after the pop at `head`.
    #[inline(always)]
    fn next_lap(&self, head: u64) -> u64 {
        head.wrapping_add(STEP * self.capacity() as u64)
    }

    /// The stamp that the slot of `tail` has while it holds the value of the lap before.
    #[inline(always)]
    fn previous_lap(&self, tail: u64) -> u64 {
        tail.wrapping_sub(STEP * self.capacity() as u64).wrapping_add(1)
    }

    /// Whether the ring was full when `tail`, read before this, was current.
    #[inline(always)]
    fn is_full_at(&self, tail: u64) -> bool {
        // SeqCst: pairs with the SeqCst moves: a `head` read after the fence is not older than `tail`. As `tail` never leads by more than
        // the capacity, a lead of the capacity means that it had not moved on meanwhile.
        fence(SeqCst);
        self.next_lap(self.head.load(Relaxed)) == tail
    }

    /// Whether the ring was empty when `head`, read before this, was current.
    #[inline(always)]
    fn is_empty_at(&self, head: u64) -> bool {
        // SeqCst: as in `is_full_at`, the other way round.
        fence(SeqCst);
        self.tail.load(Relaxed) & !CLOSED == head
    }

    #[inline(always)]
    fn count_refusals(&self, values: usize) {
        // Relaxed: a counter.
        self.refused.fetch_add(values as u64, Relaxed);
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // If a destructor panics, this one goes on with the others; a second panic aborts.
        struct Rest<'a, T>(&'a Ring<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                while self.0.pop().is_some() {}
            }
        }
        if std::mem::needs_drop::<T>() {
            let rest = Rest(self);
            while rest.0.pop().is_some() {}
        }
    }
}

impl<T> fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .field("refused", &self.refused())
            .field("displaced", &self.displaced())
            .finish_non_exhaustive()
    }
}
