//! Integration tests of `aqueduct-metrics`, one module per subject.
#![allow(clippy::unwrap_used, reason = "a test that finds nothing to unwrap has failed")]

mod distribution;
mod exponential;
mod forks;
mod latency;
mod leak;
mod ledger;
mod profiler;
mod prometheus;
mod random;
mod receipt;
mod receipt_model;
mod recorder;
mod report;
mod resources;
