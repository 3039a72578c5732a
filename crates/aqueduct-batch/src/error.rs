//! What can go wrong: one type per operation.

use std::fmt;
use std::io;

/// A configuration that cannot be meant: a [`BatchConfig`](crate::BatchConfig), a [`QueueMonitor`](crate::QueueMonitor), a
/// [`DynamicBatch`](crate::DynamicBatch) or a [`ProcessorBuilder`](crate::ProcessorBuilder).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// `max_items` is zero: no batch could hold anything.
    ZeroItems,
    /// `max_bytes` is zero: no batch could hold anything.
    ZeroBytes,
    /// A batch may be larger than the queue: it could never be full.
    BatchExceedsQueue {
        /// What is counted: `items` or `bytes`.
        unit: &'static str,
        /// The most in a batch.
        batch: u64,
        /// The most in the queue.
        queue: u64,
    },
    /// `max_concurrent` is zero: no batch could ever be handled.
    ZeroConcurrent,
    /// A closure that returns when it is done handles one batch at a time, and more were asked for.
    SyncConcurrent {
        /// How many.
        wanted: usize,
    },
    /// Retrying with no attempt at all: no batch could ever be handled.
    ZeroAttempts,
    /// Watermarks above the capacity, or not apart.
    Watermarks {
        /// The high one in percent.
        high: u8,
        /// The low one in percent.
        low: u8,
    },
    /// The target latency is zero: no size could meet it.
    ZeroTarget,
    /// No size from 1 on lies between the bounds.
    DynamicBounds {
        /// The smallest size.
        min: u64,
        /// The largest size.
        max: u64,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::ZeroItems => f.write_str("max_items is zero, the least is 1"),
            ConfigError::ZeroBytes => f.write_str("max_bytes is zero, the least is 1"),
            ConfigError::BatchExceedsQueue { unit, batch, queue } => write!(
                f,
                "max_{unit} of a batch is {batch} and the queue holds {queue}: make the batch smaller or the queue larger"
            ),
            ConfigError::ZeroConcurrent => f.write_str("max_concurrent is zero, the least is 1"),
            ConfigError::SyncConcurrent { wanted } => write!(
                f,
                "max_concurrent is {wanted}, and a handler on a thread of its own takes one batch at a time: \
                 use an async handler"
            ),
            ConfigError::ZeroAttempts => f.write_str("the attempts are zero, the least is 1"),
            ConfigError::Watermarks { high, low } => write!(
                f,
                "the watermarks are {high} and {low} percent: the high one is at most 100, the low one less than the high one"
            ),
            ConfigError::ZeroTarget => f.write_str("the target latency is zero: give one above it"),
            ConfigError::DynamicBounds { min, max } => {
                write!(
                    f,
                    "the sizes go from {min} to {max}: the smallest is at least 1 and at most the largest"
                )
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Why a [`BatchProcessor`](crate::BatchProcessor) could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot be meant.
    Config(ConfigError),
    /// The operating system started no further thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(error) => error.fmt(f),
            StartError::Thread(error) => write!(f, "no thread could be started: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Config(error) => Some(error),
            StartError::Thread(error) => Some(error),
        }
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        StartError::Config(error)
    }
}

/// Why a [`BatchProcessor`](crate::BatchProcessor) took no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The queue is full, and the policy lets nothing else go for this item. Later there may be room.
    Full,
    /// The queue stayed full for as long as the item may wait ([`Overflow::Block`](crate::Overflow::Block)).
    TimedOut,
    /// The item alone is heavier than the whole queue.
    TooLarge,
    /// The processor is shutting down, or has stopped.
    Closed,
}

impl Refusal {
    /// Whether trying again later may help.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Refusal::Full | Refusal::TimedOut)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Full => "the queue is full",
            Refusal::TimedOut => "the queue stayed full until the deadline",
            Refusal::TooLarge => "the item alone is heavier than the whole queue",
            Refusal::Closed => "the processor is shut down",
        })
    }
}

impl std::error::Error for Refusal {}

/// An item that was not taken, untouched, and the reason.
pub struct Refused<T> {
    item: T,
    reason: Refusal,
}

impl<T> Refused<T> {
    pub(crate) fn new(item: T, reason: Refusal) -> Refused<T> {
        Refused { item, reason }
    }

    /// Why.
    pub fn reason(&self) -> Refusal {
        self.reason
    }

    /// The item, to be kept, added again, or let go.
    pub fn into_inner(self) -> T {
        self.item
    }
}

impl<T> fmt::Debug for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<T> std::error::Error for Refused<T> {}

/// Why there is nothing to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The call came from the processor's own handler, which would wait for itself.
    WouldDeadlock,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitError::WouldDeadlock => {
                f.write_str("called from the processor's own handler, which would wait for itself")
            }
        }
    }
}

impl std::error::Error for WaitError {}
