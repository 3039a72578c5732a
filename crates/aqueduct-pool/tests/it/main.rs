//! Integration tests of `aqueduct-pool`, one module per subject.
#![allow(unsafe_code)]
#![cfg(not(crossbeam_loom))]

mod allocations;
mod blocks;
mod buffers;
mod linearizability;
mod model;
mod objects;
mod panics;
mod regressions;
mod stress;
mod threads;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;
