//! Gathers items into batches, sealed by items, bytes, idle time or age, with the clock as an argument.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2 [aqueduct-batch]   aqueduct-transport   aqueduct-receiver
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! Batching looks like a vector and a timer, and goes wrong in the same few ways each time: the timer fires once and never again, a tick
//! delays what a deadline would not, a busy loop never looks at the clock, a large item bursts the bound, the last batch is lost at
//! shutdown. Tied to an executor, none of it can be tested without waiting. Here it is a state machine: time goes in, sealed batches
//! come out, and thread, channel and timer stay with the caller.
//!
//! # Example
//!
//! A thread that batches what a channel brings, and sleeps exactly until it has to:
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
//!
//! # Guarantees
//!
//! - *Order.* Items come out in the order in which they were offered, within a batch and across batches. Nothing is lost, nothing comes twice.
//! - *Bounds.* A batch of two or more offers never exceeds `max_items` or `max_bytes`. An offer that alone is heavier than a bound
//!   is a batch of its own. Offers of no weight count as one item, for the bound only.
//! - *Time.* `poll(t)` seals if and only if `deadline()` is some instant not after `t`; `offer` at `t` does first what `poll(t)` does. Time going
//!   backwards between calls is harmless.
//! - *Allocation.* None of its own; only what the collection does that gathers the items. A new one is made for each batch.
//! - *Overload.* It holds one open batch and never refuses. Back-pressure belongs before it, and the sealed batches to the caller.
//!
//! # Limitations
//!
//! - Items are not split: an offer of 10,000 spans is one batch, whatever `max_items` says. Split before offering.
//! - A collection that wants more than [`Default`] to be made needs a wrapper that makes it at the first item.
//! - No thread, no timer, no queue: the example above is the smallest driver.
//!
//! # When not to use this crate
//!
//! - If the batches are bounded by number alone, `Vec::with_capacity` and `len()` are enough.
//! - If batches must be formed per key, keep one batcher a key, and bound the number of keys yourself.
//!
//! # Features
//!
//! None.

mod batcher;
mod config;
mod error;
mod sealed;

pub use batcher::{Batcher, Weight};
pub use config::BatchConfig;
pub use error::ConfigError;
pub use sealed::{SealReason, Sealed, Sealing};
