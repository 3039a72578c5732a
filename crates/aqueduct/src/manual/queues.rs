//! Between threads: `aqueduct::lockfree`.
//!
//! # Which queue
//!
//! | producers and consumers | bound | take |
//! |---|---|---|
//! | many threads record, one takes batches: telemetry | yes | [`Lanes`](crate::lockfree::Lanes) |
//! | many and many, one order for all, or the oldest may be displaced | yes | [`Ring`](crate::lockfree::Ring) |
//! | many and many, and something else bounds the memory | no | [`Queue`](crate::lockfree::Queue) |
//! | one and one | yes | a single-producer ring such as `rtrb` |
//! | a few items a second, to be handled at once | any | a channel |
//!
//! Waking a sleeping thread costs as much as some two thousand pushes. A queue that wakes its consumer for each item, or for each few hundred, spends
//! more on waking than on moving. [`Lanes`](crate::lockfree::Lanes) wakes past a threshold or at the consumer's own deadline, and not before:
//!
//! ```
//! use std::time::{Duration, Instant};
//! use aqueduct::lockfree::LanesConfig;
//!
//! let (lanes, mut consumer) = LanesConfig::default().with_capacity(4096).with_threshold(512).build::<u64>()?;
//! let recorder = std::thread::spawn(move || {
//!     let mut producer = lanes.producer();
//!     let refused = (0..1000).filter(|&n| producer.push(n).is_err()).count();
//!     drop(producer);
//!     lanes.close();
//!     refused
//! });
//! let (mut batch, mut taken) = (Vec::new(), 0);
//! while !consumer.is_finished() {
//!     taken += consumer.wait_drain(Instant::now() + Duration::from_millis(200), 512, &mut batch);
//!     batch.clear(); // send it
//! }
//! assert_eq!(taken + recorder.join().expect("no panic"), 1000);
//! # Ok::<(), aqueduct::lockfree::ConfigError>(())
//! ```
//!
//! Whatever is refused comes back to the caller, and accepted + refused = offered exactly.
//!
//! # A table that everybody reads
//!
//! [`HashMap`](crate::lockfree::HashMap) is for tables that are read a hundred times for each write: series, interned strings, traces under way. Readers
//! take no lock. A pinned handle spares the pinning of each lookup:
//!
//! ```
//! use aqueduct::lockfree::HashMap;
//!
//! let series: HashMap<&str, u64> = HashMap::new();
//! let pinned = series.pin();
//! assert_eq!(pinned.insert("requests", 1), None);
//! assert_eq!(pinned.insert("requests", 2), Some(&1));
//! assert_eq!(pinned.get("requests"), Some(&2));
//! ```
//!
//! Where half of the operations write, `scc` or `dashmap` is quicker; the documentation of the [`map`](crate::lockfree::map) module has the numbers.
//!
//! # Counting
//!
//! A counter that two threads add to costs them ten times what it costs one. [`ShardedCounter`](crate::lockfree::ShardedCounter) gives each its own line and
//! adds up when it is read: a scrape a second pays for millions of increments.
