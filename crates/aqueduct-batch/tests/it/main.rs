//! Integration tests of `aqueduct-batch`, one module per subject.

mod batcher;
mod driver;
mod dynamic;
mod model;
mod monitor;
mod processor;
