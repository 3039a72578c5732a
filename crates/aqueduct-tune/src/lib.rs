//! Tunes a telemetry pipeline: finds what holds it up, tries one change at a time within bounds, keeps what helps, and says why.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch   aqueduct-transport   aqueduct-receiver  [aqueduct-tune]
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! A pipeline has a dozen settings that depend on each other, on the load and on a destination that nobody has measured. They are guessed once and
//! stay. Tuning them by a program goes wrong in the same few ways: several things are changed at once, so that nobody knows what helped; noise or a busier hour is taken for
//! an effect; it never comes to rest; it cannot say what it did. Here a tuner changes one setting, observes, and keeps the change only if what counts is better beyond noise and at
//! the same load. Beside it there are the two checklists that people go through by hand, computed from figures.
//!
//! # Example
//!
//! A pipeline whose batches are too small, and a tuner that finds out:
//!
//! ```
//! use std::time::{Duration, Instant};
//! use aqueduct_tune::{AutoTuner, Bounds, Knob, Parameters, Snapshot};
//!
//! // What a pipeline would report: each request costs 2 ms, so that small batches cannot carry 50,000 items a second.
//! fn observe(parameters: &Parameters) -> Snapshot {
//!     let items = parameters.batch_items.unwrap_or(1);
//!     let mut snapshot = Snapshot::default();
//!     snapshot.window = Duration::from_secs(1);
//!     snapshot.offered_items = 50_000;
//!     snapshot.delivered_items = (items * 500).min(50_000);
//!     snapshot.refused_items = snapshot.offered_items - snapshot.delivered_items;
//!     snapshot.sealed.items = 500;
//!     snapshot
//! }
//!
//! let mut parameters = Parameters::default();
//! parameters.batch_items = Some(16);
//! let mut bounds = Bounds::default();
//! bounds.batch_items = 16..=4_096;
//! let mut tuner = AutoTuner::new(parameters, &bounds);
//!
//! let start = Instant::now();
//! for second in 0..120 {
//!     let snapshot = observe(tuner.parameters());
//!     for change in tuner.observe(&snapshot, start + Duration::from_secs(second)) {
//!         println!("{change}"); // and make it: batch_items: 16 -> 64, items wait ...
//!     }
//! }
//! assert!(tuner.parameters().batch_items >= Some(100), "enough for all");
//! assert!(tuner.is_resting());
//! println!("{}", tuner.history());
//! ```
//!
//! # Concepts
//!
//! - [`Parameters`] are the settings, a [`Knob`] one of them, a [`Value`] what it is set to. A knob without a value belongs to somebody else: each knob has one owner.
//! - [`Bounds`] say what a knob may be set to. Sampling is not touched unless they allow it.
//! - A [`Snapshot`] is what was observed over a window. An [`Objective`] makes one number of it, the score, and [`Verdict`]s of what is plainly bad.
//! - An [`AutoTuner`] is given snapshots and returns [`Adjustment`]s. Its controllers propose, each for the bottleneck it knows; one proposal at a time is tried.
//!   [`TunerConfig`] says how patiently, [`Mode::Suggest`] makes a dry run of it.
//! - A [`CpuTarget`] moves the sampling rate after a share of the CPU, alone or in a tuner ([`AutoTuner::with_cpu_target`]), which then leaves that knob to it.
//! - The [`History`] has an [`Entry`] for each of the last 100 changes: when, what, why, the score before and after, and the [`Outcome`].
//! - [`diagnose`] names the [`Bottleneck`]s of a window, with evidence. [`BottleneckChecklist`] looks at seven places of a running pipeline, [`ProductionChecklist`] at ten points of
//!   an installation ([`ProductionFacts`]).
//!
//! # How a change is judged
//!
//! Scores are compared as logarithms, so that differences are shares. A change is kept if the mean score is better by [`min_gain`](TunerConfig::min_gain) *and* by three standard errors,
//! over 3 to 12 windows; the noise is learnt from windows under equal settings. If the load differs between before and after, nobody can tell, and it is taken back. A loss of a third
//! is taken back at once. Steps go by factors of 4, then 2, then 1.4; what helped is tried again in the same direction first. After a round in which little was gained the tuner rests. It wakes when
//! the score is a tenth worse than it was *at this load*, when something is plainly bad at a load at which that was not looked into, or after an hour (then two, four, up to a day), if there is a reason to try
//! something. What a load that fell may have done by itself is not put down to a change.
//!
//! # Guarantees
//!
//! - *Pure.* Time is an argument; there is no clock, no thread, no randomness. The same snapshots give the same changes.
//! - *Bounds.* No setting is ever proposed outside of its bounds, whatever the figures are: NaN, infinities, zeros, a clock that stands still.
//! - *One at a time.* At most one change is being observed. A knob that is frozen, could not be applied, or has no value is not touched.
//! - *Good enough.* On six simulated back ends (fast, 50 ms away, rate-limited, CPU-bound, lossy, diurnal), from three bad starts each, the score ends within a tenth of the best
//!   static settings found on a grid, and at most one change is taken back in the steady state, where the figures of a window scatter by 4 %. These simulations are tests of this crate.
//! - *A share of the CPU.* In simulations with seeds, the use under a [`CpuTarget`] comes within a tenth of it after a step of the load, ten times up or down, and stays there: from the 25th window on where
//!   windows scatter by 2 %, from the 45th on where they do by 5 %; where they scatter by 10 % it is within a tenth on average, and by 20 % one window in ten is further off. A burst of ten times the load is answered after two windows.
//! - *Allocation.* [`AutoTuner::observe`] allocates only when it returns a change. The history is bounded.
//!
//! # Limitations
//!
//! - It climbs: one knob at a time, from where it is. Where two knobs must change together for either to help, it stays where it is.
//! - Noise costs. Where the figures of a window scatter by 10 %, 8 of 360 simulated searches ended more than a tenth below the best (the lowest at 0.85 of it), and by 20 % one in ten: use longer windows.
//! - It optimises the score. If that does not say what you want, set the weights of the [`Objective`].
//! - Trials cost: while it searches, some windows are worse than they were. Freeze what must not move.
//! - A change whose effect comes later than [`settle_windows`](TunerConfig::settle_windows) windows, and then not within 12, is misjudged.
//! - One set of settings serves all loads; it does not switch between a day's and a night's.
//! - An attempt that is taken back because the load moved is not repeated at once. Where the load of windows scatters by more than their noise suggests, use longer windows.
//! - A [`CpuTarget`] sees what is measured. Where work waits in a queue, CPU time lags behind the rate, and it goes too far before it comes back; after a quiet time the first windows of a burst are
//!   above the target.
//! - What nobody measures (`None` in the snapshot) is not taken into account.
//!
//! # When not to use this crate
//!
//! - If the settings are known to be right: constants are simpler.
//! - To move a limit within seconds. The pipeline's adaptive limit and `DynamicBatch` of `aqueduct-batch` do that, within bounds that this crate moves.
//!
//! # Features
//!
//! None.

mod bounds;
mod check;
mod cpu_target;
mod diagnose;
mod history;
mod knob;
mod objective;
mod parameters;
mod series;
mod snapshot;
mod tuner;

pub use bounds::Bounds;
pub use check::{
    BottleneckChecklist, Check, ProductionChecklist, ProductionFacts, ProductionItem, Status, checklist,
};
pub use cpu_target::{CpuTarget, RateMovement};
pub use diagnose::{Bottleneck, Diagnosis, diagnose};
pub use history::{Entry, History, Outcome};
pub use knob::Knob;
pub use objective::{Objective, Verdict};
pub use parameters::{Algorithm, Parameters, Value};
pub use snapshot::{KeyCardinality, Seals, Snapshot};
pub use tuner::{Adjustment, AutoTuner, Mode, TunerConfig};
