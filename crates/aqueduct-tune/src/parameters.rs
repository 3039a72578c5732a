//! The settings, all together and one by one.

use std::fmt;
use std::time::Duration;

use crate::Knob;

/// How batches are compressed, without the level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// As it is.
    #[default]
    None,
    /// Zstandard. Not every OTLP server understands it.
    Zstd,
    /// gzip. Every OTLP server understands it.
    Gzip,
}

impl Algorithm {
    /// The name in headers and configurations: `none`, `gzip`, `zstd`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::None => "none",
            Algorithm::Zstd => "zstd",
            Algorithm::Gzip => "gzip",
        }
    }

    pub(crate) const ALL: [Algorithm; 3] = [Algorithm::None, Algorithm::Zstd, Algorithm::Gzip];
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The settings of a pipeline. What is `None` belongs to somebody else, and the tuner leaves it alone.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_tune::{Knob, Parameters, Value};
///
/// let mut parameters = Parameters::default();
/// parameters.batch_items = Some(512);
/// parameters.batch_delay = Some(Duration::from_millis(50));
/// assert_eq!(parameters.get(Knob::BatchItems), Some(Value::Count(512)));
/// assert_eq!(parameters.get(Knob::Connections), None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Parameters {
    /// Items in a batch at most.
    pub batch_items: Option<u64>,
    /// Bytes in a batch at most.
    pub batch_bytes: Option<u64>,
    /// How long the first item of a batch may wait.
    pub batch_delay: Option<Duration>,
    /// Requests under way that an adaptive limit does not go below; at most `max_in_flight`.
    pub min_in_flight: Option<u64>,
    /// Requests under way at most.
    pub max_in_flight: Option<u64>,
    /// Connections to each destination at most.
    pub connections: Option<u64>,
    /// The byte budget for what is held.
    pub queue_bytes: Option<u64>,
    /// How batches are compressed.
    pub compression: Option<Algorithm>,
    /// How hard they are compressed; of no effect with [`Algorithm::None`].
    pub compression_level: Option<i32>,
    /// Threads that compress and validate.
    pub worker_threads: Option<u64>,
    /// The share of items that is kept, above 0 and at most 1.
    pub sampling_rate: Option<f64>,
}

impl Parameters {
    /// The value of a knob, or `None` if somebody else owns it.
    #[must_use]
    pub fn get(&self, knob: Knob) -> Option<Value> {
        match knob {
            Knob::BatchItems => self.batch_items.map(Value::Count),
            Knob::BatchBytes => self.batch_bytes.map(Value::Bytes),
            Knob::BatchDelay => self.batch_delay.map(Value::Time),
            Knob::MinInFlight => self.min_in_flight.map(Value::Count),
            Knob::MaxInFlight => self.max_in_flight.map(Value::Count),
            Knob::Connections => self.connections.map(Value::Count),
            Knob::QueueBytes => self.queue_bytes.map(Value::Bytes),
            Knob::Compression => self.compression.map(Value::Algorithm),
            Knob::CompressionLevel => self.compression_level.map(Value::Level),
            Knob::WorkerThreads => self.worker_threads.map(Value::Count),
            Knob::SamplingRate => self.sampling_rate.map(Value::Share),
        }
    }

    /// Sets a knob. Returns whether the value is of the knob's kind; otherwise nothing changes.
    pub fn set(&mut self, knob: Knob, value: Value) -> bool {
        match (knob, value) {
            (Knob::BatchItems, Value::Count(items)) => self.batch_items = Some(items),
            (Knob::BatchBytes, Value::Bytes(bytes)) => self.batch_bytes = Some(bytes),
            (Knob::BatchDelay, Value::Time(delay)) => self.batch_delay = Some(delay),
            (Knob::MinInFlight, Value::Count(requests)) => self.min_in_flight = Some(requests),
            (Knob::MaxInFlight, Value::Count(requests)) => self.max_in_flight = Some(requests),
            (Knob::Connections, Value::Count(connections)) => self.connections = Some(connections),
            (Knob::QueueBytes, Value::Bytes(bytes)) => self.queue_bytes = Some(bytes),
            (Knob::Compression, Value::Algorithm(algorithm)) => self.compression = Some(algorithm),
            (Knob::CompressionLevel, Value::Level(level)) => self.compression_level = Some(level),
            (Knob::WorkerThreads, Value::Count(threads)) => self.worker_threads = Some(threads),
            (Knob::SamplingRate, Value::Share(share)) => self.sampling_rate = Some(share),
            _ => return false,
        }
        true
    }

    /// Only this knob, for an API that changes what is not `None`.
    #[must_use]
    pub fn only(&self, knob: Knob) -> Parameters {
        let mut one = Parameters::default();
        if let Some(value) = self.get(knob) {
            one.set(knob, value);
        }
        one
    }
}

/// The value of a knob, with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Items, requests, connections or threads.
    Count(u64),
    /// Bytes.
    Bytes(u64),
    /// A delay.
    Time(Duration),
    /// How batches are compressed.
    Algorithm(Algorithm),
    /// How hard they are compressed.
    Level(i32),
    /// A share from 0 to 1.
    Share(f64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Count(count) => write!(f, "{count}"),
            Value::Bytes(bytes) => write!(f, "{bytes} B"),
            Value::Time(time) => write!(f, "{time:?}"),
            Value::Algorithm(algorithm) => write!(f, "{algorithm}"),
            Value::Level(level) => write!(f, "{level}"),
            Value::Share(share) => write!(f, "{:.4} %", share * 100.0),
        }
    }
}
