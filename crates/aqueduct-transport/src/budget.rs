//! How many retries are fair: a share of the work that is new.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::ConfigError;
use crate::pause::after;

/// How much a [`RetryBudget`] allows.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BudgetConfig {
    /// Retries that each first attempt adds to the budget, from 0 to 1000. Default 0.1: where everything fails at
    /// once a server gets a tenth more than its clients have to send, instead of a multiple.
    #[doc(alias = "percentCanRetry")]
    #[doc(alias = "tokenRatio")]
    pub ratio: f64,
    /// Retries that may be saved up, and that a new budget starts with; at least 1. Default 10: a failed request that is
    /// alone gets the first ten attempts of its back-off, half a minute, without a wait.
    #[doc(alias = "maxTokens")]
    pub cap: f64,
    /// Retries that time alone adds, per second; above 0, so that no retry waits for ever. Default 0.1, one in ten
    /// seconds: fifty clients of a server add five requests a second to its load. (Finagle's 10 a second would
    /// be 500.)
    #[doc(alias = "minRetriesPerSec")]
    pub per_second: f64,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self { ratio: 0.1, cap: 10.0, per_second: 0.1 }
    }
}

impl BudgetConfig {
    fn check(self) -> Result<Self, ConfigError> {
        // Negated, so that NaN is out of each range.
        if !(0.0..=1000.0).contains(&self.ratio) {
            return Err(ConfigError::Range { field: "ratio", reason: "must be from 0 to 1000" });
        }
        if !(1.0..=1e9).contains(&self.cap) {
            return Err(ConfigError::Range { field: "cap", reason: "must be from 1 to 1000000000" });
        }
        if !(1e-6..=1e9).contains(&self.per_second) {
            return Err(ConfigError::Range {
                field: "per_second",
                reason: "must be from 0.000001 to 1000000000",
            });
        }
        Ok(self)
    }
}

/// What a [`RetryBudget`] says to a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spend {
    /// Retry; one is taken off the budget.
    Now,
    /// Keep the data and ask again at this instant, when time alone has filled the budget, or after the next first
    /// attempts, which fill it sooner.
    WaitUntil(Instant),
}

/// A budget of retries for one destination: a token bucket that first attempts fill and retries empty.
///
/// When a server is overloaded, every retry takes capacity from requests that would succeed, and the retries of many clients
/// keep it down after the cause is gone. Finagle's budget and gRPC's retry throttling (proposal A6) fail what the budget does
/// not cover; this one delays it and never drops. Over any time, retries are at most
/// `cap + ratio * first attempts + per_second * seconds`.
///
/// An attempt that nobody else may make at that time, as a [`Turn::Probe`](crate::Turn::Probe), need not be paid for: there is
/// one at a time, and its delay grows.
///
/// Sans-I/O: the time is an argument.
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_transport::{RetryBudget, Spend};
///
/// let mut budget = RetryBudget::default();
/// let now = Instant::now();
/// for _ in 0..10 {
///     assert_eq!(budget.try_spend(now), Spend::Now);
/// }
/// assert!(matches!(budget.try_spend(now), Spend::WaitUntil(at) if at >= now + Duration::from_secs(10)));
/// for _ in 0..10 {
///     budget.first_attempt();
/// }
/// assert_eq!(budget.try_spend(now), Spend::Now);
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "retryThrottling")]
pub struct RetryBudget {
    config: BudgetConfig,
    /// In millionths of a retry, so that ten deposits of a tenth are one.
    tokens: u64,
    filled_at: Option<Instant>,
}

const MICRO: f64 = 1e6;
const ONE: u64 = 1_000_000;

impl RetryBudget {
    /// A full budget.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] for a number outside its range.
    pub fn new(config: BudgetConfig) -> Result<Self, ConfigError> {
        Ok(Self::full(config.check()?))
    }

    fn full(config: BudgetConfig) -> Self {
        Self { config, tokens: (config.cap * MICRO) as u64, filled_at: None }
    }

    /// Notes the first attempt of a request.
    pub fn first_attempt(&mut self) {
        self.deposit((self.config.ratio * MICRO) as u64);
    }

    /// Asks for one retry.
    pub fn try_spend(&mut self, now: Instant) -> Spend {
        self.trickle(now);
        if self.tokens >= ONE {
            self.tokens -= ONE;
            return Spend::Now;
        }
        let missing = (ONE - self.tokens) as f64 / MICRO;
        let wait = Duration::try_from_secs_f64(missing / self.config.per_second).unwrap_or(Duration::MAX);
        // A nanosecond more, as the seconds were rounded to the next one.
        Spend::WaitUntil(after(now, wait.saturating_add(Duration::from_nanos(1))))
    }

    /// Whole retries that are there without a wait, as of the last call.
    #[must_use]
    pub const fn available(&self) -> u64 {
        self.tokens / ONE
    }

    fn trickle(&mut self, now: Instant) {
        let since = *self.filled_at.get_or_insert(now);
        let earned = now.saturating_duration_since(since).as_secs_f64() * self.config.per_second * MICRO;
        // Parts of a millionth stay in the time that is not counted yet.
        if earned >= 1.0 {
            self.deposit(earned as u64);
            self.filled_at = Some(now);
        }
    }

    fn deposit(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens).min((self.config.cap * MICRO) as u64);
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::full(BudgetConfig::default())
    }
}

/// A [`RetryBudget`] that several tasks spend from; clones share it.
///
/// ```
/// use std::time::Instant;
/// use aqueduct_transport::{RetryBudget, SharedBudget, Spend};
///
/// let budget = SharedBudget::from(RetryBudget::default());
/// let other = budget.clone();
/// assert_eq!(other.try_spend(Instant::now()), Spend::Now);
/// assert_eq!(budget.available(), 9);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SharedBudget(Arc<Mutex<RetryBudget>>);

impl SharedBudget {
    /// As [`RetryBudget::first_attempt`].
    pub fn first_attempt(&self) {
        self.lock().first_attempt();
    }

    /// As [`RetryBudget::try_spend`].
    pub fn try_spend(&self, now: Instant) -> Spend {
        self.lock().try_spend(now)
    }

    /// As [`RetryBudget::available`].
    #[must_use]
    pub fn available(&self) -> u64 {
        self.lock().available()
    }

    fn lock(&self) -> MutexGuard<'_, RetryBudget> {
        // Nothing panics while it is held, and a count is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<RetryBudget> for SharedBudget {
    fn from(budget: RetryBudget) -> Self {
        Self(Arc::new(Mutex::new(budget)))
    }
}

#[cfg(test)]
#[path = "budget/tests.rs"]
mod tests;
