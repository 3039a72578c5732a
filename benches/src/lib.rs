//! Benchmarks of the workspace, run by `cargo xtask bench`.
//!
//! A suite declares its rows, each with a unit, a direction, a peer and a bar; the harness measures ours and the peer
//! alternately in one run and reports medians. A declared row without a measurement is an error, a missed bar is not:
//! machines differ, and a number that is merely bad must still be published.
//!
//! - [`chaos`]: faults under load, judged by what is lost and by the ledger; its program is `chaos`;
//! - [`faults`]: applications, ours and the stock one, against a sink that fails by a script;
//! - [`harness`]: rows, bars, statistics, and the timing loop of the micro-benchmarks;
//! - [`process`]: real processes over real sockets, pinned to cores, with CPU and memory read from `/proc`;
//! - [`payload`]: the OTLP requests that the micro-benchmarks work on;
//! - [`interop`]: real clients through the gateway, field by field;
//! - [`report`]: the table, `docs/benchmarks.md` and its plots;
//! - [`sdk`]: applications with the OpenTelemetry SDK in front, and what stands behind it;
//! - [`suites`]: one module per published crate, `gateway` and `targets` for the whole, and the cases;
//! - [`web`]: a web service with and without telemetry, and the load on it.

pub mod chaos;
pub mod faults;
pub mod harness;
pub mod interop;
pub mod payload;
pub mod process;
pub mod report;
pub mod sdk;
pub mod suites;
pub mod web;

/// What goes wrong in a benchmark run is told to a person and ends the run, so a text is enough.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
