//! A telemetry pipeline that accounts for every item: intake, batch, compress, send, retry, settle.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct (umbrella)
//! L3  aqueduct-pipeline            <- this crate
//! L2  aqueduct-batch  aqueduct-transport  aqueduct-receiver   aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! An exporter that retries on the thread that batches loses data in every outage: while it waits, the queue behind
//! it overflows. This crate separates the two. Chunks of encoded OTLP are concatenated into batches on the thread that
//! offers them; a thread of the pipeline's own compresses, sends, pauses and retries; what has failed is kept, as the
//! very bytes that will be sent again, for as long as a byte budget holds. At any moment
//! `accepted = delivered + rejected + dropped + held`, and every drop has a reason.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline};
//! use aqueduct_transport::{Outcome, Request, RetryPolicy};
//! use aqueduct_wire::{Chunk, Signal};
//! use bytes::Bytes;
//!
//! /// Prints sizes; `aqueduct_transport::Client` is the exporter that speaks OTLP.
//! struct Print;
//!
//! impl Exporter for Print {
//!     fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
//!         println!("{} spans in {} bytes", request.items(), request.len());
//!         Box::pin(async { Outcome::Delivered })
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let destination = Arc::new(Destination::new("print", Print, RetryPolicy::default()));
//! let pipeline = Pipeline::builder(Signal::Traces).destination(destination, LaneConfig::default()).build()?;
//! // One ResourceSpans without content: field 1, length 0. `Chunk::validate` takes bytes from outside.
//! pipeline.intake().offer(Chunk::from_valid(Signal::Traces, 0, Bytes::from_static(b"\x0a\x00")))?;
//! let report = pipeline.shutdown(Duration::from_secs(5))?;
//! assert!(report.complete);
//! # Ok(())
//! # }
//! ```
//!
//! # Concepts
//!
//! - A [`Pipeline`] carries one signal. An [`Intake`] is the way in for what is encoded already; clone one per thread. An [`EncodingIntake`] is
//!   the way in for spans, log records and metrics in types of one's own: an encoder ([`Encode`]) writes each into an open chunk, on the thread that pushes it.
//!   Any thread can seal such a chunk: whoever fills it up, a flush or a shutdown, and the pipeline's own thread when it is old enough.
//! - A [`Destination`] is an [`Exporter`] with its retry policy and its one pause clock. The part of a pipeline that
//!   belongs to one destination is a *lane*: queue, retries, attempts, byte budget and ledger ([`LaneStatus`]).
//!   Lanes share the batches' bytes and nothing else: a slow destination stalls another only once its own budget is
//!   full, because a chunk is taken for every lane or for none.
//! - A [`Worker`] is the thread; pipelines may share one. With worker threads besides ([`Builder::offload`]) large batches are compressed there, so that one
//!   destination's compression holds up neither the others nor the timers.
//! - A batch that a destination finds too large becomes *parts*, which share its bytes and repeat the resource and scope of what they hold. What the
//!   destination takes is remembered, over all lanes, and the next batches are divided before they are sent. An item that is too large alone is
//!   dropped as `too_large`, alone.
//! - What waits while more than a quarter of the byte budget is used is compressed, and charged for what is left of it ([`LaneConfig::compress_held_above`]); what failed is kept as it was
//!   sent, and not as merged besides. Where the destination does not take it so, it is inflated again, charged for both, and but for four batches only while the budget has room. What happens when the budget is full all the same says [`Overflow`].
//! - [`Parameters`] are what [`Pipeline::apply`] changes while the pipeline runs; a [`Preset`] is a set of settings to begin with. [`Health`] tells at a glance how it goes.
//! - A [`Transform`] ([`Builder::transform`]) changes chunks on their way in, or leaves items of them out, which are counted as `not_sampled`: a
//!   [`ProbabilisticSampler`] samples spans and log records without decoding them. [`OtlpFacts`] are what samplers may look at.
//! - [`TailSampling`] ([`Builder::tail_sampling`]) holds spans until their trace is complete, in a budget of its own, and lets policies decide on
//!   whole traces. [`Pipeline::tail_status`] says what was decided and why, and what is held.
//! - [`encode_exposition`] makes a chunk of a program's own metrics, so that they travel as all others do.
//! - Small chunks are copied into *slabs*, buffers of a pool ([`Builder::slabs`]) to which they return when their batch has settled.
//!
//! # Guarantees
//!
//! - **Conservation.** A batch is in exactly one of open batch, queue, retries or attempts until it settles, and it
//!   settles once. A panicking exporter loses an attempt, never a batch.
//!   The same is true of parts: each has its share of the items, its own attempts, and the age of its batch; who follows a chunk hears of it when all of
//!   its items have settled.
//! - **Deadlines.** [`Pipeline::flush`], [`Pipeline::flush_async`] and [`Pipeline::shutdown`] return in time, from any thread and inside any
//!   runtime; on the pipeline's own worker those that block answer [`WaitError::WouldDeadlock`]. What a shutdown could not deliver is counted
//!   as `unknown_outcome` (under way) or `shutdown` (the rest). Not even an encoder that does not come to an end holds them up: what is in its chunk is
//!   delivered or counted when it does.
//! - **Age.** Nothing waits longer than `max_age` of the batches before it is sealed for sending, open chunk and open batch together; an item that was being
//!   encoded just then may wait as long again.
//! - **Overload.** [`Intake::offer`] and [`EncodingIntake::push`] wait for room only if the pipeline was told to ([`Overflow::Block`]), and then no longer than it was told. A full budget is answered with [`Refused::Full`] and the
//!   time after which, at the measured drain rate, offering again is worth while.
//! - **Pauses.** While a destination is paused nobody sends to it; when the pause ends one request goes first, and the
//!   others follow its success. Requests that fail together count as one failure. While nobody listens there, a pause is at most 10 s, above half of the budget
//!   any is at most 5 s, and while a lane drains or a flush waits 1 s, unless the destination demands more.
//! - **Sparing.** A destination that refuses some of what it gets is sent a tenth more than it takes, and one that was away is met slowly, twice as much
//!   every half second ([`Throttle`](aqueduct_transport::Throttle)), until half of the budget is used, the lane drains or a flush waits. Fifty clients of a backend that comes back at
//!   half its strength send at most 1.2 requests for each that it takes (`cargo xtask bench case-faults`).
//! - **Ordering.** Chunks of one intake keep their order within a batch. Batches may overtake each other, and so may parts of one.
//! - **Forks.** In a process that was forked from the pipeline's, whatever locks its parent's threads held then, the first offer makes everything anew: worker, lanes, connections, empty
//!   ledgers. What was inherited is left to the parent, and told as [`LaneStatus::inherited`]; nothing is sent twice, and the parent is unharmed. An exporter that
//!   cannot be made anew ([`Exporter::rebuild`]) makes offers answer [`Refused::Forked`].
//! - **Panics.** An exporter that panics loses an attempt. A task of the pipeline's thread that panics (a handler of notices may) is begun again with what it held, and counted.
//! - **Silence.** What happens on the pipeline's thread reaches no subscriber of `tracing`: exports make nothing that would be exported.
//! - **Panics of encoders.** They are caught; one costs the item that was being written, and nothing of its chunk.
//! - **Allocation.** [`EncodingIntake::push`] allocates nothing for an item after warm-up. A chunk below 16 KiB is copied into the open batch; with one destination nothing is allocated for it beyond the
//!   batch's slabs, which in steady state come from the pool.
//!
//! # Limitations
//!
//! - Memory only: what is held when the process is killed is lost. Use [`Intake::offer_acknowledged`] to acknowledge
//!   after delivery instead of before.
//! - What is in open chunks is not in the ledger yet, and is lost uncounted if the process is killed. `max_idle` of the batches does not look into open
//!   chunks, and an open chunk's whole size counts against the budget.
//! - How large a request may be is learnt from refusals, in bytes before compression, and not written down: after a start the first large batch is
//!   refused again. Where a server counts compressed bytes, what was learnt from one batch may not suit another, which is then refused once more.
//! - While a request is under way it is held twice, as merged and, if it was compressed, as sent; the budget counts the former. So is a batch of 64 KiB and more that was sent plain
//!   after it was kept compressed.
//! - A part holds the memory of its whole batch as far as that is in large chunks, while the budget counts its share only.
//! - The byte budget counts the chunks' lengths. A chunk of 16 KiB and more is kept by reference, so a slice of a
//!   larger buffer pins all of it.
//!
//! # When not to use this crate
//!
//! For a program that can afford to lose its telemetry in an outage, `aqueduct-transport`'s client alone is smaller.
//! To batch something that is not OTLP use `aqueduct-batch`.
//!
//! # Features
//!
//! - `grpc`, `http`, `gzip` and `zstd` (all on by default) are those of `aqueduct-transport`.
//! - `tune`: `Observer` and `Tuner`, over `aqueduct-tune`.

mod acknowledge;
mod alarm;
mod apply;
mod attempt;
mod budget;
mod builder;
mod config;
mod destination;
mod dispatch;
mod encode;
mod exporter;
mod exposition;
mod halve;
mod health;
mod held;
mod home;
mod intake;
mod lane;
mod measured;
mod metrics;
mod notice;
mod parcel;
mod pipeline;
mod preset;
mod refused;
mod report;
mod sample;
mod slots;
mod sync;
mod tail;
mod transform;
#[cfg(feature = "tune")]
mod tuning;
mod worker;

pub use acknowledge::Delivery;
pub use apply::{Applied, Change, Knob, NotApplied, Parameters};
pub use builder::Builder;
pub use config::{BuildError, LaneConfig, Overflow, PipelineConfig, Priority};
pub use destination::{Breaker, Destination};
pub use encode::{Encode, EncodingIntake, ItemSink};
pub use exporter::{Attempt, Exporter};
pub use exposition::encode_exposition;
pub use health::{Health, LaneHealth};
pub use intake::Intake;
pub use measured::{LaneDistributions, write_distributions};
pub use metrics::{METRICS, write_metrics};
pub use notice::{Notice, NoticeHandler};
pub use pipeline::Pipeline;
pub use preset::Preset;
pub use refused::Refused;
pub use report::{FlushReport, LaneStatus, Report, ShutdownReport, WaitError};
pub use sample::{OtlpFacts, ProbabilisticSampler, SamplerStats, write_sampler_metrics};
pub use tail::{TailSampling, TailSamplingError, TailStatus, write_tail_metrics};
pub use transform::Transform;
#[cfg(feature = "tune")]
pub use tuning::{Observer, RunningTuner, Tuner};
pub use worker::Worker;
