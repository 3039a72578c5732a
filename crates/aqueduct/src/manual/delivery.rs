//! Delivering telemetry: `aqueduct::pipeline`.
//!
//! # The smallest pipeline
//!
//! One signal, one destination. Everything that waits, retries or opens connections does so on the pipeline's own thread, so it makes no difference what runtime the program has, or whether it has
//! one.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use aqueduct::pipeline::{Destination, LaneConfig, Pipeline};
//! use aqueduct::transport::{Client, ClientConfig, Compression, Protocol, RetryPolicy};
//! use aqueduct::wire::{Chunk, Signal};
//!
//! // Nobody listens there: what is offered waits.
//! let mut config = ClientConfig::new("http://127.0.0.1:1", Protocol::Grpc);
//! config.compression = Compression::Zstd(1);
//! let collector = Destination::new("collector", Client::new(config)?, RetryPolicy::default());
//! let pipeline = Pipeline::builder(Signal::Logs)
//!     .destination(Arc::new(collector), LaneConfig::default())
//!     .notices(|signal, destination, notice| eprintln!("{signal} to {destination}: {notice}"))
//!     .build()?;
//!
//! let record = b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO";
//! pipeline.intake().offer(Chunk::from_valid(Signal::Logs, 1, record[..].into()))?;
//!
//! let report = pipeline.shutdown(Duration::from_millis(10))?;
//! // Nothing is silent: what could not be delivered in time is in the report, by reason.
//! assert!(!report.complete);
//! assert_eq!(report.lanes[0].ledger.dropped_total(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How long an outage may last
//!
//! What cannot be sent is held within [`LaneConfig::queue_bytes`](crate::pipeline::LaneConfig::queue_bytes). Past a quarter of it, what waits is compressed, so the budget lasts several times as long
//! as its size divided by the rate. Spans compress to a fifth or so; random bytes to nothing. When it is full all the same,
//! [`Overflow`](crate::pipeline::Overflow) decides: refuse the newest (the default, and right where the sender can retry), drop the oldest, keep errors at the expense of the rest, or let the producer wait
//! for a bounded time.
//!
//! # The end of a program
//!
//! [`Pipeline::shutdown`](crate::pipeline::Pipeline::shutdown) returns by its deadline from anywhere: inside a runtime, from a destructor, from a panic hook. Dropping the pipeline does the same with
//! [`PipelineConfig::drop_deadline`](crate::pipeline::PipelineConfig::drop_deadline). Inside asynchronous code [`Pipeline::flush_async`](crate::pipeline::Pipeline::flush_async) waits without
//! blocking a thread.
//!
//! # Changing it while it runs
//!
//! ```
//! # use std::sync::Arc;
//! # use std::time::Duration;
//! # use aqueduct::pipeline::{Destination, LaneConfig, Pipeline};
//! # use aqueduct::transport::{Client, ClientConfig, RetryPolicy};
//! # use aqueduct::wire::Signal;
//! use aqueduct::pipeline::Parameters;
//! use aqueduct::transport::Compression;
//! # let collector = Destination::new("collector", Client::new(ClientConfig::default())?, RetryPolicy::default());
//! # let pipeline = Pipeline::builder(Signal::Logs).destination(Arc::new(collector), LaneConfig::default()).build()?;
//!
//! let mut parameters = Parameters::default();
//! parameters.batch_delay = Some(Duration::from_secs(1));
//! parameters.compression = Some(Compression::Gzip(1));
//! let applied = pipeline.apply(&parameters);
//! for change in &applied.changes {
//!     println!("{}: {} -> {}", change.knob, change.from, change.to);
//! }
//! assert_eq!(applied.changes.len(), 2);
//! println!("{}", pipeline.health());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # After a fork
//!
//! The first offer in a forked child builds everything anew there. What the parent held stays the parent's. See
//! [`exec::fork`](crate::exec::fork) for how to do the same with one's own threads.
//!
//! # When not to
//!
//! A program that may lose its telemetry in an outage does with [`transport::Client`](crate::transport::Client) alone.
