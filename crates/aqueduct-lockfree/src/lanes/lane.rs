//! One producer's lane, as both sides see it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crossbeam_utils::CachePadded;

use super::segment::{Segment, drop_out, move_out};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64};

pub(super) struct Lane<T> {
    pub(super) write: CachePadded<WriteSide>,
    pub(super) read: CachePadded<ReadSide<T>>,
    /// The items are this lane's, behind pointers that hide it: not to be sent just so.
    _items: PhantomData<*mut T>,
}

// SAFETY: a lane carries items from the producer's thread to the consumer's or drops them on whichever thread drops it last, so T must be Send.
// Each field says who writes it, and the slots are handed over by `tail` and `head`; nobody gets a reference to an item in the lane.
unsafe impl<T: Send> Send for Lane<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Lane<T> {}

/// What the producer writes, on a line of its own.
#[derive(Debug)]
pub(super) struct WriteSide {
    /// How many items were pushed. Written by the producer, after the item; read by the consumer and by statistics.
    pub(super) tail: AtomicU64,
    /// How many were refused. Written by the producer; read by statistics.
    pub(super) refused: AtomicU64,
    /// The producer is gone, `tail` is final. Written once by the producer, read by the consumer.
    pub(super) done: AtomicBool,
}

/// What the consumer writes, on a line of its own.
#[derive(Debug)]
pub(super) struct ReadSide<T> {
    /// How many items were taken. Written by the consumer, after the items are out; read by the producer when its memory seems full, and by
    /// statistics.
    pub(super) head: AtomicU64,
    /// The segment of the item `head`, or the one before if that is used up. Only the consumer touches it, then whoever drops the lane.
    segment: AtomicPtr<Segment<T>>,
}

impl<T> Lane<T> {
    /// A lane with one segment, which lives until the consumer moves on or the lane is dropped.
    pub(super) fn new(slots: usize) -> Lane<T> {
        Lane {
            write: CachePadded::new(WriteSide {
                tail: AtomicU64::new(0),
                refused: AtomicU64::new(0),
                done: AtomicBool::new(false),
            }),
            read: CachePadded::new(ReadSide {
                head: AtomicU64::new(0),
                segment: AtomicPtr::new(Box::into_raw(Segment::new(slots, 0))),
            }),
            _items: PhantomData,
        }
    }

    /// The first segment; for the producer when it is made.
    pub(super) fn segment(&self) -> *mut Segment<T> {
        // Relaxed: handed out before the lane is shared.
        self.read.segment.load(Relaxed)
    }

    /// How many items wait, seen from anywhere: exact at rest.
    pub(super) fn waiting(&self) -> u64 {
        // Relaxed, head first: a count. The tail read later is not behind it.
        let head = self.read.head.load(Relaxed);
        self.write.tail.load(Relaxed).saturating_sub(head)
    }

    /// Takes up to `max` items and returns how many.
    ///
    /// # Safety
    /// Only the consumer calls this, from one thread at a time.
    pub(super) unsafe fn take(&self, max: usize, out: &mut Vec<T>) -> usize {
        let count = self.waiting().min(max as u64) as usize;
        if count == 0 {
            return 0;
        }
        // Before anything is taken: if this panics, nothing is lost.
        out.reserve(count);
        // SAFETY: as for this function; each run is moved out whole, and there is room for `count` items.
        unsafe { self.runs(count as u64, |slots| move_out(slots, out)) }
    }

    /// Drops all waiting items and returns how many there were.
    ///
    /// # Safety
    /// Only the consumer calls this, from one thread at a time.
    pub(super) unsafe fn discard(&self) -> usize {
        // SAFETY: as for this function; each run is dropped whole.
        unsafe { self.runs(u64::MAX, |slots| drop_out(slots)) }
    }

    /// Visits up to `max` waiting items in runs of neighbours, and counts each run as taken when `visit` returns or panics.
    ///
    /// # Safety
    /// Only the consumer calls this, from one thread at a time, or whoever has the lane alone. `visit` moves the items out; if it panics before, they leak.
    unsafe fn runs(&self, max: u64, mut visit: impl FnMut(&[super::segment::Slot<T>])) -> usize {
        // Acquire: pairs with the producer's release; up to this tail the items and the segments they lie in are there.
        let tail = self.write.tail.load(Acquire);
        // Relaxed, both: written by this side only.
        let mut head = self.read.head.load(Relaxed);
        let from = head;
        let end = tail.min(head.saturating_add(max));
        while head < end {
            let current = self.read.segment.load(Relaxed);
            // SAFETY: the consumer's segment lives until the consumer frees it, below.
            let segment = unsafe { &*current };
            // Acquire: pairs with the producer's release of the link; the segment behind it is made. It is linked before a tail past its start is
            // released, so null here means that all up to `tail` is in this one.
            let next = segment.next.load(Acquire);
            // SAFETY: a linked segment lives until the consumer has moved to it and past it.
            let limit = if next.is_null() { end } else { unsafe { (*next).start }.min(end) };
            if head == limit {
                self.read.segment.store(next, Relaxed);
                // SAFETY: made by `Box::into_raw`. The producer left it when it linked the next one; the consumer leaves it now.
                drop(unsafe { Box::from_raw(current) });
                continue;
            }
            let slots = segment.run(head, limit - head);
            head += slots.len() as u64;
            let taken = Taken { lane: self, head };
            visit(slots);
            drop(taken);
        }
        (head - from) as usize
    }
}

/// Releases `head`, also if the visit panics: the items were handed over.
struct Taken<'a, T> {
    lane: &'a Lane<T>,
    head: u64,
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        // Release: pairs with the producer's acquire; it may write the slots again.
        self.lane.read.head.store(self.head, Release);
    }
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        struct Rest<'a, T>(&'a Lane<T>);
        impl<T> Rest<'_, T> {
            fn go(&self) {
                // SAFETY: the lane is being dropped: this thread has it alone.
                unsafe { self.0.discard() };
            }
        }
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.go();
                // The producer may have linked one more and put nothing there.
                let mut segment = self.0.segment();
                while !segment.is_null() {
                    // SAFETY: made by `Box::into_raw`; alone, as above.
                    let last = unsafe { Box::from_raw(segment) };
                    segment = last.next.load(Relaxed);
                }
            }
        }
        Rest(self).go();
    }
}

impl<T> fmt::Debug for Lane<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("write", &self.write)
            .field("head", &self.read.head)
            .finish_non_exhaustive()
    }
}
