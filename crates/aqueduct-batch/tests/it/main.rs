//! Integration tests of `aqueduct-batch`, one module per subject.

mod batcher;
mod model;
