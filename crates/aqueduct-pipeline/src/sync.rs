//! Where the atomics and locks of the modelled protocols come from: loom, which tries every interleaving, under `--cfg crossbeam_loom`; the
//! standard library otherwise. Only [`crate::slots`] and [`crate::alarm`] go through here.
//!
//! loom has no clock: with it a wait with a deadline is one without.

#[cfg(crossbeam_loom)]
pub(crate) use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
#[cfg(not(crossbeam_loom))]
pub(crate) use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use std::sync::PoisonError;

/// Locks without caring for poison: what these locks guard is whole between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
