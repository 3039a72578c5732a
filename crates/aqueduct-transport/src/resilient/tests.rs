//! Tests of retries around operations. The time is the runtime's, which is paused: it moves only when all wait.

use std::cell::Cell;
use std::future::pending;

use tokio::time::sleep;

use super::*;
use crate::breaker::{BreakerConfig, BreakerState};
use crate::budget::RetryBudget;
use crate::failure::{Failure, FailureKind};
use crate::outcome::Outcome;
use crate::retry::Jitter;

const SECOND: Duration = Duration::from_secs(1);

/// One second after each failure.
fn every_second() -> RetryPolicy {
    RetryPolicy { initial: SECOND, multiplier: 1.0, jitter: Jitter::None, ..RetryPolicy::default() }
}

fn again<E>(_: &E) -> RetryVerdict {
    RetryVerdict::Retry { after: None }
}

/// Guards success after failures: value, attempts, and the time between them.
#[tokio::test(start_paused = true)]
async fn tries_until_it_succeeds() {
    let exponential = RetryPolicy { jitter: Jitter::None, ..RetryPolicy::default() };
    let operation = |attempt| async move { if attempt < 3 { Err("busy") } else { Ok(attempt) } };
    let done = exponential.run_with(operation, again).await.expect("the fourth succeeds");
    assert_eq!((done.value, done.attempts), (3, 4));
    assert_eq!(done.elapsed.as_millis(), 700);
}

/// Guards what must not be repeated.
#[tokio::test(start_paused = true)]
async fn an_error_that_is_final_is_final() {
    let resilient = Resilient::new(every_second());
    let gave_up = resilient
        .run_with(|_| async { Err::<(), _>("bad request") }, |_| RetryVerdict::GiveUp)
        .await
        .expect_err("it fails");
    assert_eq!((gave_up.reason, gave_up.error), (GaveUpReason::NotRetryable, Some("bad request")));
    assert_eq!((gave_up.attempts, gave_up.elapsed), (1, Duration::ZERO));
    assert_eq!((resilient.stats().gave_up(), resilient.stats().success_rate()), (1, 0.0));
}

/// Guards the number of attempts, the first included, and the counts.
#[tokio::test(start_paused = true)]
async fn attempts_are_limited() {
    let resilient = Resilient::new(RetryPolicy { max_attempts: Some(3), ..every_second() });
    let gave_up = resilient
        .run_with(|attempt| async move { Err::<(), _>(attempt) }, again)
        .await
        .expect_err("each fails");
    assert_eq!((gave_up.reason, gave_up.error, gave_up.attempts), (GaveUpReason::Attempts, Some(2), 3));
    assert_eq!(gave_up.elapsed, 2 * SECOND);
    let stats = resilient.stats();
    assert_eq!((stats.attempts(), stats.retries()), (3, 2));
}

/// Tells when it is dropped.
struct Dropped<'c>(&'c Cell<u32>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Guards the time of an attempt: one that hangs is dropped, and counts as a failure worth a retry.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_cut() {
    let policy = RetryPolicy { attempt_timeout: Some(5 * SECOND), ..every_second() };
    let dropped = Cell::new(0);
    let done = policy
        .run_with(
            |attempt| {
                let watched = Dropped(&dropped);
                async move {
                    let _watched = watched;
                    if attempt < 2 { pending().await } else { Ok::<_, &str>(attempt) }
                }
            },
            again,
        )
        .await
        .expect("the third answers");
    assert_eq!((done.attempts, done.elapsed, dropped.get()), (3, 12 * SECOND, 3));
}

/// Guards the time of the whole: the attempt under way is dropped when it is over, and the last error is kept.
#[tokio::test(start_paused = true)]
async fn the_whole_ends_in_time() {
    let policy = RetryPolicy { max_elapsed: Some(10 * SECOND), ..every_second() };
    let dropped = Cell::new(0);
    let gave_up = policy
        .run_with(
            |attempt| {
                let watched = Dropped(&dropped);
                async move {
                    let _watched = watched;
                    if attempt > 0 { pending().await } else { Err::<(), _>("first") }
                }
            },
            again,
        )
        .await
        .expect_err("the second hangs");
    assert_eq!((gave_up.reason, gave_up.error), (GaveUpReason::Deadline, Some("first")));
    assert_eq!((gave_up.attempts, gave_up.elapsed, dropped.get()), (2, 10 * SECOND, 2));
}

/// Guards against waiting for nothing: a wait that would end after the deadline is not begun.
#[tokio::test(start_paused = true)]
async fn no_wait_past_the_end() {
    let policy = RetryPolicy { max_elapsed: Some(10 * SECOND), ..every_second() };
    let hour = |_: &&str| RetryVerdict::Retry { after: Some(3600 * SECOND) };
    let gave_up = policy.run_with(|_| async { Err::<(), _>("busy") }, hour).await.expect_err("no time");
    assert_eq!((gave_up.reason, gave_up.elapsed), (GaveUpReason::Deadline, Duration::ZERO));
}

/// Guards the server's word, and the bound of what it can ask for.
#[tokio::test(start_paused = true)]
async fn hints_are_obeyed_and_bounded() {
    for (asked, waited) in [(7, 7), (1_000_000_000, 300)] {
        let hint = |_: &&str| RetryVerdict::Retry { after: Some(Duration::from_secs(asked)) };
        let operation = |attempt| async move { if attempt == 0 { Err("busy") } else { Ok(()) } };
        let done = every_second().run_with(operation, hint).await.expect("the second succeeds");
        assert_eq!(done.elapsed.as_secs(), waited);
    }
}

/// Guards the outcomes of a client as errors.
#[tokio::test(start_paused = true)]
async fn outcomes_are_retryable_or_not() {
    let busy = Outcome::Retry { after: Some(2 * SECOND), failure: Failure::new(FailureKind::Http(429), "") };
    let bad = Outcome::Permanent(Failure::new(FailureKind::Http(400), ""));
    let operation = |attempt| {
        let outcome = [&busy, &busy, &bad][attempt as usize].clone();
        async move { outcome.into_result() }
    };
    let gave_up = every_second().run(operation).await.expect_err("the third is final");
    assert_eq!((gave_up.reason, gave_up.attempts), (GaveUpReason::NotRetryable, 3));
    assert_eq!((gave_up.error.as_ref(), gave_up.elapsed.as_secs()), (Some(&bad), 4));
    assert_eq!(Outcome::Delivered.into_result(), Ok(Outcome::Delivered));
}

/// Guards the data while the breaker is open: the operation waits and succeeds, and the server is left alone meanwhile.
#[tokio::test(start_paused = true)]
async fn waits_for_the_breaker() {
    let breaker = CircuitBreaker::default();
    let resilient = Resilient::new(every_second()).with_breaker(breaker.clone());
    let operation = |attempt| async move { if attempt < 5 { Err("down") } else { Ok(attempt) } };
    let done = resilient.run_with(operation, again).await.expect("the sixth succeeds");
    // Five failures a second apart, then thirty seconds of quiet; the back-off passes during them.
    assert_eq!((done.attempts, done.elapsed), (6, 34 * SECOND));
    assert_eq!((breaker.state(), breaker.stats().closed), (BreakerState::Closed, 1));
}

/// Guards the deadline against the breaker: where it cannot be met the operation ends at once, and says why.
#[tokio::test(start_paused = true)]
async fn the_breaker_does_not_outlast_the_deadline() {
    let policy = RetryPolicy { max_elapsed: Some(20 * SECOND), ..every_second() };
    let resilient = Resilient::new(policy).with_breaker(CircuitBreaker::default());
    let start = clock::now();
    let gave_up = resilient.run_with(|_| async { Err::<(), _>("down") }, again).await.expect_err("no time");
    let retry_at = start + 34 * SECOND;
    assert_eq!((gave_up.reason, gave_up.error), (GaveUpReason::BreakerOpen { retry_at }, Some("down")));
    assert_eq!((gave_up.attempts, gave_up.elapsed), (5, 5 * SECOND));
}

/// Guards the deadline of one who waits for the probe of another.
#[tokio::test(start_paused = true)]
async fn another_ones_probe_does_not_outlast_the_deadline() {
    let breaker = CircuitBreaker::default();
    let resilient = Resilient::new(every_second()).with_breaker(breaker.clone());
    let prober = resilient.clone();
    let probing = tokio::spawn(async move {
        let operation = |attempt| async move {
            if attempt < 5 { Err("down") } else { pending::<Result<(), &str>>().await }
        };
        prober.run_with(operation, again).await
    });
    sleep(35 * SECOND).await;
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let policy = RetryPolicy { max_elapsed: Some(2 * SECOND), ..every_second() };
    let late = Resilient::new(policy).with_breaker(breaker.clone());
    let gave_up = late.run_with(|_| async { Ok::<(), &str>(()) }, again).await.expect_err("not let through");
    assert!(matches!(gave_up.reason, GaveUpReason::BreakerOpen { .. }));
    assert_eq!((gave_up.attempts, gave_up.elapsed), (0, 2 * SECOND));
    // Its dropped probe leaves the breaker to the next.
    probing.abort();
    assert!(probing.await.is_err());
    assert!(late.run_with(|_| async { Ok::<(), &str>(()) }, again).await.is_ok());
}

/// Guards the breaker against answers that are errors, and against attempts that this side cut short for its own reasons.
#[tokio::test(start_paused = true)]
async fn what_is_no_failure_does_not_open() {
    let breaker = CircuitBreaker::default();
    let short = RetryPolicy { max_elapsed: Some(SECOND), ..every_second() };
    let resilient = Resilient::new(short).with_breaker(breaker.clone());
    for _ in 0..10 {
        let _ = resilient.run_with(|_| async { Err::<(), _>("bad") }, |_| RetryVerdict::GiveUp).await;
        let _ = resilient.run_with(|_| pending::<Result<(), &str>>(), again).await;
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!((breaker.stats().succeeded, breaker.stats().abandoned), (10, 10));
}

/// Guards the budget: retries beyond it are late, and none is lost.
#[tokio::test(start_paused = true)]
async fn the_budget_delays_and_does_not_drop() {
    let budget = SharedBudget::from(RetryBudget::default());
    let resilient = Resilient::new(every_second()).with_budget(budget.clone());
    let operation = |attempt| async move { if attempt < 13 { Err("busy") } else { Ok(attempt) } };
    let done = resilient.run_with(operation, again).await.expect("it succeeds in the end");
    assert_eq!(done.attempts, 14);
    // Ten retries are saved up, about a second's worth of trickle has come meanwhile; the other three take ten seconds
    // each from then on.
    assert!((30..=35).contains(&done.elapsed.as_secs()), "{:?}", done.elapsed);

    // First attempts of others pay sooner than time.
    let waiting = tokio::spawn({
        let resilient = resilient.clone();
        async move {
            let operation = |attempt| async move { if attempt == 0 { Err("busy") } else { Ok(()) } };
            resilient.run_with(operation, again).await.map(|done| done.elapsed)
        }
    });
    // It has asked once, and would have to wait for some eight seconds.
    sleep(SECOND * 3 / 2).await;
    for _ in 0..10 {
        budget.first_attempt();
    }
    let elapsed = waiting.await.expect("no panic").expect("it succeeds");
    assert!(elapsed <= 3 * SECOND, "{elapsed:?}");
}

/// Guards that runs may be spawned.
#[test]
fn runs_are_send() {
    fn send<T: Send>(_: T) {}
    let resilient = Resilient::new(every_second()).with_breaker(CircuitBreaker::default());
    send(resilient.run_with(|_| async { Ok::<(), &str>(()) }, again));
}

/// Guards the budget while a breaker is open: what is not attempted earns nothing, and what waits for the breaker has spent nothing.
#[tokio::test(start_paused = true)]
async fn the_budget_counts_attempts_only() {
    let config = BreakerConfig { failures: 1, ..BreakerConfig::default() };
    let budget = SharedBudget::from(RetryBudget::default());
    let full = budget.available();
    // Fails once, which opens the breaker, and waits for it then.
    let waits = Resilient::new(every_second())
        .with_breaker(CircuitBreaker::new(config).expect("valid"))
        .with_budget(budget.clone());
    let run = waits.run_with(|_| async { Err::<(), _>("busy") }, again);
    assert!(tokio::time::timeout(10 * SECOND, run).await.is_err());
    assert_eq!((budget.available(), waits.stats().retries()), (full, 0));

    while budget.try_spend(clock::now()) == Spend::Now {}
    let breaker = CircuitBreaker::new(config).expect("valid");
    let _ = breaker.call(|| async { Err::<(), _>("down") }).await;
    let policy = RetryPolicy { max_elapsed: Some(Duration::from_millis(1)), ..every_second() };
    let refused = Resilient::new(policy).with_breaker(breaker).with_budget(budget.clone());
    for _ in 0..110 {
        let run = refused.run_with(|_| async { Err::<(), _>("busy") }, again);
        assert_eq!(run.await.expect_err("the breaker is open").attempts, 0);
    }
    assert_eq!(budget.available(), 0);
}
