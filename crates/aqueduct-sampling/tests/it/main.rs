//! Integration tests of `aqueduct-sampling`, one module per subject.

mod allocations;
mod downstream;
mod head;
mod legacy;
mod rate;
mod rules;
mod statistics;
mod support;
mod threshold;
mod trace_state;
