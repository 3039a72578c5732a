//! A thread that waits for a future.
//!
//! Not by `thread::park`: its token belongs to whoever else parks the thread, such as an executor in whose task a caller waits here.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

/// Set by a waker, waited for by one thread.
#[derive(Debug, Default)]
pub(super) struct Signal {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Waits until it is set, until then at the latest, and unsets it.
    pub(super) fn wait(&self, until: Option<Instant>) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        while !*set {
            set = match until {
                None => self.changed.wait(set).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.changed.wait_timeout(set, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *set = false;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

/// Waits for a future on this thread; `None` if the deadline passes first.
pub(super) fn block_until<F: Future + Unpin>(future: &mut F, deadline: Option<Instant>) -> Option<F::Output> {
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = Pin::new(&mut *future).poll(&mut context) {
            return Some(output);
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return None;
        }
        signal.wait(deadline);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Guards idle threads: a wake is worth one return, and without one the thread waits for its time.
    #[test]
    fn a_wake_ends_one_wait() {
        let signal = Arc::new(Signal::default());
        Waker::from(Arc::clone(&signal)).wake();
        signal.wait(None);
        let until = Instant::now() + Duration::from_millis(5);
        signal.wait(Some(until));
        assert!(Instant::now() >= until);
    }

    /// Guards waiting with a deadline: what is ready in time is returned, and what never is, is not waited for.
    #[test]
    fn blocking_ends_at_the_deadline() {
        let past = Some(Instant::now());
        assert_eq!(block_until(&mut std::future::ready(7), past), Some(7));
        assert_eq!(block_until(&mut std::future::pending::<u32>(), past), None);
    }
}
