//! A piece of the queue: an array of slots, and a link to the next piece.

use core::mem;
use core::ptr;

use super::slot::Slot;
use super::wait::Wait;
use crate::sync::atomic::{AtomicPtr, Ordering};

/// What a segment's slots should weigh together: one page, so that the allocation is a small part of the cost of its items.
const BYTES: usize = 4096;

/// An array of slots. Each is used once.
pub(super) struct Segment<T> {
    /// The segment after this one. Written once, by the producer that was given the last slot, before it fills that slot; read by the
    /// consumer that was given it.
    next: AtomicPtr<Segment<T>>,
    slots: Box<[Slot<T>]>,
}

impl<T> Segment<T> {
    /// How many indices a segment stands for: a power of two, so that indices may wrap around. The last one has no slot; see
    /// [`Position`](super::position::Position).
    pub(super) const LAP: usize = if cfg!(crossbeam_loom) {
        2
    } else {
        let fit = BYTES / mem::size_of::<Slot<T>>();
        if fit < 8 {
            8
        } else if fit > 256 {
            256
        } else {
            // The power of two below.
            (fit + 1).next_power_of_two() / 2
        }
    };

    /// How many slots a segment has.
    pub(super) const SLOTS: usize = Self::LAP - 1;

    pub(super) fn boxed() -> Box<Segment<T>> {
        Box::new(Segment { next: AtomicPtr::new(ptr::null_mut()), slots: slots(Self::SLOTS) })
    }

    /// The slot of an index.
    ///
    /// # Safety
    /// `offset` is below [`SLOTS`](Segment::SLOTS).
    #[inline]
    pub(super) unsafe fn slot(&self, offset: usize) -> &Slot<T> {
        debug_assert!(offset < self.slots.len());
        // SAFETY: the slice has SLOTS elements.
        unsafe { self.slots.get_unchecked(offset) }
    }

    pub(super) fn link(&self, next: *mut Segment<T>) {
        // Release: partner is the Acquire in `successor`, which reads the segment.
        self.next.store(next, Ordering::Release);
    }

    /// The next segment; waits for the producer that is about to link it.
    ///
    /// # Safety
    /// The last slot was given to a producer.
    pub(super) unsafe fn successor(&self) -> *mut Segment<T> {
        let mut wait = Wait::new();
        loop {
            // Acquire: partner is the Release in `link`.
            let next = self.next.load(Ordering::Acquire);
            if !next.is_null() {
                return next;
            }
            wait.for_another();
        }
    }
}

#[cfg(not(crossbeam_loom))]
fn slots<T>(count: usize) -> Box<[Slot<T>]> {
    use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

    let layout = Layout::array::<Slot<T>>(count).expect("a few slots fit into the address space");
    // SAFETY: a slot has a flag and `count` is at least 1, so the layout is not empty.
    let memory = unsafe { alloc_zeroed(layout) }.cast::<Slot<T>>();
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    // Zeroed in place, because a slot may be too large for the stack.
    // SAFETY: the memory has the layout of the slice and comes from the global allocator; zero is `false`, and an uninitialised value
    // may be any bytes.
    unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(memory, count)) }
}

#[cfg(crossbeam_loom)]
fn slots<T>(count: usize) -> Box<[Slot<T>]> {
    (0..count).map(|_| Slot::new()).collect()
}
