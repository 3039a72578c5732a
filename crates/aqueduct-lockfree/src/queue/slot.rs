//! One place for one item, filled by one producer and emptied by one consumer.
//!
//! Indices are handed out once, so a slot has one producer and one consumer. `value` belongs to the producer while the slot is not
//! full, and to the consumer from then on. The slot is not used a second time.

use core::mem::MaybeUninit;

use super::wait::Wait;
use crate::sync::UnsafeCell;
use crate::sync::atomic::{AtomicBool, Ordering};

/// A place for an item. All bits zero is an empty one, which [`Segment`](super::segment::Segment) relies on.
pub(super) struct Slot<T> {
    /// Whether the item is there. Written once, by the producer; read by the consumer.
    full: AtomicBool,
    /// Initialised from when `full` is set until the consumer has read it.
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    #[cfg(crossbeam_loom)]
    pub(super) fn new() -> Slot<T> {
        Slot { full: AtomicBool::new(false), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Fills the slot. It may be gone when this returns: once it is full, the consumer may free it.
    ///
    /// # Safety
    /// The caller is the only producer of this slot, and calls this once.
    #[inline]
    pub(super) unsafe fn put(&self, item: T) {
        // SAFETY: not full, so the value is the producer's.
        self.value.with_mut(|value| unsafe { (*value).write(item) });
        // Release: partner is the Acquire in `take`, which then reads the value.
        self.full.store(true, Ordering::Release);
    }

    /// Takes the item, and waits for it if the producer has its index and is about to fill the slot.
    ///
    /// # Safety
    /// The caller is the only consumer of this slot, calls this once, and a producer was given the slot.
    #[inline]
    pub(super) unsafe fn take(&self) -> T {
        let mut wait = Wait::new();
        // Acquire: partner is the Release in `put`.
        while !self.full.load(Ordering::Acquire) {
            wait.for_another();
        }
        // SAFETY: full means initialised, the only consumer is us, and this happens once.
        self.value.with(|value| unsafe { (*value).assume_init_read() })
    }
}
