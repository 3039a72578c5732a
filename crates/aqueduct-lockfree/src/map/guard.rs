//! What keeps values alive while somebody reads them.

use crate::quiet::quietly;
use core::fmt;

use crossbeam_epoch as epoch;

/// Keeps alive, as long as it lives, every value that its thread has got from a map of this crate.
///
/// Making one costs as much as the processor takes for a full fence behind a store to this thread's own memory, 3 to 8 ns; nothing shared is
/// written, but that each 128th pin looks at the other threads, which comes to 3 ns more for each where two threads pin all the time. 1 ns if the thread
/// already has one. Values that are replaced or removed are dropped once every guard that existed then is gone: a guard that
/// lives for long lets garbage pile up, of all maps in the process. Keep it for a batch of lookups, not for the life of a thread, and
/// [`refresh`](Guard::refresh) it between batches.
///
/// It stays in its thread:
///
/// ```compile_fail,E0277
/// fn send<T: Send>() {}
/// send::<aqueduct_lockfree::map::Guard>();
/// ```
pub struct Guard(epoch::Guard);

impl Guard {
    /// Pins the calling thread. Wait-free, but for the thread's first: that allocates and registers the thread. Each 128th of a
    /// thread also drops some of what has become garbage.
    #[inline]
    #[must_use]
    pub fn pin() -> Guard {
        // Always the default collector: maps retire to it, so a guard of this type protects their values, whichever map it is used with.
        Guard(epoch::pin())
    }

    /// Lets go of everything and pins anew, as dropping it and making another would.
    pub fn refresh(&mut self) {
        self.0.repin();
    }

    /// Hands this thread's garbage to the collector and drops what is due.
    pub fn flush(&self) {
        self.0.flush();
    }

    /// Calls `free` when no guard of today is left, on whichever thread that is found out.
    ///
    /// # Safety
    /// What `free` frees is not found by threads that pin from now on, and nobody else frees it. It may be sent to any thread, and outlives every
    /// borrow in it, because that may be any time later.
    pub(super) unsafe fn defer(&self, free: impl FnOnce()) {
        let free = move || {
            // A destructor that panics must not do so in the middle of another thread's lookup. The panic hook has reported it.
            quietly(free);
        };
        // SAFETY: the caller vouches for being called elsewhere and later.
        unsafe { self.0.defer_unchecked(free) };
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
