//! When the consumer sleeps and who wakes it.
//!
//! ```text
//!            wait                 rouse, by whoever swaps first, then signals the condition variable
//!  AWAKE  --------->  ASLEEP  ------------------------------------------------------------------->  AWAKE
//!            arm                  rouse, by whoever swaps first, then calls the notifier
//!  AWAKE  --------->  ARMED   ------------------------------------------------------------------->  AWAKE
//! ```
//!
//! The consumer announces sleep, then looks at the lanes once more, and stays awake if half of the threshold waits there. A producer takes a grant,
//! then looks at the state if the credit in use, its grant included, reaches the threshold. Between announcing and looking, and between taking
//! and looking, stands a SeqCst fence on each side: one of the two sees the other. As producers hold at most half of the threshold in
//! grants, a backlog of the threshold needs a grant that was taken after the announcement. That the consumer is woken is thus
//! certain; a deadline is there for backlogs below the threshold.
//!
//! As long as the consumer is awake the state does not change, and looking at it costs a producer a load from its own cache.

use std::fmt;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::time::Instant;

use crossbeam_utils::CachePadded;

use super::config::Notify;
use crate::sync::atomic::{AtomicBool, AtomicU32, fence};
use crate::sync::{Condvar, Mutex, lock};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;
const ARMED: u32 = 2;

pub(super) struct Wake {
    /// One of the above. Set to `ASLEEP` or `ARMED` by the consumer, swapped back by whoever wakes it or by itself.
    state: CachePadded<AtomicU32>,
    /// Somebody asked for the present or next wait to end. Set by anybody, swapped back by the consumer.
    nudged: AtomicBool,
    /// Guards nothing but the way from looking at `state` to waiting.
    mutex: Mutex<()>,
    condition: Condvar,
    notify: Option<Notify>,
    /// How much credit in use wakes.
    pub(super) threshold: usize,
}

impl Wake {
    pub(super) fn new(threshold: usize, notify: Option<Notify>) -> Wake {
        Wake {
            state: CachePadded::new(AtomicU32::new(AWAKE)),
            nudged: AtomicBool::new(false),
            mutex: Mutex::new(()),
            condition: Condvar::new(),
            notify,
            threshold,
        }
    }

    /// How many waiting items are worth draining without sleeping.
    pub(super) fn enough(&self) -> usize {
        self.threshold.div_ceil(2)
    }

    /// Wakes the consumer if it sleeps; for a producer that took the threshold's credit or found none.
    #[inline]
    pub(super) fn rouse_past_threshold(&self) {
        // SeqCst: pairs with the fence of `announce`.
        fence(SeqCst);
        self.rouse();
    }

    /// Wakes the consumer if it sleeps.
    #[inline]
    pub(super) fn rouse(&self) {
        // Relaxed: a hint that keeps the line shared while there is nobody to wake; the fences make it fresh where that matters.
        if self.state.load(Relaxed) != AWAKE {
            self.rouse_sleeper();
        }
    }

    #[cold]
    fn rouse_sleeper(&self) {
        // AcqRel: who swaps first wakes, and the consumer that sees `AWAKE` comes after what this thread did.
        match self.state.swap(AWAKE, AcqRel) {
            ASLEEP => {
                // The consumer either has not looked at the state yet or waits already.
                drop(lock(&self.mutex));
                self.condition.notify_one();
            }
            ARMED => {
                if let Some(notify) = &self.notify {
                    #[cfg(not(crossbeam_loom))]
                    let _guard = super::local::Notifying::begin();
                    notify();
                }
            }
            _ => {}
        }
    }

    /// Ends the present or the next wait.
    pub(super) fn nudge(&self) {
        // Release: pairs with the acquire of `take_nudge`.
        self.nudged.store(true, Release);
        self.rouse_past_threshold();
    }

    /// Whether a nudge came since the last call; for the consumer.
    pub(super) fn take_nudge(&self) -> bool {
        // Acquire: pairs with the release of `nudge`. The load keeps the line clean in the usual case.
        self.nudged.load(Acquire) && self.nudged.swap(false, Acquire)
    }

    /// Says that the consumer is going to sleep; from here on it may be woken. The caller looks at the lanes, then goes on or stays awake.
    pub(super) fn announce(&self, armed: bool) {
        // Relaxed, then SeqCst: the fence pairs with that of `rouse_past_threshold`.
        self.state.store(if armed { ARMED } else { ASLEEP }, Relaxed);
        fence(SeqCst);
    }

    /// The consumer thought better of sleeping, or has slept.
    pub(super) fn stay_awake(&self) {
        // Acquire: pairs with the swap of a waker, if one was faster.
        self.state.swap(AWAKE, Acquire);
    }

    /// Sleeps until woken or until `deadline`; after `announce(false)`.
    pub(super) fn sleep(&self, deadline: Instant) {
        let mut guard = lock(&self.mutex);
        // Acquire: pairs with the swap of the waker.
        while self.state.load(Acquire) == ASLEEP {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            guard = match self.condition.wait_timeout(guard, left) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        drop(guard);
        self.stay_awake();
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake")
            .field("state", &self.state)
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}
