//! Measuring a program: `aqueduct::metrics`.
//!
//! # What to measure with
//!
//! | question | take |
//! |---|---|
//! | how many | [`Counter`](crate::metrics::Counter) |
//! | how much at the moment | [`Gauge`](crate::metrics::Gauge) |
//! | how long, how large, and how long at worst | [`Distribution`](crate::metrics::Distribution) |
//! | how often well, how often not, and why | [`Outcomes`](crate::metrics::Outcomes) |
//! | where the time goes | [`Profiler`](crate::metrics::Profiler) |
//! | whether memory only grows | [`LeakDetector`](crate::metrics::LeakDetector) |
//! | what became of every item | [`Ledger`](crate::metrics::Ledger): it must add up, where a counter may be forgotten |
//!
//! # A recorder and its series
//!
//! Describe each metric in a constant, ask the [`Recorder`](crate::metrics::Recorder) for its series once, keep them, record from any thread. Each thread writes
//! memory of its own, so that recording takes some two nanoseconds on any number of threads, and no lock. What ended threads recorded stays.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use aqueduct::metrics::{Desc, Recorder, Report};
//!
//! const LATENCY: Desc =
//!     Desc::histogram("shop_export_seconds", "s", "Time to an answer.").with_attributes(&["destination"]);
//! const EXPORTS: Desc =
//!     Desc::counter("shop_exports_total", "{export}", "Exports.").with_attributes(&["destination", "error_type"]);
//!
//! let start = Instant::now();
//! let recorder = Recorder::new(start);
//! let latency = recorder.distribution(&LATENCY, &["eu"])?;
//! let exports = recorder.outcomes(&EXPORTS, &["eu"])?;
//! std::thread::scope(|scope| {
//!     for _ in 0..2 {
//!         scope.spawn(|| {
//!             for millis in 1..=100 {
//!                 latency.record_duration(Duration::from_millis(millis));
//!                 if millis < 100 { exports.success() } else { exports.error("timeout") }
//!             }
//!         });
//!     }
//! });
//!
//! let minute = recorder.snapshot(start + Duration::from_secs(60));
//! let seen = minute.histogram(&LATENCY, &["eu"]).expect("it was asked for");
//! assert!((seen.quantile(0.99) as f64 / 99e6 - 1.0).abs() < 0.01);
//! assert_eq!(minute.outcomes(&EXPORTS, &["eu"]).and_then(|counts| counts.success_rate()), Some(0.99));
//! println!("{}", Report::new(minute)); // or .to_json(), or .to_prometheus()
//! # Ok::<(), aqueduct::metrics::SeriesError>(())
//! ```
//!
//! # Intervals
//!
//! A snapshot covers the recorder's life, which is what a scraper wants. For "the last minute" take the difference of two, by
//! [`Snapshot::since`](crate::metrics::Snapshot::since), or let a [`Window`](crate::metrics::Window) keep the last ones. Readers do not disturb each other: nothing is
//! reset by reading.
//!
//! # Latencies that nobody waited for
//!
//! One who sends a request each 10 ms and waits for its answer sends none while the system stalls for a second, and records one bad latency
//! where a hundred users would have. [`record_corrected`](crate::metrics::Distribution::record_corrected) adds the 99 others:
//!
//! ```
//! use aqueduct::metrics::Distribution;
//!
//! let latency = Distribution::new();
//! (0..100).for_each(|_| latency.record_corrected(1_000_000, 10_000_000));
//! latency.record_corrected(1_000_000_000, 10_000_000);
//! assert!(latency.read().quantile(0.9) > 700_000_000);
//! ```
//!
//! Do that only where requests are made at a fixed rate. Where each waits for the one before, as a batch exporter's do, there is nothing to correct.
//!
//! # Where the time goes
//!
//! ```
//! use std::time::Instant;
//! use aqueduct::metrics::Profiler;
//!
//! let profiler = Profiler::new();
//! for _ in 0..3 {
//!     let _export = profiler.section("export", Instant::now);
//!     let _encode = profiler.section("encode", Instant::now);
//! }
//! let profile = profiler.profile();
//! assert!(profile.section("export").expect("it ran").total >= profile.section("encode").expect("it ran").total);
//! ```
//!
//! # Whether memory only grows
//!
//! Read the resident memory once a second ([`ResourceProbe`](crate::metrics::ResourceProbe)) and give it to a [`LeakDetector`](crate::metrics::LeakDetector). It looks at the
//! floors that memory comes back to, so neither a sawtooth nor warming up is an alarm, and a leak of 1 MiB a minute is one after nine minutes. Comparing two readings tells
//! none of these apart.
