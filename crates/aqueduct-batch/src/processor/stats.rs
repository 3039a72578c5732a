//! What a processor tells of itself.

use std::time::Duration;

use crate::Weight;

/// The books of a [`BatchProcessor`](crate::BatchProcessor) since it was started, taken at one moment.
///
/// At every moment, in items and in bytes: `accepted = handled + failed + dropped + held`. Sums wrap at 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// What was taken in.
    pub accepted: Weight,
    /// What the handler took.
    pub handled: Weight,
    /// What the handler had and did not take.
    pub failed: Failures,
    /// What was taken in and never got through the handler.
    pub dropped: Drops,
    /// What was not taken in: it went back to the caller and is no part of `accepted`.
    pub refused: Refusals,
    /// What is there: in the open batch, in sealed ones, waiting for another attempt, and being handled.
    pub held: Weight,
    /// Of this, what is being handled.
    pub running: Weight,
    /// Attempts begun.
    pub attempts: u64,
    /// Attempts that were not the first of their batch.
    pub retries: u64,
    /// The handler's panics.
    pub panics: u64,
    /// The most items held so far.
    pub peak_items: u64,
    /// The most bytes held so far.
    pub peak_bytes: u64,
    /// How full the queue is, in items or in bytes, whichever is more: 0 is empty, 1 is full.
    pub utilisation: f64,
    /// Items in a batch, at most, at present: [`DynamicBatch`](crate::DynamicBatch) moves it.
    pub max_items: u64,
}

/// What the handler had and did not take, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failures {
    /// The [`Retry`](crate::Retry) policy had no further attempt.
    pub attempts: Weight,
    /// The handler said that it is of no use.
    pub permanent: Weight,
    /// The handler panicked, or the delay of the retry policy did; the batch is gone with the unwinding.
    pub panic: Weight,
    /// The handler failed and gave nothing back, or another batch than it had been given.
    pub lost: Weight,
}

/// What was taken in and never got through the handler, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// It was the oldest when the queue was full.
    pub oldest: Weight,
    /// It was of the lowest priority when the queue was full.
    pub priority: Weight,
    /// The processor ended first.
    pub shutdown: Weight,
}

/// What was not taken in, by [`Refusal`](crate::Refusal).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// The queue was full.
    pub full: Weight,
    /// The queue stayed full until the deadline.
    pub timed_out: Weight,
    /// Heavier than the whole queue.
    pub too_large: Weight,
    /// The processor was shut down.
    pub closed: Weight,
}

impl Failures {
    /// All of it.
    pub fn total(&self) -> Weight {
        sum([self.attempts, self.permanent, self.panic, self.lost])
    }
}

impl Drops {
    /// All of it.
    pub fn total(&self) -> Weight {
        sum([self.oldest, self.priority, self.shutdown])
    }
}

impl Refusals {
    /// All of it.
    pub fn total(&self) -> Weight {
        sum([self.full, self.timed_out, self.too_large, self.closed])
    }
}

/// How a flush or a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Of a flush: all that was there when it began has been handled, failed or dropped by the overflow policy. Of a shutdown: nothing is
    /// left, and nothing was dropped for it.
    pub complete: bool,
    /// The books at its end, since the start of the processor.
    pub stats: Stats,
    /// How long it took.
    pub elapsed: Duration,
}

/// Adds to a sum that is kept for ever.
pub(super) fn count(sum: &mut Weight, weight: Weight) {
    sum.items = sum.items.wrapping_add(weight.items);
    sum.bytes = sum.bytes.wrapping_add(weight.bytes);
}

fn sum<const N: usize>(parts: [Weight; N]) -> Weight {
    parts.into_iter().fold(Weight::default(), |mut total, part| {
        count(&mut total, part);
        total
    })
}
