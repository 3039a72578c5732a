//! Where atomics, locks and threads come from: loom, which tries every interleaving, under `--cfg crossbeam_loom`; shuttle, which tries
//! random ones, under `--cfg aqueduct_shuttle`; the standard library otherwise.
//!
//! Only what a protocol depends on goes through here. Plain counters of the statistics are the standard library's in all cases:
//! no decision rests upon them, and every one of them would multiply the interleavings.
//!
//! Neither checker has a clock: a deadline is over at once or never comes. Shuttle knows sequential consistency only, so the orderings
//! are loom's to check. crossbeam-deque is the real one under shuttle: each of its operations is one step there.

#[cfg(crossbeam_loom)]
pub(crate) use loom::{
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread, thread_local,
};
#[cfg(aqueduct_shuttle)]
pub(crate) use shuttle::{
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread, thread_local,
};
#[cfg(not(any(aqueduct_shuttle, crossbeam_loom)))]
pub(crate) use std::{
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread, thread_local,
};

use std::sync::PoisonError;

/// Locks without caring for poison: no code of a user runs under a lock of this crate without a net under it, and what the locks
/// guard is whole between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
