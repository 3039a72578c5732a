//! The writing end of a lane.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::credit::Grant;
use super::lane::Lane;
use super::prefetch::{prefetch_to_read, prefetch_to_write};
use super::segment::{Segment, Slot};
use super::shared::Shared;
use crate::PushError;
use crate::sync::Arc;

/// So many items before a grant or the memory ends, more is asked for: then a grant seldom ends with a wait for a line, and the end of a burst,
/// after which the consumer writes those lines, seldom falls between fetching and asking.
pub(super) const EARLY: u64 = 8;
/// So many items before, the lines that asking needs are fetched: the pushes in between take about as long as that.
const PREPARE: u64 = EARLY + 16;

/// So many bytes ahead of the items the lines are fetched that they will be written to: the consumer has had them. Without that a push waits until
/// the store buffer, which is shorter than a line takes to come, has room again.
const FETCH: usize = 1024;
/// So many lines of an item are fetched at most; of a larger one the processor sees what is coming.
const MOST_LINES: usize = 8;
/// As of all processors here. Where lines are longer, some are fetched twice.
const LINE: usize = 64;

/// A producer of a [`Lanes`](crate::Lanes): pushes into a lane of its own.
///
/// It can be sent to another thread, but not shared between threads: make one for each. Dropping it hands what waits in its lane to the
/// consumer; nothing is lost.
///
/// A producer takes credit in advance: a share of what is free, at most 256 items and, over all producers, about half of the threshold that wakes the
/// consumer. What it does not use of that is not available to the others until it is dropped.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<aqueduct_lockfree::Producer<u64>>();
/// ```
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// sent::<aqueduct_lockfree::Producer<std::rc::Rc<u64>>>();
/// ```
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    lane: Arc<Lane<T>>,
    /// The number of the item at which to look at something other than the lane; not before `tail`.
    limit: Cell<u64>,
    /// The slots of `segment`, and their number less one.
    slots: Cell<*const Slot<T>>,
    mask: Cell<u64>,
    /// The segment that takes the next item.
    segment: Cell<*mut Segment<T>>,
    /// The number of the first item that is not granted; not before `tail`.
    granted: Cell<u64>,
    /// How much the credit takes this producer to hold: what it held when it last asked.
    lent: Cell<u64>,
    /// The number of the first item that may still be in use in this segment; not before `tail`.
    room: Cell<u64>,
}

// SAFETY: the items go to the consumer's thread, so T must be Send. The segment that the pointers name is kept alive by the lane until the
// producer has left it; it is reached through this value alone. The cells make it !Sync.
unsafe impl<T: Send> Send for Producer<T> {}

impl<T> Producer<T> {
    /// How many items ahead lines are fetched.
    const AHEAD: u64 = match FETCH.checked_div(size_of::<T>()) {
        None | Some(0) => 1,
        Some(items) => items as u64,
    };
    /// Of so many items one fetches, a power of two: those that lie in a line.
    const EVERY: u64 = match LINE.checked_div(size_of::<T>().next_power_of_two()) {
        None | Some(0) => 1,
        Some(items) => items as u64,
    };
    /// So many lines: those of an item; of items without a size none.
    const LINES: usize = match size_of::<T>().div_ceil(LINE) {
        lines if lines > MOST_LINES => MOST_LINES,
        lines => lines,
    };

    pub(super) fn new(shared: Arc<Shared<T>>) -> Producer<T> {
        let lane = shared.register();
        let segment = lane.segment();
        let producer = Producer {
            shared,
            lane,
            limit: Cell::new(0),
            slots: Cell::new(std::ptr::null()),
            mask: Cell::new(0),
            segment: Cell::new(segment),
            granted: Cell::new(0),
            lent: Cell::new(0),
            room: Cell::new(0),
        };
        producer.enter(segment);
        producer
    }

    /// Pushes an item.
    ///
    /// # Errors
    /// The queue is full or closed; the item comes back, and is counted as refused.
    ///
    /// # Allocation
    /// When the backlog of this lane is larger than it ever was: memory for twice as many items, up to the capacity.
    ///
    /// # Examples
    /// ```
    /// use aqueduct_lockfree::{Lanes, PushError};
    ///
    /// let (lanes, mut consumer) = Lanes::bounded(1);
    /// let producer = lanes.producer();
    /// assert_eq!(producer.push("kept"), Ok(()));
    /// assert_eq!(producer.push("too much"), Err(PushError::Full("too much")));
    /// assert_eq!(consumer.drain(8, &mut Vec::new()), 1);
    /// lanes.close();
    /// assert_eq!(producer.push("too late"), Err(PushError::Closed("too late")));
    /// ```
    #[inline]
    pub fn push(&self, item: T) -> Result<(), PushError<T>> {
        // Relaxed: written by this side only.
        let tail = self.lane.write.tail.load(Relaxed);
        if tail == self.limit.get() || self.shared.is_closed() {
            // A large item is not handed on: it would have to lie in memory for that, in every push, and be copied from there.
            return if size_of::<T>() > size_of::<u64>() {
                self.push_making_room(tail, item)
            } else {
                self.push_slowly(tail, item)
            };
        }
        // SAFETY: before the limit.
        unsafe { self.put(tail, item) };
        Ok(())
    }

    /// Writes an item and releases it.
    ///
    /// # Safety
    /// `tail` is the lane's tail and before the limit: the slot is in the segment, and the consumer is done with it.
    #[inline(always)]
    unsafe fn put(&self, tail: u64, item: T) {
        let (slots, mask) = (self.slots.get(), self.mask.get());
        if tail.is_multiple_of(Self::EVERY) {
            let first = slots.wrapping_add(((tail + Self::AHEAD) & mask) as usize).cast::<u8>();
            (0..Self::LINES).for_each(|line| prefetch_to_write(first.wrapping_add(line * LINE)));
        }
        // SAFETY: masked by the number of slots less one; the segment is alive, see `Send`.
        let slot = unsafe { &*slots.add((tail & mask) as usize) };
        // SAFETY: the slot is ours until `tail` is released past it, see the module `lanes`.
        slot.with_mut(|cell| unsafe { (*cell).write(item) });
        // Release: pairs with the consumer's acquire; who sees the tail sees the item.
        self.lane.write.tail.store(tail + 1, Release);
    }

    #[cold]
    #[inline(never)]
    fn push_slowly(&self, tail: u64, item: T) -> Result<(), PushError<T>> {
        self.push_making_room(tail, item)
    }

    #[inline(always)]
    fn push_making_room(&self, tail: u64, item: T) -> Result<(), PushError<T>> {
        match self.make_room(tail) {
            Ok(much) => {
                // SAFETY: the limit was moved past `tail`, within grant and room.
                unsafe { self.put(tail, item) };
                if much {
                    // Last: it may call the user's notifier, which may come back here.
                    self.rouse();
                }
                Ok(())
            }
            Err(PushError::Full(())) => Err(PushError::Full(item)),
            Err(PushError::Closed(())) => Err(PushError::Closed(item)),
        }
    }

    /// Moves the limit past `tail`, within grant and room, and tells whether so much is in use that the consumer is to be woken after the push. Or
    /// refuses, and counts that. (No more than fits a register, to leave the others to those who call `push` in a loop.)
    #[cold]
    #[inline(never)]
    fn make_room(&self, tail: u64) -> Result<bool, PushError<()>> {
        if self.shared.is_closed() {
            self.retire(tail);
            self.shared.refused_after_closing();
            return Err(PushError::Closed(()));
        }
        let mut used = 0;
        if self.granted.get() - tail <= EARLY {
            used = self.ask(tail);
            if tail == self.granted.get() {
                // Relaxed, both: this side alone writes it; a counter.
                let refused = self.lane.write.refused.load(Relaxed);
                self.lane.write.refused.store(refused + 1, Relaxed);
                self.shared.wake.rouse();
                return Err(PushError::Full(()));
            }
        }
        if self.room.get() - tail <= EARLY {
            self.find_room(tail);
        }
        self.set_limit(tail);
        Ok(used >= self.shared.wake.threshold)
    }

    #[cold]
    #[inline(never)]
    fn rouse(&self) {
        self.shared.wake.rouse_past_threshold();
    }

    /// Sets the limit where grant or room ends or, before that, where to ask for more, unless that was in vain, and where to fetch.
    fn set_limit(&self, tail: u64) {
        let end = self.granted.get().min(self.room.get());
        self.limit.set(if end - tail > PREPARE {
            end - PREPARE
        } else if end - tail > EARLY {
            prefetch_to_write(self.shared.credit.word());
            prefetch_to_read(&raw const self.lane.read.head);
            end - EARLY
        } else {
            end
        });
        debug_assert!(self.limit.get() > tail);
    }

    /// Asks for more credit, and returns how much is in use then; zero if there was none.
    fn ask(&self, tail: u64) -> usize {
        let left = self.granted.get() - tail;
        let spent = self.lent.replace(left) - left;
        // Relaxed: about how many is enough.
        let producers = self.shared.producers.load(Relaxed);
        self.shared.credit.take(producers, spent as usize).map_or(0, |Grant { items, used }| {
            self.granted.set(self.granted.get() + items as u64);
            self.lent.set(left + items as u64);
            used
        })
    }

    /// Finds out how far the consumer is; if that does not help and nothing is left, appends a segment.
    fn find_room(&self, tail: u64) {
        // SAFETY: the segment that takes the next item is alive: the consumer leaves it only for the next one, which is not linked.
        let segment = unsafe { &*self.segment.get() };
        // Acquire: pairs with the consumer's release; the slots before `head` are read.
        let head = self.lane.read.head.load(Acquire).max(segment.start);
        self.room.set(head + segment.capacity());
        if self.room.get() == tail {
            let next = Box::into_raw(Segment::new(2 * segment.slots().len(), tail));
            // Release: pairs with the consumer's acquire; the segment is made.
            segment.next.store(next, Release);
            self.enter(next);
        }
    }

    /// From now on items go into this segment.
    fn enter(&self, segment: *mut Segment<T>) {
        self.segment.set(segment);
        // SAFETY: just made; the consumer does not free the last of a lane.
        let segment = unsafe { &*segment };
        self.slots.set(segment.slots().as_ptr());
        self.mask.set(segment.capacity() - 1);
        self.room.set(segment.start + segment.capacity());
    }

    /// No item will follow.
    fn retire(&self, tail: u64) {
        let grant = self.granted.replace(tail) - tail;
        self.shared.credit.settle(self.lent.replace(0) as usize);
        self.shared.retire(&self.lane, grant);
    }

    /// How many items this producer got accepted.
    pub fn accepted(&self) -> u64 {
        self.lane.write.tail.load(Relaxed)
    }

    /// Whether the queue was closed.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.retire(self.lane.write.tail.load(Relaxed));
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("accepted", &self.accepted())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
