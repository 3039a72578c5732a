//! Integration tests of `aqueduct-tune`, one module per subject.

mod bounds;
mod checklists;
mod cpu_target;
mod diagnosis;
mod hostile;
mod noise;
mod objective;
mod simulated;
mod simulator;
mod tuner;
