//! Better settings while it runs: `aqueduct::tune`.
//!
//! # First look, then turn
//!
//! Most pipelines need no tuning but one thing put right. [`diagnose`](crate::tune::diagnose) says what holds a window up, with the figures that say so; the
//! [`BottleneckChecklist`](crate::tune::BottleneckChecklist) looks at seven places and says what to do about each:
//!
//! ```
//! use std::time::Duration;
//! use aqueduct::tune::{Bottleneck, BottleneckChecklist, Snapshot, diagnose};
//!
//! let mut window = Snapshot::default();
//! window.window = Duration::from_secs(10);
//! (window.offered_items, window.delivered_items) = (100_000, 60_000);
//! (window.requests, window.requests_succeeded) = (1_000, 600);
//! assert_eq!(diagnose(&window)[0].bottleneck, Bottleneck::BackEnd);
//! println!("{}", BottleneckChecklist::of(&window));
//! ```
//!
//! # What the tuner may do
//!
//! It owns the knobs that have a value in its [`Parameters`](crate::tune::Parameters), within [`Bounds`](crate::tune::Bounds). Leave out what somebody else decides:
//!
//! | knob | think of |
//! |---|---|
//! | `compression` | the destination must understand what is allowed: Zstandard is not, by default |
//! | `batch_bytes` | many servers take 4 MiB |
//! | `queue_bytes` | less holds out less long when the destination is away |
//! | `sampling_rate` | less data is a decision; forbidden unless the bounds say otherwise |
//!
//! What it is after is the [`Objective`](crate::tune::Objective): the share of what is wanted that arrives, lessened for loss, latency, CPU time and bytes sent.
//!
//! # In a pipeline
//!
//! [`pipeline::Tuner`](crate::pipeline::Tuner) observes pipelines and applies what it finds; the gateway has one with `service.tuning`:
//!
//! ```
//! # #[cfg(feature = "pipeline")] {
//! use std::time::Duration;
//! use aqueduct::pipeline::{Pipeline, Tuner};
//! use aqueduct::tune::{Algorithm, Bounds};
//!
//! fn tuned(pipeline: &Pipeline) -> std::io::Result<aqueduct::pipeline::RunningTuner> {
//!     let mut bounds = Bounds::default();
//!     bounds.compression.push(Algorithm::Zstd); // the destination understands it
//!     Tuner::new([pipeline], &bounds).spawn(Duration::from_secs(1))
//! }
//! # }
//! ```
//!
//! `aqueduct demo --tune` shows it at work: from three bad starts, with the history of each.
//!
//! # Windows
//!
//! Of 100 ms to 10 s. A decision takes four of them at best, a search from a bad start some 150 to 500. Shorter windows are noisier, and the tuner takes more of them where that matters. A
//! window should be several times as long as a batch may wait.
//!
//! # A dry run
//!
//! ```
//! use std::time::{Duration, Instant};
//! use aqueduct::tune::{AutoTuner, Bounds, Knob, Mode, Parameters, Snapshot, TunerConfig};
//!
//! let mut parameters = Parameters::default();
//! parameters.max_in_flight = Some(4);
//! let mut config = TunerConfig::default();
//! config.mode = Mode::Suggest;
//! let mut tuner = AutoTuner::new(parameters, &Bounds::default()).with_config(config);
//!
//! let mut window = Snapshot::default();
//! window.window = Duration::from_secs(1);
//! (window.offered_items, window.delivered_items) = (10_000, 4_000);
//! (window.in_flight, window.in_flight_limit) = (4.0, 4);
//! assert!(tuner.observe(&window, Instant::now()).is_empty(), "nothing is changed");
//! let suggestion = tuner.suggestions()[0];
//! assert_eq!(suggestion.knob, Knob::MaxInFlight);
//! assert_eq!(suggestion.to_string(), "max_in_flight: 4 -> 16, items wait, and all requests that may be under way are");
//! ```
//!
//! # When it did what you did not want
//!
//! [`undo`](crate::tune::AutoTuner::undo) takes the last change back and keeps it from being made again soon; [`freeze`](crate::tune::AutoTuner::freeze) leaves a knob alone for good;
//! [`history`](crate::tune::AutoTuner::history) says what was changed, why, and what it came to. If the score got better and you are not pleased, the objective's weights are not yours.
//!
//! # When not
//!
//! Where nothing is measured, where windows hold a handful of items, or where the settings have been right for years.
