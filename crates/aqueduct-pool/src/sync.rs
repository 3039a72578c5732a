//! The one place that atomics, cells, locks and thread-locals come from: loom under `--cfg crossbeam_loom`, core and std otherwise.

#[cfg(crossbeam_loom)]
mod imp {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now as relax;

    /// loom's `thread_local`, which is older than `const` blocks.
    macro_rules! per_thread {
        ($(#[$attribute:meta])* static $name:ident: $type:ty = const $init:block;) => {
            loom::thread_local! { $(#[$attribute])* static $name: $type = $init; }
        };
    }
    pub(crate) use per_thread;
}

#[cfg(not(crossbeam_loom))]
mod imp {
    pub(crate) use core::hint::spin_loop as relax;
    pub(crate) use core::sync::atomic::{AtomicU64, AtomicUsize};
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use std::thread_local as per_thread;

    /// `core::cell::UnsafeCell` with the interface of loom's.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(core::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
            look(self.0.get())
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            change(self.0.get())
        }
    }
}

pub(crate) use core::sync::atomic::Ordering;
pub(crate) use imp::*;

/// Locks, whether or not somebody panicked inside: what our locks guard is consistent at every point that can panic.
#[cfg(not(aqueduct_tsan))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As above, for ThreadSanitizer beside a standard library that is not instrumented: it would not see a lock that is acquired after a wait, because
/// that happens inside of the library, and report what the lock guards.
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

/// A value on cache lines of its own: 128 bytes, because x86 fetches lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);
