//! A sleeper that is woken once, however much there is to wake it for.
//!
//! Whoever leaves work behind a lock arms the alarm afterwards, and wakes the sleeper if it was not armed. The sleeper, before it sleeps, disarms
//! it and looks once more. Both orders of the two are safe: if the work was left before the second look, that look takes the same lock and finds it. If it
//! was left after, the lock has carried the disarming to whoever left it, who therefore finds the alarm disarmed and wakes the sleeper.

use crate::sync::{AtomicBool, Ordering};

/// Whether the sleeper is awake or about to be.
///
/// Written by both sides; the locks that the work is behind order it, as told above, and what is stronger than relaxed here only spares the reader
/// the question.
#[derive(Debug)]
pub(crate) struct Alarm(AtomicBool);

impl Alarm {
    pub(crate) fn new() -> Alarm {
        Alarm(AtomicBool::new(false))
    }

    /// To be called when work was left. Whether the caller has to wake the sleeper: a busy one is not woken for each piece of work.
    #[must_use = "nobody else wakes the sleeper"]
    pub(crate) fn arm(&self) -> bool {
        !self.0.load(Ordering::Acquire) && !self.0.swap(true, Ordering::AcqRel)
    }

    /// Looks for work, which takes the locks that it is behind. `None` if there was none even after disarming: then the sleeper may sleep.
    pub(crate) fn look<T>(&self, look: impl Fn() -> Option<T>) -> Option<T> {
        look().or_else(|| {
            self.0.swap(false, Ordering::AcqRel);
            let found = look();
            if found.is_some() {
                self.0.store(true, Ordering::Release);
            }
            found
        })
    }
}
