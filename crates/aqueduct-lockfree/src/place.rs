//! The place of a thread: a small number that no other living thread has.

#[cfg(not(crossbeam_loom))]
pub(crate) use real::{at_end, known, mine};

/// A place that no cell has.
const NOWHERE: usize = usize::MAX;

/// In a model every thread shares, unless it says where it is: loom runs its threads on one thread of the system.
#[cfg(crossbeam_loom)]
pub(crate) fn mine() -> usize {
    NOWHERE
}

#[cfg(crossbeam_loom)]
pub(crate) use mine as known;

/// No thread of a model has a place that it could leave.
#[cfg(crossbeam_loom)]
pub(crate) fn at_end(_: std::sync::Weak<dyn HandOver>) -> bool {
    false
}

/// What a thread leaves at its place has to go elsewhere before the place is given to another.
pub(crate) trait HandOver: Send + Sync {
    /// Called once by the thread that ends, which has no place any more.
    fn hand_over(&self, place: usize);
}

#[cfg(not(crossbeam_loom))]
mod real {
    use std::cell::{Cell, RefCell};
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;
    use std::sync::{Mutex, MutexGuard, TryLockError, Weak};
    use std::thread;

    use super::{HandOver, NOWHERE};
    use crate::quiet::quietly;

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
        /// What to hand over before.
        left: RefCell<Vec<Weak<dyn HandOver>>>,
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
            Guard { place, left: RefCell::new(Vec::new()) }
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            // From here on this thread has no place; destructors that run later share.
            PLACE.set(NOWHERE);
            for left in self.left.take() {
                if let Some(left) = left.upgrade() {
                    quietly(|| left.hand_over(self.place));
                }
            }
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
    pub(crate) fn mine() -> usize {
        let place = PLACE.get();
        if place == UNKNOWN { find() } else { place }
    }

    /// As [`mine`], but a number that no place has where it was not looked up yet.
    #[inline(always)]
    pub(crate) fn known() -> usize {
        PLACE.get()
    }

    /// Has what the calling thread leaves at its place handed over when it ends. Whether it will be: not at the very end of its life.
    pub(crate) fn at_end(what: Weak<dyn HandOver>) -> bool {
        let remembered = GUARD.try_with(|guard| {
            let mut left = guard.left.borrow_mut();
            // At every doubling, so that a thread that uses many short-lived structures does not remember them for ever.
            if left.len() == left.capacity() {
                left.retain(|left| left.strong_count() > 0);
            }
            left.push(what);
        });
        remembered.is_ok()
    }

    #[cold]
    fn find() -> usize {
        let place = GUARD.try_with(|guard| guard.place).unwrap_or(NOWHERE);
        PLACE.set(place);
        place
    }
}
