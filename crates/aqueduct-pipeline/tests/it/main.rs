//! Tests of the pipeline over scripted exporters: every one ends by checking the conservation law.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod acknowledge;
mod apply;
mod budget;
mod build;
mod delivery;
mod exporters;
mod exposition;
mod fanout;
mod fork;
mod halve;
mod measured;
mod memory;
mod overflow;
mod retry;
mod sample;
mod scripted;
mod shutdown;
mod squeeze;
mod tail;
mod transform;
#[cfg(feature = "tune")]
mod tuning;
mod typed;
