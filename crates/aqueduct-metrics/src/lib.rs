//! Knows what became of every item of a telemetry pipeline, and how long it took, and says so in numbers that add up.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch   aqueduct-transport   aqueduct-receiver   aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling  [aqueduct-metrics]
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! Pipelines count what they send and what fails, in counters of different stages that never quite agree. Then nobody can say whether an item is
//! late or lost, and code that forgets one makes no sound. Here items are counted where they come in, and whoever holds
//! them holds a [`Receipt`] that must be settled in exactly one way. What is neither delivered, rejected nor dropped with a reason
//! is held: a difference and not a counter, so it cannot drift.
//!
//! # Example
//!
//! ```
//! use aqueduct_metrics::{DropReason, Ledger, Exposition};
//!
//! let ledger = Ledger::new();
//! let mut batch = ledger.accept(100);
//! batch.absorb(ledger.accept(20)).expect("receipts of one ledger join");
//! batch.split(10).dropped(DropReason::MaxAge);
//! batch.partial(3);
//!
//! let now = ledger.snapshot();
//! assert_eq!((now.accepted, now.delivered, now.rejected), (120, 107, 3));
//! assert_eq!((now.dropped_total(), now.held()), (10, 0));
//!
//! let mut page = Exposition::new();
//! page.ledgers(&[(&[("signal", "traces"), ("destination", "otlp")], now)]);
//! assert!(page.prometheus_text().contains("reason=\"max_age\"} 10"));
//! ```
//!
//! # Concepts
//!
//! - A [`Ledger`] is the account of one pipeline and destination. Its law: **accepted + recovered = delivered + rejected + dropped + held**.
//! - A [`Receipt`] answers for items. It is made by the ledger, joined and cut with the data, and consumed by an outcome.
//!   Dropped unsettled, it counts its items as `dropped{leaked}`.
//! - An [`Acknowledge`] waits for items: it is told once what became of them ([`Settled`]), whatever happened to the receipt in between.
//! - A [`DropReason`] names the decision that gave items up; the list is closed, and so is the set of label values.
//! - A [`Desc`] describes a metric in a constant that is checked when it is compiled. An [`Exposition`] is all metrics at one time: Prometheus text, or plain data.
//!   [`METRICS`] lists the metrics of this crate.
//! - A [`Recorder`] has series under the names of descriptors: [`Counter`], [`Gauge`], [`Distribution`] of latencies or sizes, [`Outcomes`] by kind of error. Each
//!   thread records into a cell of its own. A [`Snapshot`] reads all of them; the difference of two is an interval, a [`Window`] keeps the last ones.
//! - A [`Histogram`] is what a distribution is read as: quantiles, extremes, mean; an [`ExponentialHistogram`] is the same in OTLP's terms.
//! - A [`Profiler`] measures sections of code that nest. A [`Report`] says all of it as text, JSON and Prometheus text.
//! - A [`LeakDetector`] tells steady growth from a sawtooth, from warming up and from noise.
//! - A [`ResourceProbe`] reads what a process uses and may use, a [`ThreadProbe`] what some of its threads do. A [`LatencyHistogram`] counts latencies of one writer within 0.1 %.
//!
//! # Guarantees
//!
//! - *Accounting.* The law holds exactly at rest. A snapshot taken while others count never shows a negative number of held
//!   items; it may show items as held whose fate was counted while it was being read.
//! - *Cost.* Accepting and settling are one atomic addition each. Accepting a receipt and absorbing it into a batch took 7.5 to 9 ns on a
//!   machine where one atomic addition takes 8 to 9 (2 virtual cores, x86-64; measure with the example `receipt_cost`).
//! - *Recording.* Counters, distributions and successes: no lock, no line that another thread writes, no allocation after a thread's first values. Quantiles are
//!   within 0.8 % of the exact ones for all values of `u64`. A distribution takes at most 16 KiB a thread. Threads that end hand over what they
//!   counted, and their memory of distributions is freed.
//! - *Intervals.* Readings are never reset, so any number of readers can each form their own intervals, which add up to the lifetime.
//! - *Allocation.* Ledgers and histograms allocate when they are made. Receipts do not, unless several with waiters are
//!   joined or a waiter's items are split.
//! - *Threads.* Nothing here blocks: counters are atomic, snapshots are loads. The one lock on the way of an outcome is that of a waiter
//!   whose items were split, held for a few additions. Making or dropping a ledger takes a global lock.
//! - *Overload.* Nothing grows with traffic but the lists of waiters, which are as long as the batches their receipts were joined into. Series,
//!   kinds of errors, sections and windows are bounded; what is beyond is counted as `other`.
//!
//! # Limitations
//!
//! - All threads that accept into one ledger write one cache line. Past some ten million receipts a second, give each thread a
//!   ledger of its own and sum the snapshots.
//! - A destination that refuses part of a batch does not say which items. With several waiters in the batch they are told
//!   a lower bound: see [`Settled::Partial`].
//! - The memory of a dropped ledger (384 bytes) is reused by later ledgers, but not returned to the allocator.
//! - [`ResourceProbe`] needs Linux. On other systems its samples are errors of the kind `Unsupported`.
//! - Extremes of an interval that were not new in it are known to 0.8 %. The sum of what one thread records in one distribution stops at 2^64: 584 years of latencies.
//! - Counters, and successes, have a cell each for up to 64 threads at a time; more share. Distributions have one for each of 65,536.
//! - [`LeakDetector`] needs nine minutes of readings. It does not see a leak under a cycle of more than a minute and a half, nor one that is small beside the noise: see its limits.
//! - [`LatencyHistogram`] is for one writer at a time, and 264 KiB large.
//!
//! # When not to use this crate
//!
//! - To instrument an application: use the OpenTelemetry SDK or a metrics facade. There is no global registry here, and attributes are those of the descriptor.
//! - Where losing count is fine: a plain atomic counter is half the price of a receipt.
//!
//! # Features
//!
//! None.

mod acknowledge;
mod buckets;
mod desc;
mod exponential;
mod exposition;
mod families;
mod histogram;
mod latency;
mod leak;
mod ledger;
mod probe;
mod profiler;
mod prometheus;
mod reason;
mod receipt;
mod recorder;
mod report;
mod scrape;
mod snapshot;
mod window;

pub use acknowledge::{Acknowledge, Settled};
pub use desc::{Desc, Kind};
pub use exponential::ExponentialHistogram;
pub use exposition::{Exposition, Family, Number, Sample, SampleValue};
pub use families::METRICS;
pub use histogram::Histogram;
pub use latency::LatencyHistogram;
pub use leak::{LeakDetector, LeakReport, Trend, Verdict};
pub use ledger::{Ledger, LedgerSnapshot};
pub use probe::{ResourceProbe, Resources, ThreadProbe, machine_memory_bytes};
pub use profiler::{Profile, Profiler, Section, SectionGuard};
pub use reason::{DropReason, UnknownDropReason};
pub use receipt::Receipt;
pub use recorder::{Counter, Distribution, Gauge, OutcomeCounts, Outcomes, Recorder, SeriesError};
pub use report::Report;
pub use snapshot::{Series, Snapshot, Value};
pub use window::Window;
