//! A batch processor ready to run: a bounded queue, a handler, retries, books that balance.
//!
//! | file | what |
//! |---|---|
//! | `scheduler` | all decisions, with the time as an argument |
//! | `bundle`, `backlog`, `levels` | where items wait, and which goes first |
//! | `shared` | the scheduler under its lock, and who is to be woken |
//! | `driver` | the future that handles batches; `thread` and `tokio` say who polls it |
//! | `waits`, `signal` | futures of callers, and threads that wait for them |

mod backlog;
mod batch;
mod builder;
mod bundle;
mod caught;
mod driver;
mod levels;
mod overflow;
mod retry;
mod scheduler;
mod shared;
mod signal;
mod stats;
mod thread;
#[cfg(feature = "tokio")]
mod tokio;
mod waits;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

pub use batch::{Batch, Failed};
pub use builder::ProcessorBuilder;
pub use driver::{Driver, Timer};
pub use overflow::{Overflow, Priority};
pub use retry::Retry;
pub use stats::{Drops, Failures, Refusals, Report, Stats};
#[cfg(feature = "tokio")]
pub use tokio::TokioTimer;
pub use waits::{Adding, Ending, Flushing};

use shared::Shared;
use signal::block_until;

use crate::{Refusal, Refused, WaitError, Weight};

/// Gathers items into batches and hands them to a handler, on a thread of its own or on an executor of the user's.
///
/// It is shared by reference or in an [`Arc`]; every method may be called from every thread.
///
/// # Dropping
///
/// On a thread of its own it is shut down within the [drop deadline](ProcessorBuilder::with_drop_deadline), which is waited for. On an
/// executor nothing is waited for, because the dropping thread may be the one that has to do the work: the driver goes on, ends within the
/// deadline, and its result tells how it went. Dropped by its own handler it is not waited for either.
///
/// # Forks
///
/// In a child of a fork there is neither the thread nor a promise that the lock is free: abandon the processor with
/// [`std::mem::forget`], and build a new one.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_batch::{Batch, BatchProcessor, Failed, Weight};
///
/// let mut destination_is_up = false;
/// let processor = BatchProcessor::builder(move |batch: Batch<String>| {
///     if !destination_is_up {
///         destination_is_up = true;
///         return Err(Failed::retry(batch));
///     }
///     batch.iter().for_each(|line| println!("{line}"));
///     Ok(())
/// })
/// .start()?;
///
/// for n in 0..100 {
///     let line = format!("line {n}");
///     let weight = Weight::new(1, line.len() as u64);
///     if let Err(refused) = processor.add(line, weight) {
///         eprintln!("{}: {}", refused.reason(), refused.into_inner());
///     }
/// }
/// let report = processor.shutdown(Duration::from_secs(5))?;
/// assert!(report.complete);
/// assert_eq!(report.stats.handled.items, 100);
/// assert_eq!(report.stats.retries, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "SmartBatchScheduler")]
pub struct BatchProcessor<T> {
    shared: Arc<Shared<T>>,
    kind: Kind,
    drop_deadline: Duration,
}

/// Who polls the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Thread,
    Future,
}

impl<T> BatchProcessor<T> {
    /// Begins a processor with its handler: a closure that returns a result, to be [started](ProcessorBuilder::start) on a thread, or one that
    /// returns a future of a result, to be [driven](ProcessorBuilder::drive) by an executor.
    ///
    /// `Ok(())` says that the batch was handled. [`Failed`] gives it back, or says that it is lost. A handler that panics loses its
    /// batch, unless it has a clone, and is called again for the next one.
    pub fn builder<H, R>(handler: H) -> ProcessorBuilder<T, H>
    where
        H: FnMut(Batch<T>) -> R,
    {
        ProcessorBuilder::new(handler)
    }

    /// Adds an item of this weight. It never waits, except under [`Overflow::Block`]. No item weighs less than one item.
    ///
    /// # Errors
    ///
    /// The item, and why it was not taken: the queue is full, the item alone is heavier than the queue, or the processor is shut down.
    ///
    /// # Overload
    ///
    /// As the [`Overflow`] policy says. It does not stand in line behind those who wait in [`add_async`](Self::add_async).
    #[doc(alias = "add_data")]
    pub fn add(&self, item: T, weight: Weight) -> Result<(), Refused<T>> {
        if let Some(patience) = self.shared.patience() {
            return self.add_waiting(item, weight, patience);
        }
        let tag = self.shared.tag(&item, weight);
        self.shared
            .with(|state, after| state.scheduler.offer(item, tag, Instant::now(), &mut after.dropped))
            .map_err(|(item, reason)| Refused::new(item, reason))
    }

    fn add_waiting(&self, item: T, weight: Weight, patience: Duration) -> Result<(), Refused<T>> {
        let mut adding = Adding::new(&self.shared, item, weight);
        // Most often there is room, and nothing to wait with is needed.
        if let Poll::Ready(result) = Pin::new(&mut adding).poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
        if self.shared.is_inside() {
            return adding.refuse(Refusal::Full);
        }
        match block_until(&mut adding, driver::deadline_after(Instant::now(), patience)) {
            Some(result) => result,
            None => adding.refuse(Refusal::TimedOut),
        }
    }

    /// Adds an item of this weight as soon as there is room, under every policy. Those who wait get room in the order in which they came.
    ///
    /// It resolves to the item and the reason if the item alone is heavier than the queue, or the processor is shut down.
    pub fn add_async(&self, item: T, weight: Weight) -> Adding<'_, T> {
        Adding::new(&self.shared, item, weight)
    }

    /// Seals what there is, and waits until everything that was added before is handled, failed or dropped, for so long at most. Delays before
    /// further attempts are waited for, not cut short.
    ///
    /// On a thread that an executor needs for the driver, use [`flush_async`](Self::flush_async): here the work would wait for the caller, and the
    /// caller for its deadline.
    ///
    /// # Errors
    ///
    /// [`WaitError::WouldDeadlock`] if called by the handler.
    #[doc(alias = "force_flush")]
    pub fn flush(&self, deadline: Duration) -> Result<Report, WaitError> {
        self.check_outside()?;
        let begun = Instant::now();
        let mut flushing = self.flush_async();
        let report = block_until(&mut flushing, driver::deadline_after(begun, deadline));
        Ok(report.unwrap_or_else(|| flushing.give_up(begun)))
    }

    /// Seals what there is, and waits until everything that was added before is handled, failed or dropped. Awaited by the handler,
    /// it waits for itself.
    pub fn flush_async(&self) -> Flushing<'_, T> {
        Flushing::new(&self.shared)
    }

    /// Takes no more items in, handles what there is, and ends, all within the deadline.
    ///
    /// A batch whose next attempt would come after the deadline has it now. What waits when the deadline passes is dropped and counted;
    /// what is being handled is still `held` in the report, and settled if the handler ever returns. Futures of a handler are dropped.
    ///
    /// A complete shutdown returns after the handler was let go of. A second one returns at once; one that begins while another is
    /// under way waits with it, for its own deadline at most. On a thread that an executor needs for the driver, use
    /// [`shutdown_async`](Self::shutdown_async).
    ///
    /// # Errors
    ///
    /// [`WaitError::WouldDeadlock`] if called by the handler. The processor stays open.
    #[doc(alias = "stop")]
    pub fn shutdown(&self, deadline: Duration) -> Result<Report, WaitError> {
        self.check_outside()?;
        let begun = Instant::now();
        let until = driver::deadline_after(begun, deadline);
        self.shared.with(|state, _| state.scheduler.close(until));
        let report = block_until(&mut Ending::new(&self.shared, begun), until);
        Ok(report.unwrap_or_else(|| {
            self.shared.with(|state, after| {
                state.abandon(&mut after.dropped);
                state.closing_report(begun)
            })
        }))
    }

    /// As [`shutdown`](Self::shutdown), which begins now, and not when it is awaited. The deadline is kept by the driver: a handler that
    /// blocks the executor's thread holds it up. Awaited by the handler, it waits for itself.
    pub fn shutdown_async(&self, deadline: Duration) -> Ending<'_, T> {
        let begun = Instant::now();
        self.shared.with(|state, _| state.scheduler.close(driver::deadline_after(begun, deadline)));
        Ending::new(&self.shared, begun)
    }

    /// The books at this moment.
    pub fn stats(&self) -> Stats {
        self.shared.with(|state, _| state.scheduler.stats())
    }

    fn check_outside(&self) -> Result<(), WaitError> {
        if self.shared.is_inside() { Err(WaitError::WouldDeadlock) } else { Ok(()) }
    }
}

impl<T> Drop for BatchProcessor<T> {
    fn drop(&mut self) {
        if self.kind == Kind::Future || self.shutdown(self.drop_deadline).is_err() {
            let until = driver::deadline_after(Instant::now(), self.drop_deadline);
            self.shared.with(|state, _| state.scheduler.close(until));
        }
    }
}

impl<T> fmt::Debug for BatchProcessor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchProcessor")
            .field("stats", &self.stats())
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
