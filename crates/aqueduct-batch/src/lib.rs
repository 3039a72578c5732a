//! Gathers items into batches and handles them: a state machine that is given the clock, and a processor that is ready to run.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2 [aqueduct-batch]   aqueduct-transport   aqueduct-receiver   aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! Batching looks like a vector and a timer, and goes wrong in the same few ways each time: the timer fires once and never again, a tick
//! delays what a deadline would not, a busy loop never looks at the clock, a large item bursts the bound, the last batch is lost at
//! shutdown. Tied to an executor, none of it can be tested without waiting. Here it is a state machine: time goes in, sealed batches
//! come out. Around it there is a processor with what comes next and goes wrong as well: a queue that is bounded in bytes too, failed batches
//! that are tried again or counted, handlers that panic or never return, a flush and a shutdown that end in time and say what is left.
//!
//! # Example
//!
//! A processor on a thread of its own:
//!
//! ```
//! use std::time::Duration;
//! use aqueduct_batch::{Batch, BatchConfig, BatchProcessor, Weight};
//!
//! let processor = BatchProcessor::builder(|batch: Batch<String>| {
//!     println!("{} lines, {} bytes", batch.len(), batch.weight().bytes);
//!     Ok(())
//! })
//! .with_batch(BatchConfig::default().with_max_items(100))
//! .start()?;
//!
//! for n in 0..250 {
//!     let line = format!("line {n}");
//!     let weight = Weight::new(1, line.len() as u64);
//!     processor.add(line, weight)?;
//! }
//! let report = processor.shutdown(Duration::from_secs(5))?;
//! assert!(report.complete);
//! assert_eq!(report.stats.handled.items, 250);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The state machine alone, in a thread that batches what a channel brings, and sleeps exactly until it has to:
//!
//! ```
//! use std::sync::mpsc::{self, RecvTimeoutError};
//! use std::time::{Duration, Instant};
//! use aqueduct_batch::{BatchConfig, Batcher, Weight};
//!
//! let (sender, receiver) = mpsc::channel::<String>();
//! let worker = std::thread::spawn(move || {
//!     let mut batcher: Batcher<String> = Batcher::new(BatchConfig::default().with_max_items(100));
//!     let mut sizes = Vec::new();
//!     loop {
//!         let wait = batcher.deadline().map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
//!         match receiver.recv_timeout(wait) {
//!             Ok(line) => {
//!                 let weight = Weight::new(1, line.len() as u64);
//!                 sizes.extend(batcher.offer(line, weight, Instant::now()).map(|sealed| sealed.batch.len()));
//!             }
//!             Err(RecvTimeoutError::Timeout) => sizes.extend(batcher.poll(Instant::now()).map(|sealed| sealed.batch.len())),
//!             Err(RecvTimeoutError::Disconnected) => break,
//!         }
//!     }
//!     sizes.extend(batcher.flush().map(|sealed| sealed.batch.len()));
//!     sizes
//! });
//! (0..250).for_each(|n| sender.send(format!("line {n}")).expect("the worker listens"));
//! drop(sender);
//! assert_eq!(worker.join().expect("the worker ends").iter().sum::<usize>(), 250);
//! ```
//!
//! # Concepts
//!
//! - A [`Batcher`] has at most one open batch. [`offer`](Batcher::offer) adds to it, [`poll`](Batcher::poll) seals it when its time has come, and
//!   [`deadline`](Batcher::deadline) says when that is. [`flush`](Batcher::flush) seals what there is.
//! - A [`Weight`] is what an offer counts for, in items and bytes: one offer may be a request of many spans.
//! - A [`Sealed`] batch carries its weight, the time it was opened, and the [`SealReason`].
//! - A [`BatchConfig`] holds the bounds. They may be changed while a batch is open.
//! - A [`BatchProcessor`] has a queue, a batcher and a handler. [`add`](BatchProcessor::add) is for threads, [`add_async`](BatchProcessor::add_async)
//!   for tasks. The [`Overflow`] policy says which item goes when the queue is full, [`Retry`] when a batch is tried again that the handler gave
//!   back as [`Failed`]. It runs on a thread of its own ([`start`](ProcessorBuilder::start)) or as a [`Driver`] on an executor of the user's
//!   ([`drive`](ProcessorBuilder::drive)), there with several batches at a time.
//! - A [`QueueMonitor`] tells when a queue crosses its [`Watermarks`]; the processor has one for items and one for bytes.
//! - A [`DynamicBatch`] moves a batch size so that the 95th percentile of the latency stays below a target.
//!
//! # Guarantees
//!
//! Of the batcher:
//!
//! - *Order.* Items come out in the order in which they were offered, within a batch and across batches. Nothing is lost, nothing comes twice.
//! - *Bounds.* A batch of two or more offers never exceeds `max_items` or `max_bytes`. An offer that alone is heavier than a bound
//!   is a batch of its own. Offers of no weight count as one item, for the bound only.
//! - *Time.* `poll(t)` seals if and only if `deadline()` is some instant not after `t`; `offer` at `t` does first what `poll(t)` does. Time going
//!   backwards between calls is harmless.
//! - *Allocation.* None of its own; only what the collection does that gathers the items. A new one is made for each batch.
//! - *Overload.* It holds one open batch and never refuses. Back-pressure belongs before it, and the sealed batches to the caller.
//!
//! Of the processor:
//!
//! - *Conservation.* At every moment `accepted = handled + failed + dropped + held`, in items and in bytes, each loss under its reason
//!   ([`Stats`]). An item that is refused goes back to its caller. Checked against a model that counts item by item.
//! - *Bounds.* What is held, batches that are being handled or wait for another attempt included, never exceeds the queue in items or in
//!   bytes. No more than `max_concurrent` batches are handled at a time, none of them detached.
//! - *Deadlines.* `flush` and `shutdown` return by theirs, whatever the handler does; called by the handler they return an error at once.
//! - *Idle* it sleeps: there is no tick. It is woken by the first item of a batch, by the one that fills it, and by the batch's deadline.
//! - *Order.* On a thread, batches are handled in their order, except that one that is tried again comes later. With several at a time they
//!   may overtake each other. Within a batch, items are in their order.
//! - *Panics* of the handler are counted and survived; its batch counts as failed. Those of retry delays are, too; those of the callback for
//!   watermarks and of dropped items' destructors are survived. With `panic = "abort"` nothing of the kind is possible.
//! - *Locks.* One lock, held for a few instructions; no code of the user's runs under it.
//! - *Allocation.* The collections of a batch grow; a box for each attempt. None for each item beyond that.
//!
//! # Limitations
//!
//! - Items are not split: an offer of 10,000 spans is one batch, whatever `max_items` says. Split before offering.
//! - A collection that wants more than [`Default`] to be made needs a wrapper that makes it at the first item.
//! - The processor's `add` takes a lock: many threads that do nothing but add contend for it.
//! - A handler that returns results, not futures, handles one batch at a time.
//! - A handler that blocks for ever keeps its thread: nothing can stop a thread. The shutdown goes on without it.
//! - The driver polls all futures of the handler when one of them wakes it: for tens of batches at a time, not for thousands.
//! - Items that were dropped out of the middle of a batch leave it smaller; batches are not joined again.
//! - It does not survive a fork: build a new processor in the child, and forget the old one.
//! - Sums wrap at 2^64.
//!
//! # When not to use this crate
//!
//! - If the batches are bounded by number alone, `Vec::with_capacity` and `len()` are enough.
//! - If batches must be formed per key, keep one batcher a key, and bound the number of keys yourself.
//! - For OTLP there is `aqueduct-pipeline`, which batches requests as bytes.
//!
//! # Features
//!
//! - `tokio`: `TokioTimer` and `ProcessorBuilder::spawn_on`, for a processor on a tokio runtime. Without it the crate depends on nothing.

mod batcher;
mod config;
mod dynamic;
mod error;
mod monitor;
mod processor;
mod sealed;

pub use batcher::{Batcher, Weight};
pub use config::BatchConfig;
pub use dynamic::DynamicBatch;
pub use error::{ConfigError, Refusal, Refused, StartError, WaitError};
pub use monitor::{Edge, QueueMonitor, Watermarks};
#[cfg(feature = "tokio")]
pub use processor::TokioTimer;
pub use processor::{
    Adding, Batch, BatchProcessor, Driver, Drops, Ending, Failed, Failures, Flushing, Overflow, Priority,
    ProcessorBuilder, Refusals, Report, Retry, Stats, Timer,
};
pub use sealed::{SealReason, Sealed, Sealing};
