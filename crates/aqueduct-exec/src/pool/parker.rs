//! One thread's bed: it sleeps until somebody wakes it, a wake that comes early is kept, and further ones change nothing.
//!
//! Own state, own condition variable: the token of `std::thread::park` is shared with every library on the thread.

use std::sync::{Arc, PoisonError};
use std::task::{Wake, Waker};
use std::time::Instant;

use crate::sync::{Condvar, Mutex, lock, thread_local};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Awake,
    Asleep,
    /// Woken, and not noticed yet.
    Woken,
}

#[derive(Debug)]
pub(crate) struct Parker {
    state: Mutex<State>,
    changed: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Parker {
        Parker { state: Mutex::new(State::Awake), changed: Condvar::new() }
    }

    /// Sleeps until woken, or until the deadline. Only the owner calls this.
    pub(crate) fn park(&self, deadline: Option<Instant>) {
        let mut state = lock(&self.state);
        while *state != State::Woken {
            *state = State::Asleep;
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *state = State::Awake;
    }

    /// Wakes the owner, now or when it next parks.
    pub(crate) fn unpark(&self) {
        let before = std::mem::replace(&mut *lock(&self.state), State::Woken);
        if before == State::Asleep {
            self.changed.notify_one();
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}

thread_local! {
    static MINE: Arc<Parker> = Arc::new(Parker::new());
}

/// The bed of a thread that is no worker, and a waker for it.
pub(crate) fn current() -> (Arc<Parker>, Waker) {
    // In the destructors of a thread's locals it may be gone: then one for this wait alone.
    let parker = MINE.try_with(Arc::clone).unwrap_or_else(|_| Arc::new(Parker::new()));
    let waker = Waker::from(Arc::clone(&parker));
    (parker, waker)
}
