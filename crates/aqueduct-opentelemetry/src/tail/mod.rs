//! Tail sampling inside the process: whole local traces are kept or not when their local root has ended.

mod config;
mod held;
mod processor;
mod span;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aqueduct_exec::fork::PerProcess;
use aqueduct_sampling::tail::{Decided, Policies, TailSampler, TailSpan, TailStats};

pub use config::{LocalTailConfig, LocalTailError};
pub(crate) use held::Tails;
pub use processor::LocalTailProcessor;
pub use span::HeldSpan;

/// Holds the items of each local trace until its local root has come, within a number of bytes, and decides then.
///
/// A [`TailSampler`] behind a lock, without a thread: what is due is decided when somebody offers the next item, and in [`drain`](Self::drain). What was decided comes
/// back to the caller, kept or not, and by then the lock is free.
///
/// The items are spans of whatever form; [`LocalTailProcessor`] holds the SDK's.
///
/// A forked child has a tail of its own, which holds nothing and has decided nothing: what was held is its parent's to decide. A tail that was closed stays so.
#[derive(Debug)]
pub struct LocalTail<T> {
    config: LocalTailConfig,
    /// Another thread of the parent may have had the lock, and two processes must not send the same spans.
    state: PerProcess<Mutex<TailSampler<T>>>,
    /// Written and read under the lock, which orders it. Not the process's own: a forked child finds it as it was.
    closed: AtomicBool,
}

impl<T: TailSpan> LocalTail<T> {
    /// Holds nothing yet.
    ///
    /// # Errors
    ///
    /// A policy or a limit that cannot be meant.
    pub fn new(config: &LocalTailConfig) -> Result<Self, LocalTailError> {
        let state = PerProcess::with(Mutex::new(sampler(config)?));
        Ok(LocalTail { config: config.clone(), state, closed: AtomicBool::new(false) })
    }

    /// Takes an item, and gives back what is decided now: its trace, if it is the root and there is no grace, and others that are due or make room for it.
    ///
    /// # Allocation
    ///
    /// The vector of its trace grows now and then; what comes back is in vectors.
    pub fn offer(&self, item: T, now: Instant) -> Vec<Decided<T>> {
        let mut decided = Vec::new();
        let mut state = self.state();
        state.offer(item, now, |trace| decided.push(trace));
        if self.closed.load(Ordering::Relaxed) {
            state.drain(now, |trace| decided.push(trace));
        } else {
            // A root without a grace is due at once.
            state.poll(now, |trace| decided.push(trace));
        }
        decided
    }

    /// Decides all that it holds, as complete as it is. What comes later of these traces follows the decision.
    #[must_use = "what was decided is in it"]
    pub fn drain(&self, now: Instant) -> Vec<Decided<T>> {
        let mut decided = Vec::new();
        self.state().drain(now, |trace| decided.push(trace));
        decided
    }

    /// The same for good: each item that comes later is decided at once.
    #[must_use = "what was decided is in it"]
    pub fn close(&self, now: Instant) -> Vec<Decided<T>> {
        let mut decided = Vec::new();
        let mut state = self.state();
        self.closed.store(true, Ordering::Relaxed);
        state.drain(now, |trace| decided.push(trace));
        decided
    }
}

impl<T: TailSpan> LocalTail<T> {
    fn state(&self) -> MutexGuard<'_, TailSampler<T>> {
        let build = |_: Option<&_>| sampler(&self.config).map(Mutex::new);
        lock(self.state.get_or_try_build(build).expect("the configuration was valid when the tail was made"))
    }
}

impl<T> LocalTail<T> {
    /// What it did so far in this process, and what it holds.
    #[must_use]
    pub fn stats(&self) -> TailStats {
        self.state.get().map(|state| lock(state).stats()).unwrap_or_default()
    }

    /// The most bytes that it may hold.
    pub(crate) fn max_bytes(&self) -> u64 {
        self.config.limits.max_bytes as u64
    }
}

fn sampler<T: TailSpan>(config: &LocalTailConfig) -> Result<TailSampler<T>, LocalTailError> {
    let policies = Policies::new(&config.policies)?;
    Ok(TailSampler::new(config.limits.clone(), policies)?)
}

fn lock<T>(state: &Mutex<TailSampler<T>>) -> MutexGuard<'_, TailSampler<T>> {
    // Only an item's own methods could panic: what was being decided then is lost, the rest stays usable.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
