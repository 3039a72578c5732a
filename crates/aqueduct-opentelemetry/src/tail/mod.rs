//! Tail sampling inside the process: whole local traces are kept or not when their local root has ended.

mod config;
mod processor;
mod span;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aqueduct_sampling::tail::{Decided, Policies, TailSampler, TailSpan, TailStats};

pub use config::{LocalTailConfig, LocalTailError};
pub use processor::LocalTailProcessor;
pub use span::HeldSpan;

/// Holds the items of each local trace until its local root has come, within a number of bytes, and decides then.
///
/// A [`TailSampler`] behind a lock, without a thread: what is due is decided when somebody offers the next item, and in [`drain`](Self::drain). What was decided comes
/// back to the caller, kept or not, and by then the lock is free.
///
/// The items are spans of whatever form; [`LocalTailProcessor`] holds the SDK's.
#[derive(Debug)]
pub struct LocalTail<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    sampler: TailSampler<T>,
    closed: bool,
}

impl<T: TailSpan> LocalTail<T> {
    /// Holds nothing yet.
    ///
    /// # Errors
    ///
    /// A policy or a limit that cannot be meant.
    pub fn new(config: &LocalTailConfig) -> Result<Self, LocalTailError> {
        let policies = Policies::new(&config.policies)?;
        let sampler = TailSampler::new(config.limits.clone(), policies)?;
        Ok(LocalTail { state: Mutex::new(State { sampler, closed: false }) })
    }

    /// Takes an item, and gives back what is decided now: its trace, if it is the root and there is no grace, and others that are due or make room for it.
    ///
    /// # Allocation
    ///
    /// The vector of its trace grows now and then; what comes back is in vectors.
    pub fn offer(&self, item: T, now: Instant) -> Vec<Decided<T>> {
        let mut decided = Vec::new();
        let mut state = self.state();
        state.sampler.offer(item, now, |trace| decided.push(trace));
        if state.closed {
            state.sampler.drain(now, |trace| decided.push(trace));
        } else {
            // A root without a grace is due at once.
            state.sampler.poll(now, |trace| decided.push(trace));
        }
        decided
    }

    /// Decides all that it holds, as complete as it is. What comes later of these traces follows the decision.
    #[must_use = "what was decided is in it"]
    pub fn drain(&self, now: Instant) -> Vec<Decided<T>> {
        let mut decided = Vec::new();
        self.state().sampler.drain(now, |trace| decided.push(trace));
        decided
    }

    /// The same for good: each item that comes later is decided at once.
    #[must_use = "what was decided is in it"]
    pub fn close(&self, now: Instant) -> Vec<Decided<T>> {
        let mut decided = Vec::new();
        let mut state = self.state();
        state.closed = true;
        state.sampler.drain(now, |trace| decided.push(trace));
        decided
    }
}

impl<T> LocalTail<T> {
    /// What it did so far, and what it holds.
    #[must_use]
    pub fn stats(&self) -> TailStats {
        self.state().sampler.stats()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Only an item's own methods could panic: what was being decided then is lost, the rest stays usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("stats", &self.sampler.stats())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
