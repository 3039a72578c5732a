//! Where atomics, locks and threads come from: the model checker under `--cfg crossbeam_loom`, the standard library otherwise.
//!
//! Only what a protocol depends on goes through here. Plain counters of the statistics are the standard library's in both cases:
//! no decision rests upon them, and every one of them would multiply the interleavings.

#[cfg(crossbeam_loom)]
pub(crate) use loom::{
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread,
};
#[cfg(not(crossbeam_loom))]
pub(crate) use std::{
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread,
};

#[cfg(crossbeam_loom)]
pub(crate) use loom::thread_local;
#[cfg(not(crossbeam_loom))]
pub(crate) use std::thread_local;

use std::sync::PoisonError;

/// Locks without caring for poison: no code of a user runs under a lock of this crate without a net under it, and what the locks
/// guard is whole between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
