//! When a failed batch is tried again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ConfigError;

type Delay = Arc<dyn Fn(u32) -> Duration + Send + Sync>;

/// How often a batch is tried, and how long it waits before each further attempt.
///
/// Random numbers are the caller's: a delay with jitter is a function given to [`Retry::by`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_batch::Retry;
///
/// let retry = Retry::exponential(3, Duration::from_millis(100), Duration::from_secs(1));
/// assert_eq!(retry.delay_after(1), Some(Duration::from_millis(100)));
/// assert_eq!(retry.delay_after(2), Some(Duration::from_millis(200)));
/// assert_eq!(retry.delay_after(3), None, "three attempts in all");
///
/// // Every delay the same, ten attempts.
/// let steady = Retry::by(10, |_attempt| Duration::from_secs(1));
/// assert_eq!(steady.delay_after(9), Some(Duration::from_secs(1)));
/// ```
#[derive(Clone)]
pub struct Retry {
    attempts: u32,
    delay: Delay,
}

impl Default for Retry {
    /// Five attempts, 100 ms after the first, twice as long after each further one.
    fn default() -> Self {
        Retry::exponential(5, Duration::from_millis(100), Duration::from_secs(5))
    }
}

impl Retry {
    /// One attempt: a batch that fails has failed.
    pub fn none() -> Self {
        Retry::by(1, |_| Duration::ZERO)
    }

    /// So many attempts in all; the delay doubles from `initial` up to `cap`.
    pub fn exponential(attempts: u32, initial: Duration, cap: Duration) -> Self {
        Retry::by(attempts, move |attempt| {
            // From 2^32 on any delay is beyond the cap that means something.
            let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
            initial.saturating_mul(factor).min(cap)
        })
    }

    /// So many attempts in all; `delay` is given the number of attempts that were made, from 1 on. It runs on the thread or executor that
    /// handles the batches.
    pub fn by(attempts: u32, delay: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Self {
        Retry { attempts, delay: Arc::new(delay) }
    }

    /// How long to wait after so many failed attempts; `None` if there is no further one.
    pub fn delay_after(&self, attempts: u32) -> Option<Duration> {
        (attempts < self.attempts).then(|| (self.delay)(attempts))
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.attempts == 0 { Err(ConfigError::ZeroAttempts) } else { Ok(()) }
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}
