//! Atomics, cells, locks and threads: loom's under `--cfg crossbeam_loom`, the standard ones otherwise.
//!
//! One switch for the whole crate and for crossbeam underneath it. Everything that synchronizes takes its tools from here, so that the
//! models check the code that ships.

#[cfg(crossbeam_loom)]
pub(crate) use loom::{
    cell::UnsafeCell,
    sync::{Arc, Condvar, Mutex, MutexGuard, atomic},
};
#[cfg(not(crossbeam_loom))]
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};

/// A cell with loom's interface and no cost.
#[cfg(not(crossbeam_loom))]
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(crossbeam_loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    /// Calls with a pointer for reading.
    #[inline(always)]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Calls with a pointer for writing.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// Locks, also after a panic of another holder: what these locks guard is never left half-changed.
#[cfg(not(aqueduct_tsan))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// As above, for ThreadSanitizer: a lock that is acquired after a wait is acquired inside of the standard library, which is not instrumented,
/// so that the sanitizer would take what the lock guards for unguarded.
#[cfg(aqueduct_tsan)]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    loop {
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
}
