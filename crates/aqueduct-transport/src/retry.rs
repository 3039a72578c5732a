//! How long to wait before the next attempt: arithmetic only, no clock and no random numbers of its own; and, in
//! [`run`], a policy around an operation.

mod run;
mod stats;

use std::time::Duration;

pub use run::{Completed, GaveUp, GaveUpReason, RetryVerdict, Retryable};
pub use stats::RetryStats;

/// How the computed delay is spread at random, so that clients that failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Jitter {
    /// Anything from nothing to the computed delay, evenly. Spreads a crowd best (Brooker, "Exponential Backoff And
    /// Jitter", 2015).
    Full,
    /// The computed delay, more or less by this fraction of it, from 0 to 1: `Proportional(0.25)` is ±25 %.
    Proportional(f64),
    /// No spreading. The specification demands jitter; this is for tests.
    None,
}

/// Exponential back-off with jitter: how long to wait after the n-th failure in a row.
///
/// [`delay`](Self::delay) and [`allows`](Self::allows) are sans-I/O: waiting and choosing the random number are the
/// caller's. [`run`](Self::run) does it all, for any operation.
///
/// ```
/// use std::time::Duration;
/// use aqueduct_transport::RetryPolicy;
///
/// let policy = RetryPolicy::default();
/// // The third failure in a row; a random number of 0.5 out of [0, 1).
/// assert_eq!(policy.delay(2, None, 0.5), Duration::from_millis(200));
/// // The server asked for two seconds.
/// assert!(policy.delay(0, Some(Duration::from_secs(2)), 0.5) >= Duration::from_secs(2));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias = "AdaptiveRetryStrategy")]
#[doc(alias = "retry_on_failure")]
pub struct RetryPolicy {
    /// The delay after the first failure, before jitter. Default 100 ms.
    #[doc(alias = "initial_interval")]
    #[doc(alias = "base_delay")]
    pub initial: Duration,
    /// The largest delay before jitter. A server that asks for longer gets what it asks for. Default 60 s.
    #[doc(alias = "max_interval")]
    #[doc(alias = "max_delay")]
    pub cap: Duration,
    /// By what each further failure multiplies the delay; at least 1. Default 2.
    pub multiplier: f64,
    /// How delays are spread. Default [`Jitter::Full`].
    pub jitter: Jitter,
    /// How long after the first failure it is still worth trying, `None` for as long as there is memory for the data.
    /// Default `None`. [`run`](Self::run) counts from the first attempt, and cuts the last one short.
    #[doc(alias = "max_elapsed_time")]
    pub max_elapsed: Option<Duration>,
    /// How many attempts in all, the first included; `None` for any number. Default `None`.
    pub max_attempts: Option<u32>,
    /// After how long [`run`](Self::run) cuts an attempt short and counts it as a failure worth a retry; `None` for never.
    /// Default `None`. A [`Client`](crate::Client) has a time-out of its own.
    pub attempt_timeout: Option<Duration>,
}

/// By how much a delay that the server demanded is exceeded at most when the policy itself would not exceed it: a
/// tenth. All clients of a busy server are told the same delay, and must not come back at the same moment.
const HINT_SPREAD: f64 = 0.1;

impl RetryPolicy {
    /// How long to wait after failure number `attempt` (0 is the first in a row), given the delay that the server asked
    /// for and a random number from 0 to 1.
    ///
    /// With a hint, the wait is never shorter than the hint, whatever the cap. For failures *after* one with a hint,
    /// which the specification wants to grow from there, use [`Backoff`], which remembers it.
    ///
    /// Any attempt number is fine; the delay stops growing at [`cap`](Self::cap).
    #[must_use]
    pub fn delay(&self, attempt: u32, hint: Option<Duration>, unit_random: f64) -> Duration {
        match hint {
            None => self.spread(self.ceiling(self.initial, attempt), unit_random),
            Some(hint) => self.beyond(hint, self.ceiling(self.initial, attempt), unit_random),
        }
    }

    /// Whether another attempt may be made, `attempts` having been made since the first failure `elapsed` ago.
    #[must_use]
    pub fn allows(&self, attempts: u32, elapsed: Duration) -> bool {
        self.max_attempts.is_none_or(|max| attempts < max) && self.max_elapsed.is_none_or(|max| elapsed < max)
    }

    /// `base * multiplier ^ exponent`, at most the cap. Computed in floating point, where the power of a large exponent
    /// is infinite instead of an overflow, and the minimum with the cap is finite again.
    fn ceiling(&self, base: Duration, exponent: u32) -> f64 {
        let exponent = i32::try_from(exponent).unwrap_or(i32::MAX);
        let factor = self.multiplier.max(1.0).powi(exponent);
        let cap = self.cap.as_secs_f64();
        // Zero times infinity is no number; a base of zero stays zero.
        if base.is_zero() { 0.0 } else { (base.as_secs_f64() * factor).min(cap) }
    }

    fn spread(&self, ceiling: f64, unit_random: f64) -> Duration {
        let unit = unit(unit_random);
        let seconds = match self.jitter {
            Jitter::Full => ceiling * unit,
            Jitter::Proportional(share) => {
                let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
                ceiling * (1.0 - share + 2.0 * share * unit)
            }
            Jitter::None => ceiling,
        };
        duration(seconds)
    }

    /// From `floor` to `ceiling`, or a tenth beyond the floor if that is more.
    fn beyond(&self, floor: Duration, ceiling: f64, unit_random: f64) -> Duration {
        let seconds = floor.as_secs_f64();
        let room = (ceiling - seconds).max(seconds * HINT_SPREAD);
        match self.jitter {
            Jitter::None => floor,
            Jitter::Full | Jitter::Proportional(_) => {
                floor.saturating_add(duration(room * unit(unit_random)))
            }
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            cap: Duration::from_secs(60),
            multiplier: 2.0,
            jitter: Jitter::Full,
            max_elapsed: None,
            max_attempts: None,
            attempt_timeout: None,
        }
    }
}

/// A row of failures under a [`RetryPolicy`]: counts them, and remembers the last delay that the server demanded, from
/// which later delays grow.
#[derive(Clone, Debug)]
pub struct Backoff {
    policy: RetryPolicy,
    failures: u32,
    floor: Option<Floor>,
}

#[derive(Clone, Copy, Debug)]
struct Floor {
    hint: Duration,
    failures_since: u32,
}

impl Backoff {
    /// No failures yet.
    #[must_use]
    pub const fn new(policy: RetryPolicy) -> Self {
        Self { policy, failures: 0, floor: None }
    }

    /// Failures since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// The policy it follows.
    #[must_use]
    pub const fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Notes a failure and tells how long to wait. `hint` is the delay that the server demanded with it, if any.
    pub fn failed(&mut self, hint: Option<Duration>, unit_random: f64) -> Duration {
        let attempt = self.failures;
        self.failures = self.failures.saturating_add(1);
        if let Some(hint) = hint {
            self.floor = Some(Floor { hint, failures_since: 0 });
            return self.policy.delay(attempt, Some(hint), unit_random);
        }
        let Some(floor) = &mut self.floor else {
            return self.policy.delay(attempt, None, unit_random);
        };
        floor.failures_since = floor.failures_since.saturating_add(1);
        let Floor { hint, failures_since } = *floor;
        let ceiling = self.policy.ceiling(hint.max(self.policy.initial), failures_since);
        self.policy.beyond(hint, ceiling, unit_random)
    }

    /// Notes a success: the next failure is the first again, and the server's demand is met.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.floor = None;
    }
}

fn unit(random: f64) -> f64 {
    if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) }
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
#[path = "retry/tests.rs"]
mod tests;
