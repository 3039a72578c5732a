//! What can go wrong: one type per operation.

use std::fmt;
use std::io;

use crate::affinity::AffinityError;

/// Why a job has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError {
    /// It panicked, with this message. The worker goes on.
    Panicked(String),
    /// It was cancelled through its handle.
    Cancelled,
    /// The pool stopped before the job was done. What the job held is dropped right after that.
    Abandoned,
    /// The deadline passed first. The job goes on, and the handle is still good.
    TimedOut,
    /// The result was taken before.
    AlreadyTaken,
    /// The job belongs to the parent process: its worker does not exist on this side of the fork.
    Forked,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JobError::Panicked(message) => write!(f, "the job panicked: {message}"),
            JobError::Cancelled => f.write_str("the job was cancelled"),
            JobError::Abandoned => f.write_str("the pool stopped before the job was done"),
            JobError::TimedOut => f.write_str("the deadline passed before the job was done"),
            JobError::AlreadyTaken => f.write_str("the result was taken before"),
            JobError::Forked => f.write_str("the job belongs to the parent process"),
        }
    }
}

impl std::error::Error for JobError {}

/// Why the pool took no job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// As many jobs wait as may. Later there may be room.
    Full,
    /// The pool is shutting down, or has stopped.
    ShutDown,
    /// The pool belongs to the parent process. Build a new one.
    Forked,
}

impl Refusal {
    /// Whether trying again later may help.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        self == Refusal::Full
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Full => "the pool's queue is full",
            Refusal::ShutDown => "the pool is shut down",
            Refusal::Forked => "the pool belongs to the parent process",
        })
    }
}

impl std::error::Error for Refusal {}

/// A refused job: the closure or future, untouched, and the reason.
pub struct Refused<F> {
    job: F,
    reason: Refusal,
}

impl<F> Refused<F> {
    pub(crate) fn new(job: F, reason: Refusal) -> Refused<F> {
        Refused { job, reason }
    }

    /// Why.
    pub fn reason(&self) -> Refusal {
        self.reason
    }

    /// The closure or future, to be run in place, kept, or spawned again.
    pub fn into_inner(self) -> F {
        self.job
    }
}

impl<F> fmt::Debug for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<F> std::error::Error for Refused<F> {}

/// Why a pool could not be built or resized.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// More threads were asked for than the pool may have.
    TooMany {
        /// Asked for.
        wanted: usize,
        /// The most, by [`WorkerPoolConfig::with_max_threads`](crate::WorkerPoolConfig::with_max_threads) or by this crate.
        most: usize,
    },
    /// The operating system started no further thread.
    Thread(io::Error),
    /// A thread could not be pinned.
    Affinity(AffinityError),
    /// The pool is shut down, or belongs to the parent process.
    Refused(Refusal),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::TooMany { wanted, most } => write!(f, "{wanted} threads are more than {most}"),
            StartError::Thread(error) => write!(f, "no thread could be started: {error}"),
            StartError::Affinity(error) => write!(f, "a thread could not be pinned: {error}"),
            StartError::Refused(reason) => reason.fmt(f),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Thread(error) => Some(error),
            StartError::Affinity(error) => Some(error),
            StartError::TooMany { .. } | StartError::Refused(_) => None,
        }
    }
}
