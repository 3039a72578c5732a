//! A slot of a ring: a value and the stamp that says whose it is.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{Acquire, Release};

use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicU64;

pub(super) struct Slot<T> {
    /// See the table in the module `ring`. Written by the thread that owns the slot when it is done with it; read by all.
    stamp: AtomicU64,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    pub(super) fn new(stamp: u64) -> Slot<T> {
        Slot { stamp: AtomicU64::new(stamp), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Acquire: pairs with the release in `fill` (the value is there) and in `empty` (the value is out).
    #[inline(always)]
    pub(super) fn stamp(&self) -> u64 {
        self.stamp.load(Acquire)
    }

    /// Puts a value in and hands the slot over.
    ///
    /// # Safety
    /// The calling thread owns the slot, which holds no value.
    #[inline(always)]
    pub(super) unsafe fn fill(&self, value: T, stamp: u64) {
        // SAFETY: the caller owns the slot, so nobody else touches the cell until the stamp below is released.
        self.value.with_mut(|cell| unsafe { (*cell).write(value) });
        // Release: pairs with `stamp`; who sees it sees the value.
        self.stamp.store(stamp, Release);
    }

    /// Takes the value out and hands the slot over.
    ///
    /// # Safety
    /// The calling thread owns the slot, which holds a value.
    #[inline(always)]
    pub(super) unsafe fn empty(&self, stamp: u64) -> T {
        // SAFETY: the caller owns the slot and vouches for the value, which is not read again: the new stamp says empty.
        let value = self.value.with(|cell| unsafe { (*cell).assume_init_read() });
        // Release: pairs with `stamp`; who sees it comes after the reading.
        self.stamp.store(stamp, Release);
        value
    }

    /// Takes the value out and puts another in.
    ///
    /// # Safety
    /// The calling thread owns the slot, which holds a value.
    #[inline(always)]
    pub(super) unsafe fn exchange(&self, value: T, stamp: u64) -> T {
        // SAFETY: as in `empty`; the cell is written again by the same owner.
        let old = self.value.with(|cell| unsafe { (*cell).assume_init_read() });
        // SAFETY: the same owner, and the slot holds no value now.
        unsafe { self.fill(value, stamp) };
        old
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
