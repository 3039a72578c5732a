//! A policy around an operation: what the operation's errors must say, and what came of it.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use super::RetryPolicy;
use crate::outcome::Outcome;
use crate::resilient::Resilient;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryVerdict {
    /// Try again.
    Retry {
        /// How long the other side wants to be left alone at least; more than
        /// [`MAX_SERVER_DELAY`](crate::outcome::MAX_SERVER_DELAY) counts as that.
        after: Option<Duration>,
    },
    /// Trying again is useless.
    GiveUp,
}

/// An error that knows whether trying again is worth it.
///
/// ```
/// use aqueduct_transport::{RetryVerdict, Retryable};
///
/// struct Locked;
///
/// impl Retryable for Locked {
///     fn verdict(&self) -> RetryVerdict {
///         RetryVerdict::Retry { after: None }
///     }
/// }
/// ```
pub trait Retryable {
    /// Whether trying again is worth it, and when.
    fn verdict(&self) -> RetryVerdict;
}

impl Retryable for Outcome {
    fn verdict(&self) -> RetryVerdict {
        match self {
            Self::Retry { after, .. } => RetryVerdict::Retry { after: *after },
            _ => RetryVerdict::GiveUp,
        }
    }
}

/// An operation that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed<T> {
    /// What the operation returned.
    pub value: T,
    /// How often it was tried, at least 1.
    pub attempts: u32,
    /// How long all that took, waits included.
    pub elapsed: Duration,
}

/// An operation that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GaveUp<E> {
    /// The last error that the operation returned; `None` if no attempt got that far.
    pub error: Option<E>,
    /// How often it was tried, attempts that were cut short included.
    pub attempts: u32,
    /// How long all that took, waits included.
    pub elapsed: Duration,
    /// Why there are no more attempts.
    pub reason: GaveUpReason,
}

/// Why there are no more attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GaveUpReason {
    /// The last error is not worth a retry.
    NotRetryable,
    /// [`RetryPolicy::max_attempts`] were made.
    Attempts,
    /// [`RetryPolicy::max_elapsed`] is over, or the next attempt would be after it.
    Deadline,
    /// As `Deadline`, and it was the circuit breaker that was waited for.
    BreakerOpen {
        /// When the breaker lets a call through at the earliest.
        retry_at: Instant,
    },
}

impl<E: fmt::Display> fmt::Display for GaveUp<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.reason {
            GaveUpReason::NotRetryable => "not worth a retry",
            GaveUpReason::Attempts => "no attempts left",
            GaveUpReason::Deadline => "no time left",
            GaveUpReason::BreakerOpen { .. } => "no time left while the circuit breaker is open",
        };
        write!(f, "gave up after {} attempts in {:?}: {why}", self.attempts, self.elapsed)?;
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl<E: Error + 'static> Error for GaveUp<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.as_ref().map(|error| error as &(dyn Error + 'static))
    }
}

impl RetryPolicy {
    /// Runs an operation until it succeeds or the policy gives up: `operation` makes the attempt of that number, the
    /// first being 0. For a circuit breaker, a budget and counts use [`Resilient`].
    ///
    /// [`max_elapsed`](Self::max_elapsed) counts from the first attempt here, and cuts an attempt short, as does
    /// [`attempt_timeout`](Self::attempt_timeout): its future is dropped. A wait that would end after it is not begun.
    ///
    /// ```
    /// use std::time::Duration;
    /// use aqueduct_transport::{RetryPolicy, RetryVerdict};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let mut policy = RetryPolicy::default();
    /// policy.initial = Duration::from_millis(1);
    /// policy.max_attempts = Some(4);
    ///
    /// let operation = |attempt| async move { if attempt < 2 { Err("busy") } else { Ok(attempt) } };
    /// let done = policy.run_with(operation, |_| RetryVerdict::Retry { after: None }).await;
    /// assert_eq!(done.map(|done| (done.value, done.attempts)), Ok((2, 3)));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`GaveUp`] with the last error and the reason.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the attempt that is under way, and nothing else happens.
    pub async fn run_with<T, E, Op, Fut>(
        &self,
        operation: Op,
        verdict: impl FnMut(&E) -> RetryVerdict,
    ) -> Result<Completed<T>, GaveUp<E>>
    where
        Op: FnMut(u32) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        Resilient::new(self.clone()).run_with(operation, verdict).await
    }

    /// As [`run_with`](Self::run_with), for errors that know themselves whether a retry is worth it. For a client:
    /// `policy.run(|_| async { client.send(&request).await.into_result() })`.
    ///
    /// # Errors
    ///
    /// [`GaveUp`] with the last error and the reason.
    pub async fn run<T, E, Op, Fut>(&self, operation: Op) -> Result<Completed<T>, GaveUp<E>>
    where
        Op: FnMut(u32) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Retryable,
    {
        self.run_with(operation, E::verdict).await
    }
}
