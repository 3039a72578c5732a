//! `aqueduct load`: a generator of OTLP requests that can account for every item it sent.
//!
//! * **Open or closed loop.** With a rate, requests are due by the clock and latency counts from the moment a request was due; a
//!   target that stalls cannot make its own measurement look better. Without a rate, a fixed number of requests is kept in flight.
//! * **Identity.** Every item carries a producer and a sequence ([`ids`](crate::ids)), and the report lists the acknowledged ones as
//!   ranges, so that a sink's report can be compared item by item.
//! * **Retries as the specification says.** A refusal is not a loss: the request is sent again, with back-off, until its expiry.
//! * **Cheap.** A request is a patched template, one task drives a connection with all its streams, and a burst of requests leaves
//!   in one system call. A generator that costs more than what it measures measures itself.

mod answer;
mod args;
mod bell;
mod body;
mod coalesce;
mod command;
mod error;
mod exchange;
mod generator;
mod grpc;
mod http;
mod pace;
mod payload;
mod queue;
mod schedule;
mod stats;
mod target;

pub use args::{LoadArgs, LoadProtocol};
pub use body::Encoder;
pub use command::run;
pub use error::LoadError;
pub use generator::{Load, LoadProgress};
pub use stats::LoadReport;

/// How the generator names itself to servers.
const USER_AGENT: &str = concat!("aqueduct-load/", env!("CARGO_PKG_VERSION"));
