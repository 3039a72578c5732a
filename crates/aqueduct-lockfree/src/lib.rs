//! Queues, a map and counters for many threads, without locks on the hot path.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch   aqueduct-transport   aqueduct-receiver   aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool  [aqueduct-lockfree]
//! ```
//!
//! # The problem
//!
//! Telemetry is made on every thread of a program and leaves it through one. The queue in between is paid for by the threads that
//! do the program's work: by the line of memory that they all write, by the lock that one of them was suspended with, by the wake of a
//! consumer for a single item, which costs as much as some thousand pushes. The same goes for the counters beside it. General queues and
//! atomic counters hand each item over at once; here items gather where they are made, and move in batches.
//!
//! # Example
//!
//! Threads push, each into a lane of its own; one thread takes batches as they are worth it:
//!
//! ```
//! use std::time::{Duration, Instant};
//! use aqueduct_lockfree::{Lanes, ShardedCounter};
//!
//! let (lanes, mut consumer) = Lanes::bounded(2048);
//! let refused = ShardedCounter::new();
//! std::thread::scope(|scope| {
//!     for worker in 0..2_u64 {
//!         let (lanes, refused) = (lanes.clone(), &refused);
//!         scope.spawn(move || (0..1000).for_each(|n| if lanes.push((worker, n)).is_err() { refused.inc() }));
//!     }
//! });
//! lanes.close();
//! let mut batch = Vec::new();
//! while consumer.wait_drain(Instant::now() + Duration::from_millis(100), 512, &mut batch) > 0 {}
//! assert_eq!(batch.len() as u64 + refused.sum(), 2000);
//! ```
//!
//! # Concepts
//!
//! - [`Lanes`]: bounded, many producers, one consumer that takes batches. A [`Producer`] has a lane of its own and borrows from one
//!   capacity; the [`Consumer`] sleeps until a batch is worth the wake. The choice for telemetry.
//! - [`Ring`]: bounded, any number of producers and consumers, one order for all; can displace the oldest. The choice where several threads
//!   take, or where the order between producers matters.
//! - [`Queue`]: unbounded, any number of producers and consumers, one order for all. The choice where nothing may be refused and something else
//!   bounds the memory.
//! - [`HashMap`]: reads that take no lock and write no shared line but the reader's own; for tables that are read far more than they are written.
//! - [`ShardedCounter`], [`ShardedMax`], [`ShardedMin`]: a cell for each thread, added up when read.
//! - [`PerThread`]: a value of any kind for each thread, absorbed into a common rest when the thread ends.
//! - [`SignalCell`]: a value that one thread at a time has, never waited for, and signals that reach whoever has it.
//! - [`CachePadded`]: a value on lines of its own. 128 bytes where processors fetch pairs of lines, as x86-64 and arm64 do.
//!
//! The words, as used throughout: an operation is *wait-free* if it ends after a bounded number of its own steps, whatever other threads
//! do; *lock-free* if some thread always gets on, though one may have to repeat; *blocking* if a suspended thread can hold up others.
//!
//! | operation | progress |
//! |---|---|
//! | [`Producer::push`], [`Lanes::push`] | wait-free; once a grant, lock-free, and may allocate or wake |
//! | making and ending a producer | blocking: a lock that no push takes |
//! | [`Consumer::drain`] | wait-free in the number of lanes; takes the lock when lanes came or ended |
//! | [`Ring`] | lock-free, but waits for a thread suspended between claiming and finishing the very slot that it needs |
//! | [`Queue`] | as [`Ring`], and a push that begins a segment allocates |
//! | [`HashMap`] | reads are wait-free; writers block each other by a lock per shard |
//! | [`PerThread`] | using one's value is wait-free, after a first time that takes a lock; reading, beginning and ending take the lock |
//! | [`SignalCell`] | wait-free; who does not get the value is told so |
//! | counters | recording is wait-free while there are as many cells as threads, lock-free beyond; reading is wait-free, taking a count lock-free |
//!
//! # Guarantees
//!
//! - *Order.* [`Ring`] and [`Queue`]: first in, first out, linearizable. [`Lanes`]: the items of one producer in their order, across its whole life.
//! - *Nothing lost, nothing twice.* Each value that was accepted comes out once, or is dropped once with the structure. Every refused value is
//!   given back to the caller.
//! - *Counts.* accepted + refused = offered, exactly, for [`Lanes`] and [`Ring`]; taken + discarded + waiting = accepted for [`Lanes`] at rest, also
//!   once an end of it is gone; counters are exact at rest.
//! - *Bounds.* [`Lanes`] and [`Ring`] never hold more than their capacity, [`map::Capped`] no more than its limit. [`Queue`] has no bound.
//! - *Allocation.* [`Ring`] and the counters: none after they are made. [`Lanes`]: when a lane's backlog is larger than it ever was.
//! - *Panics.* A destructor that panics does not keep the other values from being dropped.
//!
//! # Limitations
//!
//! - Needs 64-bit atomics. 32-bit machines that have them are not tested. The positions of [`Ring`] and [`Queue`] and all counts have 64 bits
//!   there too, so that none comes round again under a suspended thread.
//! - [`Lanes`] keeps no order between producers, and what a producer has been granted and does not use is missing to the others: about a quarter
//!   of the capacity at most, with the default threshold. The memory of a lane grows with its largest backlog and is freed when its producer ends.
//! - A [`Lanes::push`] that runs at the same time as [`Lanes::close`] may be accepted after it.
//! - A producer that stays in a thread's keeping after its queue was closed is freed when the thread makes another one, or ends.
//! - After `fork`, threads that exist only in the parent leave their producers behind: make new queues in the child.
//!
//! # When not to use this crate
//!
//! - One producer and one consumer: `rtrb` does that as quickly and simpler.
//! - Values that have to arrive one by one and at once: a channel that wakes its receiver for each.
//! - Tables that are written about as often as read: `scc` or `dashmap` (see [`map`] for the numbers).
//! - A few threads and items that each take microseconds: `Mutex<Vec<T>>` taken whole is hard to beat for its simplicity.
//!
//! # Safety
//!
//! This crate contains unsafe code, for five reasons: cells that are handed from thread to thread by an atomic (the slots of [`Ring`],
//! [`Queue`] and [`Lanes`], and [`SignalCell`]), memory that is freed by the side that uses it last (the segments of a lane), memory that
//! crossbeam-epoch frees when nobody can see it any more (segments of [`Queue`], entries and tables of [`HashMap`]), the way from a thread to its own
//! producer, and the way to its own value ([`PerThread`]).
//! Each is specified in the header of its module: who owns what from when to when. No protocol rests on timing, and no index on
//! luck: positions are masked by the number of slots where they are used. The protocols are model-checked with loom; the tests run
//! under the address and thread sanitizers.
//!
//! # Features
//!
//! None.

#![allow(unsafe_code)]

mod counter;
mod error;
mod lanes;
pub mod map;
mod per_thread;
mod place;
pub mod queue;
mod quiet;
mod ring;
mod signal_cell;
mod sync;

pub use counter::{ShardedCounter, ShardedMax, ShardedMin};
pub use crossbeam_utils::CachePadded;
pub use error::{Closed, PushError};
pub use lanes::{ConfigError, Consumer, Lanes, LanesConfig, LanesStats, Producer};
#[doc(inline)]
pub use map::HashMap;
pub use per_thread::{Absorb, PerThread};
#[doc(inline)]
pub use queue::Queue;
pub use ring::Ring;
pub use signal_cell::SignalCell;
