//! Stops calling what does not work: closed, open, half-open (Nygard, "Release It!", 2007).
//!
//! ```text
//!             too many failures                 open_for is over: one call probes
//!   Closed ----------------------> Open ----------------------------------------> HalfOpen
//!     ^                             ^                                              | | |
//!     |                             |            the probe failed                  | | |  abandoned: the next
//!     |                             +----------------------------------------------+ | |  call probes at once
//!     |                                          the probe succeeded                 | |
//!     +------------------------------------------------------------------------------+ |
//!                                                              HalfOpen <--------------+
//! ```
//!
//! What happens while it is not closed is a [`PauseClock`](crate::PauseClock)'s work. The difference to one used alone is
//! when it starts: a pause clock stops everything at the first failure, for as long as back-off says; a breaker tolerates
//! failures until they are many, and stops for a fixed time.

mod circuit;
mod window;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::clock;
use crate::error::ConfigError;

pub use circuit::{Admission, BreakerState, BreakerStats, Circuit, Ticket};

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// Failures in a row that open it; at least 1. Default 5.
    #[doc(alias = "failure_threshold")]
    pub failures: u32,
    /// Opens it on a share of failures too, in a stream where successes keep the row short. Default `None`: a share needs
    /// a volume to mean something, and the volume is the user's to know.
    pub ratio: Option<FailureRatio>,
    /// How long it stays open before one call may probe. Default 30 s.
    #[doc(alias = "recovery_timeout")]
    #[doc(alias = "reset_timeout")]
    pub open_for: Duration,
    /// By what each probe that fails multiplies that time; from 1 to 100. Default 1, no growth.
    pub growth: f64,
    /// What growth does not exceed. Default 5 min.
    pub max_open: Duration,
    /// A probe that was not heard of for this long is taken for lost, and another call probes. Default 30 s: longer
    /// than a call should take; above 0.
    pub lease: Duration,
}

/// A share of failures over a time that slides.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct FailureRatio {
    /// The share of calls that may not fail, above 0 and at most 1.
    pub ratio: f64,
    /// Over how long, in tenths of which it slides; above 0.
    pub window: Duration,
    /// Calls that must have ended within it before the share counts.
    pub min_calls: u32,
}

impl FailureRatio {
    /// This share over ten seconds, from ten calls on.
    #[must_use]
    pub const fn new(ratio: f64) -> Self {
        Self { ratio, window: Duration::from_secs(10), min_calls: 10 }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            ratio: None,
            open_for: Duration::from_secs(30),
            growth: 1.0,
            max_open: Duration::from_secs(300),
            lease: Duration::from_secs(30),
        }
    }
}

impl BreakerConfig {
    fn check(self) -> Result<Self, ConfigError> {
        if self.failures == 0 {
            return Err(ConfigError::Range { field: "failures", reason: "must be at least 1" });
        }
        if !(1.0..=100.0).contains(&self.growth) {
            return Err(ConfigError::Range { field: "growth", reason: "must be from 1 to 100" });
        }
        if self.lease.is_zero() {
            return Err(ConfigError::Range { field: "lease", reason: "must be above 0" });
        }
        if let Some(FailureRatio { ratio, window, .. }) = self.ratio {
            if !(ratio > 0.0 && ratio <= 1.0) {
                return Err(ConfigError::Range { field: "ratio", reason: "must be above 0 and at most 1" });
            }
            if window.is_zero() {
                return Err(ConfigError::Range { field: "window", reason: "must be above 0" });
            }
        }
        Ok(self)
    }
}

/// A circuit breaker around any operation, shared by all that call the same thing; clones share it.
///
/// ```
/// use aqueduct_transport::{BreakerError, BreakerState, CircuitBreaker};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let breaker = CircuitBreaker::default();
/// for _ in 0..5 {
///     let failed = breaker.call(|| async { Err::<(), _>("refused") }).await;
///     assert!(matches!(failed, Err(BreakerError::Failed("refused"))));
/// }
/// assert!(matches!(breaker.state(), BreakerState::Open { .. }));
///
/// // Not called, and given back with the data that it holds.
/// let data = vec![1, 2, 3];
/// match breaker.call(|| async move { Ok::<_, &str>(data.len()) }).await {
///     Err(BreakerError::Open { operation, .. }) => assert_eq!(operation().await, Ok(3)),
///     other => panic!("{other:?}"),
/// }
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default)]
#[doc(alias = "ResilientExporter")]
pub struct CircuitBreaker(Arc<Shared>);

#[derive(Default)]
struct Shared {
    circuit: Mutex<Circuit>,
    /// Told whenever a call that waits may be let through, or must wait for something else.
    changed: Notify,
}

impl CircuitBreaker {
    /// A closed breaker.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] for a number outside its range.
    pub fn new(config: BreakerConfig) -> Result<Self, ConfigError> {
        let circuit = Mutex::new(Circuit::new(config)?);
        Ok(Self(Arc::new(Shared { circuit, changed: Notify::new() })))
    }

    /// Calls the operation, unless the breaker is open. Each error counts as a failure.
    ///
    /// # Errors
    ///
    /// [`BreakerError::Open`] with the operation, which was not called; [`BreakerError::Failed`] with its error.
    ///
    /// # Cancel safety
    ///
    /// A call whose future is dropped, or that panics, counts for nothing; if it was the probe, another call may probe.
    pub async fn call<T, E, Op, Fut>(&self, operation: Op) -> Result<T, BreakerError<E, Op>>
    where
        Op: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.call_if(operation, |_| true).await
    }

    /// As [`call`](Self::call), where an error counts as a failure only if `is_failure` says so. An answer such as "no such
    /// thing" shows that the other side works.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn call_if<T, E, Op, Fut>(
        &self,
        operation: Op,
        is_failure: impl FnOnce(&E) -> bool,
    ) -> Result<T, BreakerError<E, Op>>
    where
        Op: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let admitted = match self.admit(clock::now()) {
            Ok(admitted) => admitted,
            Err(Refused { retry_at, .. }) => return Err(BreakerError::Open { retry_at, operation }),
        };
        let result = operation().await;
        admitted.ended(result.as_ref().err().is_some_and(is_failure));
        result.map_err(BreakerError::Failed)
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.circuit().state()
    }

    /// What it has counted since it was made.
    #[must_use]
    pub fn stats(&self) -> BreakerStats {
        self.circuit().stats()
    }

    fn admit(&self, now: Instant) -> Result<Admitted<'_>, Refused> {
        let mut circuit = self.circuit();
        match circuit.admit(now) {
            Admission::Granted(ticket) => Ok(Admitted { breaker: self, ticket: Some(ticket) }),
            Admission::Refused { retry_at } => {
                Err(Refused { retry_at, probing: circuit.state() == BreakerState::HalfOpen })
            }
        }
    }

    /// Waits until a call may be made; ends without one when `deadline` is over or will be before the breaker's time is.
    pub(crate) async fn wait(&self, deadline: Option<Instant>) -> Result<Admitted<'_>, Refused> {
        loop {
            let mut changed = pin!(self.0.changed.notified());
            // From here on no change is missed, although it is awaited only later.
            changed.as_mut().enable();
            let now = clock::now();
            let refused = match self.admit(now) {
                Ok(admitted) => return Ok(admitted),
                Err(refused) => refused,
            };
            let hopeless = !refused.probing && deadline.is_some_and(|deadline| deadline <= refused.retry_at);
            if hopeless || deadline.is_some_and(|deadline| deadline <= now) {
                return Err(refused);
            }
            let until = deadline.map_or(refused.retry_at, |deadline| deadline.min(refused.retry_at));
            // Either way it asks again.
            let _ = tokio::time::timeout_at(until.into(), changed).await;
        }
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        // Each of its methods leaves it whole, so a panic elsewhere does not spoil it.
        self.0.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CircuitBreaker").field(&*self.circuit()).finish()
    }
}

/// When to come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) retry_at: Instant,
    /// Whether a probe is under way, whose end may come sooner.
    pub(crate) probing: bool,
}

/// A call that was let through. Dropped without a result, it was abandoned.
pub(crate) struct Admitted<'b> {
    breaker: &'b CircuitBreaker,
    ticket: Option<Ticket>,
}

impl Admitted<'_> {
    pub(crate) fn ended(mut self, failed: bool) {
        if let Some(ticket) = self.ticket.take() {
            let mut circuit = self.breaker.circuit();
            match failed {
                true => circuit.failed(ticket, clock::now()),
                false => circuit.succeeded(ticket, clock::now()),
            }
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.circuit().abandoned(ticket, clock::now());
        }
        self.breaker.0.changed.notify_waiters();
    }
}

/// Why a call through a breaker has no value.
#[non_exhaustive]
pub enum BreakerError<E, Op> {
    /// The breaker is open: the operation was not called.
    Open {
        /// When to try again at the earliest.
        retry_at: Instant,
        /// The operation with all that it holds.
        operation: Op,
    },
    /// The operation failed.
    Failed(E),
}

impl<E: fmt::Debug, Op> fmt::Debug for BreakerError<E, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { retry_at, .. } => {
                f.debug_struct("Open").field("retry_at", retry_at).finish_non_exhaustive()
            }
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl<E: fmt::Display, Op> fmt::Display for BreakerError<E, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { .. } => f.write_str("circuit breaker open: not called"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static, Op> std::error::Error for BreakerError<E, Op> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { .. } => None,
            Self::Failed(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests;
