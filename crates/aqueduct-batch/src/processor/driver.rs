//! What moves a processor: it starts attempts, polls them, settles them, and sleeps exactly until there is something to do.
//!
//! There is one driver, polled by a thread of the processor's own or by an executor of the user's. A handler that returns a result
//! instead of a future is one whose future is ready at once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::batch::{Batch, Failed};
use super::caught::{caught, discard};
use super::retry::Retry;
use super::scheduler::{Due, Failure, Outcome, Step};
use super::shared::{Shared, Sleep};
use super::stats::Report;
use crate::Weight;

/// What a [`Driver`] needs of its executor: to be woken at an instant.
///
/// With the feature `tokio`, `TokioTimer` is one. For others it is a few lines around the timer that they have.
///
/// # Examples
///
/// A timer for tests in which no time passes: nothing is ever due.
///
/// ```
/// use std::task::{Context, Poll};
/// use std::time::Instant;
/// use aqueduct_batch::Timer;
///
/// struct Never;
///
/// impl Timer for Never {
///     fn poll_until(&mut self, _at: Instant, _context: &mut Context<'_>) -> Poll<()> {
///         Poll::Pending
///     }
/// }
/// # let _ = Never;
/// ```
pub trait Timer {
    /// Ready if the instant has come; otherwise the waker is woken when it does. Only the latest instant counts, which may be
    /// earlier or later than the one before.
    ///
    /// If it is ready too early, batches are sealed too early; nothing else happens.
    fn poll_until(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()>;
}

/// The future that does a processor's work, to be spawned on an executor; see [`ProcessorBuilder::drive`](crate::ProcessorBuilder::drive).
///
/// It is ready when the processor has been shut down and the handler let go of. Dropped before that, it ends the processor: futures of the
/// handler are dropped with it, what is held counts as dropped, and nothing is left behind.
#[must_use = "nothing is handled unless it is spawned"]
pub struct Driver<T, H, F, M> {
    shared: Arc<Shared<T>>,
    /// `None` once it has ended.
    handler: Option<H>,
    retry: Retry,
    timer: M,
    attempts: Vec<Attempt<F>>,
    /// What the timer has said, which may be ahead of the clock: with tokio's time paused, for instance.
    reached: Option<Instant>,
    begun: Instant,
}

#[derive(Debug)]
struct Attempt<F> {
    id: u64,
    weight: Weight,
    number: u32,
    future: Pin<Box<F>>,
}

// Futures of the handler are pinned in boxes, and nothing else is pinned.
impl<T, H, F, M> Unpin for Driver<T, H, F, M> {}

impl<T, H, F, M> Driver<T, H, F, M>
where
    H: FnMut(Batch<T>) -> F,
    F: Future<Output = Result<(), Failed<T>>>,
    M: Timer,
{
    pub(super) fn new(shared: Arc<Shared<T>>, handler: H, retry: Retry, timer: M) -> Self {
        Driver {
            shared,
            handler: Some(handler),
            retry,
            timer,
            attempts: Vec::new(),
            reached: None,
            begun: Instant::now(),
        }
    }

    pub(super) fn timer(&mut self) -> &mut M {
        &mut self.timer
    }

    fn now(&self) -> Instant {
        let now = Instant::now();
        self.reached.map_or(now, |reached| reached.max(now))
    }

    fn start(&mut self, batch: Batch<T>) {
        let (id, weight, number) = (batch.id, batch.weight(), batch.attempt());
        let Some(handler) = &mut self.handler else { return };
        let _inside = self.shared.enter();
        match caught(|| Box::pin(handler(batch))) {
            Some(future) => self.attempts.push(Attempt { id, weight, number, future }),
            None => self.settle(id, Outcome::Failed(weight, Failure::Panic)),
        }
    }

    /// Polls what is being handled, and settles what is done.
    fn poll_attempts(&mut self, context: &mut Context<'_>) {
        let mut index = 0;
        while let Some(attempt) = self.attempts.get_mut(index) {
            let inside = self.shared.enter();
            let retry = &self.retry;
            let poll = caught(|| {
                // The answer is looked at in here as well: the policy and the items' destructors are the user's.
                let poll = attempt.future.as_mut().poll(context);
                poll.map(|result| outcome(result, attempt.id, attempt.weight, attempt.number, retry))
            });
            let outcome = match poll {
                Some(Poll::Pending) => {
                    index += 1;
                    continue;
                }
                Some(Poll::Ready(outcome)) => outcome,
                None => Outcome::Failed(attempt.weight, Failure::Panic),
            };
            let Attempt { id, future, .. } = self.attempts.swap_remove(index);
            discard(future);
            drop(inside);
            self.settle(id, outcome);
        }
    }

    fn settle(&self, id: u64, outcome: Outcome<T>) {
        let now = self.now();
        let unwanted = self.shared.with(|state, _| state.scheduler.finish(id, outcome, now));
        discard(unwanted);
    }

    /// Whether there is something to do now; if not, somebody wakes this future when there is.
    fn sleep(&mut self, context: &mut Context<'_>) -> bool {
        let now = self.now();
        let mut waker = Some(context.waker().clone());
        let due = self.shared.with(|state, _| {
            let due = state.scheduler.due();
            if due > Due::At(now) {
                state.asleep = waker.take().map(|waker| Sleep { waker, alarm: due });
            }
            due
        });
        match due {
            Due::Never => false,
            Due::At(at) if at > now => match self.timer.poll_until(at, context) {
                Poll::Pending => false,
                Poll::Ready(()) => {
                    self.reached = Some(at);
                    true
                }
            },
            Due::At(_) | Due::Now => true,
        }
    }
}

impl<T, H, F, M> Driver<T, H, F, M> {
    /// Lets go of everything. What the handler's futures and destructors do is theirs; that they panic is caught.
    fn end(&mut self) {
        if self.handler.is_none() {
            return;
        }
        self.shared.with(|state, after| state.scheduler.stop(&mut after.dropped));
        for Attempt { id, future, .. } in std::mem::take(&mut self.attempts) {
            let inside = self.shared.enter();
            discard(future);
            drop(inside);
            let now = Instant::now();
            discard(self.shared.with(|state, _| state.scheduler.finish(id, Outcome::Cancelled, now)));
        }
        let inside = self.shared.enter();
        discard(self.handler.take());
        drop(inside);
        self.shared.with(|state, _| state.end());
    }
}

impl<T, H, F, M> Future for Driver<T, H, F, M>
where
    H: FnMut(Batch<T>) -> F,
    F: Future<Output = Result<(), Failed<T>>>,
    M: Timer,
{
    type Output = Report;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Report> {
        let this = self.get_mut();
        // Dropped when the lock is free again.
        drop(this.shared.with(|state, _| state.asleep.take()));
        loop {
            this.poll_attempts(context);
            let now = this.now();
            match this.shared.with(|state, _| state.scheduler.direct(now)) {
                Step::Start(batch) => this.start(batch),
                Step::Wait => {
                    if !this.sleep(context) {
                        return Poll::Pending;
                    }
                }
                Step::End => {
                    this.end();
                    let begun = this.begun;
                    return Poll::Ready(this.shared.with(|state, _| state.closing_report(begun)));
                }
            }
        }
    }
}

impl<T, H, F, M> Drop for Driver<T, H, F, M> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T, H, F, M> fmt::Debug for Driver<T, H, F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("attempts", &self.attempts.len())
            .field("ended", &self.handler.is_none())
            .finish_non_exhaustive()
    }
}

/// What a handler's answer means.
fn outcome<T>(
    result: Result<(), Failed<T>>,
    id: u64,
    weight: Weight,
    attempt: u32,
    retry: &Retry,
) -> Outcome<T> {
    let Err(Failed { batch, retry: hint }) = result else { return Outcome::Handled };
    // Another batch than this attempt's has been counted already, or will be when its own attempt ends.
    let Some(batch) = batch.filter(|batch| batch.id == id) else {
        return Outcome::Failed(weight, Failure::Lost);
    };
    let left = batch.weight();
    if batch.is_empty() {
        return Outcome::Handled;
    }
    let Some(hint) = hint else { return Outcome::Failed(left, Failure::Permanent) };
    match retry.delay_after(attempt) {
        Some(delay) => Outcome::Retry(batch, delay.max(hint)),
        None => Outcome::Failed(left, Failure::Attempts),
    }
}

/// Longer than any clock runs; for a sum that an instant cannot hold there is no deadline.
pub(super) fn deadline_after(now: Instant, patience: Duration) -> Option<Instant> {
    now.checked_add(patience)
}
