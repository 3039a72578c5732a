//! What can be set about a pipeline, and what is wrong with it.

use std::fmt;
use std::time::Duration;

use aqueduct_batch::BatchConfig;

/// Limits of one lane: what a pipeline holds for one destination.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaneConfig {
    /// Bytes held for the destination at most, over open batch, queue, retries and attempts. Past it new chunks are
    /// refused for the whole pipeline. Default 64 MiB. An outage of `t` seconds at `r` bytes a second needs `t * r`.
    pub queue_bytes: u64,
    /// Requests under way at most. Default 32. The rate is at most this times the batch size over the round trip.
    pub max_in_flight: usize,
    /// Whether the number of requests under way is found by trying, from 4 (or `max_in_flight`, if that is less) to `max_in_flight`: it grows until answers take longer or the destination refuses
    /// ([`ConcurrencyLimit`](aqueduct_transport::ConcurrencyLimit)). Otherwise it is `max_in_flight` always. Default true; it begins at 8.
    pub adaptive: bool,
    /// Past so many percent of `queue_bytes`, batches that wait, but for those that will have left within a second as it looks, are compressed (Zstandard, level 1), and charged for what is left of them: in an outage
    /// the same memory holds several times as much. 0 compresses whatever waits, 100 nothing. Needs the feature `zstd`. Default 25.
    pub compress_held_above: u8,
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self { queue_bytes: 64 << 20, max_in_flight: 32, adaptive: true, compress_held_above: 25 }
    }
}

impl LaneConfig {
    /// Sets [`LaneConfig::queue_bytes`].
    #[must_use]
    pub fn with_queue_bytes(mut self, bytes: u64) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Sets [`LaneConfig::max_in_flight`].
    #[must_use]
    pub fn with_max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = requests;
        self
    }

    /// Sets [`LaneConfig::adaptive`].
    #[must_use]
    pub fn with_adaptive(mut self, adaptive: bool) -> Self {
        self.adaptive = adaptive;
        self
    }

    /// Sets [`LaneConfig::compress_held_above`].
    #[must_use]
    pub fn with_compress_held_above(mut self, percent: u8) -> Self {
        self.compress_held_above = percent;
        self
    }
}

/// What happens to a chunk for which a lane's byte budget has no room.
///
/// Whatever the policy, [`LaneStatus::refused_items`](crate::LaneStatus::refused_items) counts what was refused, and the ledger what was dropped (`dropped{budget}`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "overflow_policy")]
pub enum Overflow {
    /// It is refused, and stays with whoever offered it.
    #[default]
    DropNewest,
    /// The oldest batches that wait are dropped to make room, those of [`Priority::Normal`] first. What is under way is not touched, so a chunk may be
    /// refused all the same.
    DropOldest,
    /// A chunk of [`Priority::High`] is let in at the expense of the oldest batches of [`Priority::Normal`] that wait; otherwise as
    /// [`DropNewest`](Self::DropNewest). For errors, which are worth more than the rest.
    KeepErrors,
    /// The thread that offers waits for room, at most so long; then the chunk is refused. Never on the pipeline's own thread, which would wait for itself.
    Block(Duration),
}

/// What is dropped later when there is no room for all; see [`Overflow`]. Batches are of one priority; the lower one is dropped first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// Most of the data.
    #[default]
    Normal,
    /// What is to be kept when there is no room for the rest: errors, say.
    High,
}

impl Priority {
    pub(crate) const ALL: [Priority; 2] = [Priority::Normal, Priority::High];
}

/// Settings of a pipeline as a whole.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PipelineConfig {
    /// When a batch is sealed. Default 8,192 items, 8 MiB or 200 ms, whichever comes first.
    pub batch: BatchConfig,
    /// Open batches that are filled side by side; one per thread that offers avoids contention. Default 1.
    pub shards: usize,
    /// What happens to a chunk for which a lane has no room. Default [`Overflow::DropNewest`]: it is refused.
    pub overflow: Overflow,
    /// Bytes in a chunk that an [`EncodingIntake`](crate::EncodingIntake) has open, which are reserved in every lane as long as it is. Default 64 KiB;
    /// from 20 KiB on chunks that fill up are not copied again. At most what leaves half of the smallest `queue_bytes` free with a chunk open in every slot of
    /// an intake, but 1 KiB at least.
    pub chunk_bytes: usize,
    /// How long dropping a pipeline that was not shut down may take to deliver what it holds. Default 5 s.
    pub drop_deadline: Duration,
    /// Bytes of memory that the pipeline's own pool of slabs may own; of no effect with [`Builder::slabs`](crate::Builder::slabs). Default 16 MiB; 0 keeps
    /// nothing.
    pub slab_pool_bytes: usize,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            batch: BatchConfig::default(),
            shards: 1,
            overflow: Overflow::DropNewest,
            chunk_bytes: 64 << 10,
            drop_deadline: Duration::from_secs(5),
            slab_pool_bytes: 16 << 20,
        }
    }
}

/// Why a pipeline could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// No destination was given.
    NoDestination,
    /// Two destinations of this name: their figures could not be told apart.
    DuplicateDestination(String),
    /// A limit is zero that must not be.
    Zero(&'static str),
    /// The batch limits contradict each other.
    Batch(aqueduct_batch::ConfigError),
    /// Tail sampling is for traces: other signals have none.
    TailOf(aqueduct_wire::Signal),
    /// The worker thread could not be started.
    Worker(std::io::Error),
    /// The worker was started before this process was forked: its thread does not exist here.
    Forked,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::NoDestination => f.write_str("a pipeline needs at least one destination"),
            BuildError::DuplicateDestination(name) => write!(f, "two destinations are named {name:?}"),
            BuildError::Zero(what) => write!(f, "{what} must be at least 1"),
            BuildError::Batch(_) => f.write_str("the batch limits are not usable"),
            BuildError::TailOf(signal) => write!(f, "tail sampling is for traces, not for {signal}"),
            BuildError::Worker(_) => f.write_str("the worker thread could not be started"),
            BuildError::Forked => {
                f.write_str("the worker was started before this process was forked; start one in the child")
            }
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BuildError::Batch(error) => Some(error),
            BuildError::Worker(error) => Some(error),
            BuildError::NoDestination
            | BuildError::DuplicateDestination(_)
            | BuildError::Zero(_)
            | BuildError::TailOf(_)
            | BuildError::Forked => None,
        }
    }
}
