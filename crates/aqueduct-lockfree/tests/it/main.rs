//! Integration tests of `aqueduct-lockfree`, one module per subject.

#![cfg(not(crossbeam_loom))]

mod census;
mod counter;
mod items;
mod lanes;
mod lanes_local;
mod lanes_stress;
mod lanes_wake;
mod map;
mod map_concurrent;
mod models;
mod per_thread;
mod queue;
mod queue_concurrent;
mod regressions;
mod ring;
mod ring_history;
mod ring_stress;
mod signal_cell;
mod traps;
