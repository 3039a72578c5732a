//! What retrying came to.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of operations under a policy, since they were made. Read and written without locks; the counts are of their own,
/// so two that are read one after the other may be of slightly different moments.
///
/// ```
/// use aqueduct_transport::{Resilient, RetryPolicy, RetryVerdict};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let resilient = Resilient::new(RetryPolicy::default());
/// for answer in [Ok(1), Err("no"), Ok(2), Ok(3)] {
///     let _ = resilient.run_with(|_| async move { answer }, |_| RetryVerdict::GiveUp).await;
/// }
/// assert_eq!(resilient.stats().success_rate(), 0.75);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct RetryStats {
    // Plain counters that guard no other memory, so relaxed access is enough.
    succeeded: AtomicU64,
    gave_up: AtomicU64,
    attempts: AtomicU64,
    retries: AtomicU64,
}

impl RetryStats {
    /// Operations that succeeded, after however many attempts.
    #[must_use]
    pub fn succeeded(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed)
    }

    /// Operations that were given up. One whose future was dropped is in neither count.
    #[must_use]
    pub fn gave_up(&self) -> u64 {
        self.gave_up.load(Ordering::Relaxed)
    }

    /// Attempts that were begun.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Those of them that were not the first of their operation.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// The share of ended operations that succeeded, from 0 to 1; 1 before the first.
    #[must_use]
    pub fn success_rate(&self) -> f64 {
        let (succeeded, gave_up) = (self.succeeded(), self.gave_up());
        if succeeded + gave_up == 0 { 1.0 } else { succeeded as f64 / (succeeded + gave_up) as f64 }
    }

    pub(crate) fn attempt(&self, is_retry: bool) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        if is_retry {
            self.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn ended(&self, succeeded: bool) {
        let count = if succeeded { &self.succeeded } else { &self.gave_up };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
