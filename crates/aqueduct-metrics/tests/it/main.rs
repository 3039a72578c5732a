//! Integration tests of `aqueduct-metrics`, one module per subject.
#![allow(clippy::unwrap_used, reason = "a test that finds nothing to unwrap has failed")]

mod forks;
mod histogram;
mod ledger;
mod prometheus;
mod receipt;
mod receipt_model;
mod resources;
