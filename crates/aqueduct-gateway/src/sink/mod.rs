//! `aqueduct sink`: an OTLP server that records every identity, and misbehaves on schedule.
//!
//! It answers the questions that decide whether a gateway can be trusted: is everything that was acknowledged here, did anything
//! arrive twice, and how soon after an outage. Items made by [`aqueduct load`](crate::load) are recorded one by one and exactly;
//! anything else is counted as foreign.
//!
//! Faults come in windows, by default counted from the first request, so that a test can say "20 % `UNAVAILABLE` from second 2 for
//! 5 seconds" and need not guess how long everything takes to start. A request that is made to fail is not recorded, unless the
//! answer is to get lost on purpose (`--store-then-fail`): that is how duplicates are made.

mod args;
mod command;
mod doors;
mod error;
mod faults;
mod recorder;
mod report;
mod server;

pub use args::{FaultClock, SinkArgs};
pub use command::run;
pub use error::SinkError;
pub use faults::FailWith;
pub use report::SinkReport;
pub use server::Sink;
