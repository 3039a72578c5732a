//! A piece of a lane's memory: a ring of slots, and the way to the next piece.
//!
//! Items are numbered from 0 through the life of a lane. A segment holds those from its `start` to the `start` of the next one; the item `n` lies in
//! the slot `n` modulo the number of slots. 2^64 items are not reached in any life, so numbers do not wrap.

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;

use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicPtr;

/// A slot. The producer owns it while its item is at or past `tail`, the consumer while it is between `head` and `tail`.
pub(super) type Slot<T> = UnsafeCell<MaybeUninit<T>>;

pub(super) struct Segment<T> {
    slots: Box<[Slot<T>]>,
    /// The number of the first item that was put here.
    pub(super) start: u64,
    /// Null until the producer appends the next segment, before it releases a `tail` past that one's start. Followed by the consumer.
    pub(super) next: AtomicPtr<Segment<T>>,
}

impl<T> Segment<T> {
    pub(super) fn new(slots: usize, start: u64) -> Box<Segment<T>> {
        debug_assert!(slots.is_power_of_two());
        Box::new(Segment { slots: vacant(slots), start, next: AtomicPtr::new(ptr::null_mut()) })
    }

    pub(super) fn slots(&self) -> &[Slot<T>] {
        &self.slots
    }

    pub(super) fn capacity(&self) -> u64 {
        self.slots.len() as u64
    }

    /// The slots of the items from `from` on, `count` at most, as far as they are neighbours.
    pub(super) fn run(&self, from: u64, count: u64) -> &[Slot<T>] {
        let first = (from & (self.capacity() - 1)) as usize;
        let count = count.min((self.slots.len() - first) as u64) as usize;
        &self.slots[first..first + count]
    }
}

/// Slots without items. Nothing is written, and large items do not pass over the stack.
#[cfg(not(crossbeam_loom))]
fn vacant<T>(slots: usize) -> Box<[Slot<T>]> {
    // SAFETY: a slot is a `MaybeUninit` in transparent wrappers, for which no initialization is needed.
    unsafe { Box::new_uninit_slice(slots).assume_init() }
}

/// Slots without items, each made known to loom.
#[cfg(crossbeam_loom)]
fn vacant<T>(slots: usize) -> Box<[Slot<T>]> {
    (0..slots).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect()
}

/// Moves the items of `slots` to the end of `out`.
///
/// # Safety
/// The caller owns the slots, each holds an item, and forgets them afterwards; `out` has room for them.
pub(super) unsafe fn move_out<T>(slots: &[Slot<T>], out: &mut Vec<T>) {
    let len = out.len();
    debug_assert!(out.capacity() - len >= slots.len());
    // SAFETY: within the room that the caller vouches for.
    let end = unsafe { out.as_mut_ptr().add(len) };
    #[cfg(not(crossbeam_loom))]
    // SAFETY: a slot is a `T` in transparent wrappers; the caller owns all of them, each is initialized, and they are not in the vector.
    unsafe {
        ptr::copy_nonoverlapping(slots.as_ptr().cast::<T>(), end, slots.len());
    }
    #[cfg(crossbeam_loom)]
    for (index, slot) in slots.iter().enumerate() {
        // SAFETY: as above, one by one, so that loom sees each access.
        slot.with(|cell| unsafe { end.add(index).write((*cell).assume_init_read()) });
    }
    // SAFETY: so many were written.
    unsafe { out.set_len(len + slots.len()) };
}

/// Drops the items of `slots`; all of them, also if a destructor panics.
///
/// # Safety
/// The caller owns the slots, each holds an item, and forgets them afterwards.
pub(super) unsafe fn drop_out<T>(slots: &[Slot<T>]) {
    struct Rest<'a, T>(std::slice::Iter<'a, Slot<T>>);
    impl<T> Rest<'_, T> {
        fn go(&mut self) {
            for slot in self.0.by_ref() {
                // SAFETY: the caller of `drop_out` owns the slot and vouches for the item; the iterator yields it once.
                slot.with_mut(|cell| unsafe { (*cell).assume_init_drop() });
            }
        }
    }
    impl<T> Drop for Rest<'_, T> {
        fn drop(&mut self) {
            self.go();
        }
    }
    if std::mem::needs_drop::<T>() {
        Rest(slots.iter()).go();
    }
}

impl<T> fmt::Debug for Segment<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("start", &self.start)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
