//! Retries, a circuit breaker and a budget around any operation.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::breaker::{Admitted, CircuitBreaker, Refused};
use crate::budget::{SharedBudget, Spend};
use crate::clock;
use crate::outcome::MAX_SERVER_DELAY;
use crate::pause::after;
use crate::retry::{
    Backoff, Completed, GaveUp, GaveUpReason, RetryPolicy, RetryStats, RetryVerdict, Retryable,
};

/// How often a retry that the budget does not cover asks again: first attempts of others fill the budget unseen.
const ASK_BUDGET_AGAIN: Duration = Duration::from_secs(1);

/// Runs operations under a [`RetryPolicy`], and if wanted with a [`CircuitBreaker`] and a [`RetryBudget`](crate::RetryBudget).
/// Clones share all of it.
///
/// The operation stays with its caller throughout, and so does its data: while the breaker is open, and while the budget is
/// empty, an operation waits, up to [`RetryPolicy::max_elapsed`].
///
/// Errors that are worth a retry, and attempts that [`RetryPolicy::attempt_timeout`] cut short, are failures to the breaker;
/// other errors show that the other side answers.
///
/// ```
/// use aqueduct_transport::{
///     CircuitBreaker, Client, ClientConfig, FailureKind, GaveUpReason, Protocol, Resilient, RetryBudget, RetryPolicy,
/// };
/// # #[cfg(feature = "grpc")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use aqueduct_wire::{Chunk, Limits, Merged, Signal};
/// # let bytes = b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO"[..].into();
/// # let batch = Merged::from_chunk(Chunk::validate(Signal::Logs, bytes, &Limits::default())?);
/// let mut policy = RetryPolicy::default();
/// policy.max_attempts = Some(2);
/// let resilient = Resilient::new(policy)
///     .with_breaker(CircuitBreaker::default())
///     .with_budget(RetryBudget::default().into());
///
/// // Nobody listens there.
/// let client = Client::new(ClientConfig::new("http://127.0.0.1:1", Protocol::Grpc))?;
/// let request = client.prepare(&batch);
/// let (client, request) = (&client, &request);
/// let sent = resilient.run(|_| async move { client.send(request).await.into_result() }).await;
///
/// let gave_up = sent.expect_err("nobody listens");
/// assert_eq!((gave_up.reason, gave_up.attempts), (GaveUpReason::Attempts, 2));
/// let last = gave_up.error.expect("a refused connection");
/// assert_eq!(last.failure().map(|failure| failure.kind), Some(FailureKind::Connect));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "ResilientExporter")]
#[doc(alias = "AdaptiveRetryStrategy")]
pub struct Resilient {
    policy: RetryPolicy,
    breaker: Option<CircuitBreaker>,
    budget: Option<SharedBudget>,
    stats: Arc<RetryStats>,
}

impl Resilient {
    /// Retries only.
    #[must_use]
    pub fn new(policy: RetryPolicy) -> Self {
        Self { policy, breaker: None, budget: None, stats: Arc::default() }
    }

    /// Asks this breaker before each attempt.
    #[must_use]
    pub fn with_breaker(self, breaker: CircuitBreaker) -> Self {
        Self { breaker: Some(breaker), ..self }
    }

    /// Takes each retry off this budget.
    #[must_use]
    pub fn with_budget(self, budget: SharedBudget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// What was counted, by all clones together.
    #[must_use]
    pub fn stats(&self) -> &RetryStats {
        &self.stats
    }

    /// Runs an operation whose errors know whether a retry is worth it. As [`run_with`](Self::run_with).
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

    /// Runs an operation until it succeeds or the policy gives up: `operation` makes the attempt of that number, the
    /// first being 0, and `verdict` says what to do about its error. See [`RetryPolicy::run_with`] about time.
    ///
    /// # Errors
    ///
    /// [`GaveUp`] with the last error and the reason.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the attempt that is under way. Nothing of the breaker or the budget stays taken.
    pub async fn run_with<T, E, Op, Fut>(
        &self,
        mut operation: Op,
        mut verdict: impl FnMut(&E) -> RetryVerdict,
    ) -> Result<Completed<T>, GaveUp<E>>
    where
        Op: FnMut(u32) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut run = Run::begin(self);
        let mut last = None;
        let reason = loop {
            match run.attempt(&mut operation, &mut verdict).await {
                Attempt::Succeeded(value) => {
                    self.stats.ended(true);
                    return Ok(Completed { value, attempts: run.attempts, elapsed: run.elapsed() });
                }
                Attempt::Failed { error, after } => {
                    last = error.or(last);
                    if let Err(reason) = run.wait_after(after).await {
                        break reason;
                    }
                }
                Attempt::Over { error, reason } => {
                    last = error.or(last);
                    break reason;
                }
            }
        };
        self.stats.ended(false);
        Err(GaveUp { error: last, attempts: run.attempts, elapsed: run.elapsed(), reason })
    }
}

/// What one attempt came to.
enum Attempt<T, E> {
    Succeeded(T),
    Failed { error: Option<E>, after: Option<Duration> },
    Over { error: Option<E>, reason: GaveUpReason },
}

/// One operation under way.
struct Run<'r> {
    rules: &'r Resilient,
    began: Instant,
    deadline: Option<Instant>,
    backoff: Backoff,
    attempts: u32,
}

impl<'r> Run<'r> {
    fn begin(rules: &'r Resilient) -> Self {
        let began = clock::now();
        let deadline = rules.policy.max_elapsed.map(|longest| after(began, longest));
        Self { rules, began, deadline, backoff: Backoff::new(rules.policy.clone()), attempts: 0 }
    }

    fn elapsed(&self) -> Duration {
        clock::now().saturating_duration_since(self.began)
    }

    async fn attempt<T, E, Fut: Future<Output = Result<T, E>>>(
        &mut self,
        operation: &mut impl FnMut(u32) -> Fut,
        verdict: &mut impl FnMut(&E) -> RetryVerdict,
    ) -> Attempt<T, E> {
        let admitted = match self.admission().await {
            Ok(admitted) => admitted,
            Err(reason) => return Attempt::Over { error: None, reason },
        };
        self.rules.stats.attempt(self.attempts > 0);
        let number = self.attempts;
        self.attempts = self.attempts.saturating_add(1);
        let own_end = self.rules.policy.attempt_timeout.map(|longest| after(clock::now(), longest));
        let end = own_end.into_iter().chain(self.deadline).min();
        let result = match end {
            Some(end) => tokio::time::timeout_at(end.into(), operation(number)).await.ok(),
            None => Some(operation(number).await),
        };
        let judged = match result {
            Some(Ok(value)) => Attempt::Succeeded(value),
            Some(Err(error)) => match verdict(&error) {
                RetryVerdict::Retry { after } => Attempt::Failed { error: Some(error), after },
                RetryVerdict::GiveUp => {
                    Attempt::Over { error: Some(error), reason: GaveUpReason::NotRetryable }
                }
            },
            // Cut short by the operation's end, not by its own: that says nothing about the other side.
            None if end == self.deadline => {
                return Attempt::Over { error: None, reason: GaveUpReason::Deadline };
            }
            None => Attempt::Failed { error: None, after: None },
        };
        if let Some(admitted) = admitted {
            admitted.ended(matches!(judged, Attempt::Failed { .. }));
        }
        judged
    }

    /// Waits until the breaker and the budget allow the next attempt. The breaker is asked first: what it holds back is no attempt, and neither earns nor costs
    /// a retry.
    async fn admission(&self) -> Result<Option<Admitted<'r>>, GaveUpReason> {
        loop {
            let admitted = match &self.rules.breaker {
                None => None,
                Some(breaker) => match breaker.wait(self.deadline).await {
                    Ok(admitted) => Some(admitted),
                    Err(Refused { retry_at, .. }) => return Err(GaveUpReason::BreakerOpen { retry_at }),
                },
            };
            let Some(budget) = &self.rules.budget else { return Ok(admitted) };
            if self.attempts == 0 {
                budget.first_attempt();
                return Ok(admitted);
            }
            match budget.try_spend(clock::now()) {
                Spend::Now => return Ok(admitted),
                Spend::WaitUntil(at) => {
                    // Somebody else may probe meanwhile.
                    drop(admitted);
                    self.sleep_until(at.min(clock::now() + ASK_BUDGET_AGAIN)).await?;
                }
            }
        }
    }

    /// Waits as long as the policy says after a failure, if there is to be another attempt.
    async fn wait_after(&mut self, hint: Option<Duration>) -> Result<(), GaveUpReason> {
        if self.rules.policy.max_attempts.is_some_and(|most| self.attempts >= most) {
            return Err(GaveUpReason::Attempts);
        }
        let hint = hint.map(|hint| hint.min(MAX_SERVER_DELAY));
        let delay = self.backoff.failed(hint, clock::unit_random());
        self.sleep_until(after(clock::now(), delay)).await
    }

    /// Not begun if it would end after the deadline.
    async fn sleep_until(&self, at: Instant) -> Result<(), GaveUpReason> {
        if self.deadline.is_some_and(|deadline| deadline <= at) {
            return Err(GaveUpReason::Deadline);
        }
        tokio::time::sleep_until(at.into()).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
