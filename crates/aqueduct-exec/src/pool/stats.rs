//! What a pool tells of itself.

use std::time::Duration;

/// A reading of a pool's counters. Each is exact when the pool is at rest; while it works they are read one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Threads that exist.
    pub threads: usize,
    /// Workers in a job at this moment.
    pub running: usize,
    /// Workers asleep at this moment.
    pub sleeping: usize,
    /// Jobs from outside that wait to be started.
    pub waiting: usize,
    /// Jobs accepted, futures included.
    pub spawned: u64,
    /// Jobs that ran to their end.
    pub completed: u64,
    /// Jobs that panicked, and start hooks that did.
    pub panicked: u64,
    /// Jobs cancelled. A cancelled closure is counted when a worker meets its empty entry.
    pub cancelled: u64,
    /// Jobs that the pool's end left undone.
    pub abandoned: u64,
    /// Jobs not accepted.
    pub refused: u64,
    /// Times a worker took jobs from another one, or from the injector.
    pub steals: u64,
    /// Jobs run by a worker whose own job was waiting for another.
    pub helped: u64,
    /// Times a worker went to sleep.
    pub parks: u64,
    /// Times a sleeping worker was woken for a new job. Far below `spawned` is as it should be.
    pub wakes: u64,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Every accepted job was done before the deadline.
    pub drained: bool,
    /// Jobs left undone by this pool's end; their handles say so.
    pub abandoned: u64,
    /// Workers still in a job. They end with it.
    pub running: usize,
    /// Threads that had not ended yet, the running ones included.
    pub threads: usize,
    /// How long it took.
    pub elapsed: Duration,
}
