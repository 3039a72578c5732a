//! What can be turned.

use std::fmt;

/// One setting of [`Parameters`](crate::Parameters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Knob {
    /// Items in a batch at most.
    BatchItems,
    /// Bytes in a batch at most.
    BatchBytes,
    /// How long the first item of a batch may wait.
    BatchDelay,
    /// Requests under way that an adaptive limit does not go below.
    MinInFlight,
    /// Requests under way at most.
    MaxInFlight,
    /// Connections to a destination at most.
    Connections,
    /// The byte budget for what is held.
    QueueBytes,
    /// How batches are compressed.
    Compression,
    /// How hard they are compressed.
    CompressionLevel,
    /// Threads that compress and validate.
    WorkerThreads,
    /// The share of items that is kept. Never touched unless [`Bounds::sampling_rate`](crate::Bounds::sampling_rate) allows it.
    SamplingRate,
}

impl Knob {
    /// Every knob, in the order of [`Knob::index`].
    pub const ALL: [Knob; 11] = [
        Knob::BatchItems,
        Knob::BatchBytes,
        Knob::BatchDelay,
        Knob::MinInFlight,
        Knob::MaxInFlight,
        Knob::Connections,
        Knob::QueueBytes,
        Knob::Compression,
        Knob::CompressionLevel,
        Knob::WorkerThreads,
        Knob::SamplingRate,
    ];

    /// How many knobs there are: the length of a table indexed by [`Knob::index`].
    pub const COUNT: usize = Self::ALL.len();

    /// The position in [`Knob::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The setting's name in [`Parameters`](crate::Parameters).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Knob::BatchItems => "batch_items",
            Knob::BatchBytes => "batch_bytes",
            Knob::BatchDelay => "batch_delay",
            Knob::MinInFlight => "min_in_flight",
            Knob::MaxInFlight => "max_in_flight",
            Knob::Connections => "connections",
            Knob::QueueBytes => "queue_bytes",
            Knob::Compression => "compression",
            Knob::CompressionLevel => "compression_level",
            Knob::WorkerThreads => "worker_threads",
            Knob::SamplingRate => "sampling_rate",
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
