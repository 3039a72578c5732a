//! The tails before a handle's processors: what they hold the handle cannot deliver, but it can say so.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use aqueduct_exec::fork::PerProcess;

use super::{HeldSpan, LocalTail};

/// The tails of a handle.
#[derive(Debug, Default)]
pub(crate) struct Tails(PerProcess<Mutex<Vec<Tail>>>);

type Tail = Weak<LocalTail<HeldSpan>>;

impl Tails {
    pub(crate) fn add(&self, tail: &Arc<LocalTail<HeldSpan>>) {
        let mut tails = self.tails().lock().unwrap_or_else(PoisonError::into_inner);
        tails.retain(|tail| tail.strong_count() > 0);
        tails.push(Arc::downgrade(tail));
    }

    /// Spans that wait in them.
    pub(crate) fn held_spans(&self) -> u64 {
        let tails = self.tails().lock().unwrap_or_else(PoisonError::into_inner).clone();
        tails.iter().filter_map(Weak::upgrade).map(|tail| tail.stats().held_spans).sum()
    }

    /// A forked child has those of its parent, unless a thread of the parent had the lock, which nobody opens then.
    fn tails(&self) -> &Mutex<Vec<Tail>> {
        self.0.get_or_build(|inherited| {
            let tails = inherited.and_then(|tails| tails.try_lock().ok()).map(|tails| tails.clone());
            Mutex::new(tails.unwrap_or_default())
        })
    }
}
