//! What a process is asked for, and what it tells.

use serde::{Deserialize, Serialize};

use super::clocked::Clocked;
use super::spread::Spread;

/// What a process is to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// An application.
    Load(Load),
    /// A sink that counts items; it says where it listens, and how many it has when a line asks.
    Sink,
    /// Services whose attributes have many values, and their consumer.
    Spread(Spread),
    /// An application whose spans come by the clock, in front of a sink that is there.
    Clocked(Clocked),
}

/// What stands behind the SDK's tracer or logger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Behind {
    /// No processor: what the SDK itself takes.
    Nothing,
    /// The processors of `aqueduct-opentelemetry`.
    Ours,
    /// The SDK's batch processors, with `opentelemetry-otlp` over gRPC where there is a sink.
    Sdk,
}

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A root span of four attributes: two constants, an owned text of 38 bytes, an integer.
    Span,
    /// A log record of the same attributes and a constant body.
    Record,
}

/// How many are made when.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// So many bursts of 1,000 on each thread, with a flush after each.
    Bursts(u32),
    /// So many on each thread in one go, with room for all, and a flush; several times.
    Flood {
        /// On each thread, in each round.
        items: u32,
        /// One more comes first, which is not in the figures.
        rounds: u32,
    },
    /// So many a second by the clock, on one thread.
    Paced {
        /// A second.
        rate: f64,
        /// For so long.
        seconds: f64,
    },
    /// As many as can be made, on one thread for so many seconds. Ours wait for room; the SDK drops.
    FlatOut(f64),
}

/// A load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// What stands behind the SDK.
    pub behind: Behind,
    /// What is made.
    pub item: Item,
    /// Where the sink is, `http://host:port`; without one the exporter counts and drops.
    pub endpoint: Option<String>,
    /// Threads that make items.
    pub threads: u32,
    /// How many are made when.
    pub shape: Shape,
}

/// What a load has measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Items made, those included that are not in the figures.
    pub made: u64,
    /// Items that the exporter got; 0 with a sink, which counts itself.
    pub exported: u64,
    /// Nanoseconds of an application thread for an item, by the clock on the wall.
    pub thread_ns: f64,
    /// Nanoseconds of CPU for an item, of the whole process.
    pub cpu_ns: f64,
    /// From the first item to the end of the shutdown.
    pub seconds: f64,
    /// The most resident bytes.
    pub peak_rss: u64,
}
