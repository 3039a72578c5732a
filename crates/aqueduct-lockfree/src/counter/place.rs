//! The place of a thread: a small number that no other living thread has.

#[cfg(not(crossbeam_loom))]
pub(super) use real::mine;

/// A place that no cell has.
const NOWHERE: usize = usize::MAX;

/// In a model every thread shares, unless it says where it is: loom runs its threads on one thread of the system.
#[cfg(crossbeam_loom)]
pub(super) fn mine() -> usize {
    NOWHERE
}

#[cfg(not(crossbeam_loom))]
mod real {
    use std::cell::Cell;
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;
    use std::sync::{Mutex, MutexGuard, TryLockError};
    use std::thread;

    use super::NOWHERE;

    /// Not looked up yet.
    const UNKNOWN: usize = usize::MAX - 1;

    /// The places that ended threads have left, and the first that nobody had.
    struct Places {
        free: BinaryHeap<Reverse<usize>>,
        next: usize,
    }

    static PLACES: Mutex<Places> = Mutex::new(Places { free: BinaryHeap::new(), next: 0 });

    thread_local! {
        /// The place, beside the guard, so that looking it up needs no check for destruction.
        static PLACE: Cell<usize> = const { Cell::new(UNKNOWN) };
        static GUARD: Guard = Guard::new();
    }

    /// Gives the place back at the end of the thread.
    struct Guard {
        place: usize,
    }

    impl Guard {
        fn new() -> Guard {
            // The lowest first: it is the most likely to have a cell.
            let place = places().map_or(NOWHERE, |mut places| match places.free.pop() {
                Some(Reverse(place)) => place,
                None => {
                    places.next += 1;
                    places.next - 1
                }
            });
            Guard { place }
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            // From here on this thread has no place; destructors that run later share.
            PLACE.set(NOWHERE);
            if self.place != NOWHERE
                && let Some(mut places) = places()
            {
                places.free.push(Reverse(self.place));
            }
        }
    }

    /// The list, if it can be had. Whoever holds its lock does so for some nanoseconds, so after this many looks it is held by a thread that does not
    /// exist: this is a process that was forked at such a moment. Its new threads share.
    fn places() -> Option<MutexGuard<'static, Places>> {
        for _ in 0..10_000 {
            match PLACES.try_lock() {
                Ok(places) => return Some(places),
                // Nothing panics while holding it.
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => thread::yield_now(),
            }
        }
        None
    }

    /// The place of the calling thread; [`NOWHERE`] at the very end of its life.
    #[inline(always)]
    pub(in crate::counter) fn mine() -> usize {
        let place = PLACE.get();
        if place == UNKNOWN { find() } else { place }
    }

    #[cold]
    fn find() -> usize {
        let place = GUARD.try_with(|guard| guard.place).unwrap_or(NOWHERE);
        PLACE.set(place);
        place
    }
}
