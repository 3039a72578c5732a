//! What a worker counts, each on cache lines of its own.

use std::sync::atomic::AtomicU64 as Plain;
use std::sync::atomic::Ordering::Relaxed;

use super::stats::PoolStats;
use crate::job::{End, Ran};
use crate::sync::{AtomicU64, Ordering};

/// The counters of one worker. Its thread alone writes them, so that adding is a load and a store; anybody reads.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Jobs spawned on this worker.
    accepted: AtomicU64,
    /// Accepted jobs, wherever spawned, of which nothing is left once this worker was through with them.
    settled: AtomicU64,
    completed: Plain,
    panicked: Plain,
    cancelled: Plain,
    abandoned: Plain,
    refused: Plain,
    /// Times it took jobs of another worker, or of the injector.
    pub(super) steals: Plain,
    /// Jobs it ran while a job of its waited for another.
    pub(super) helped: Plain,
    pub(super) parks: Plain,
    pub(super) wakes: Plain,
    /// Jobs running on its stack at this moment: more than one while a job waits for others.
    pub(super) depth: Plain,
}

impl Tally {
    pub(super) fn accept(&self, jobs: usize) {
        // Relaxed: read before it settles by nobody who cares, and the queue carries it to whoever settles the job.
        self.accepted.store(self.accepted.load(Ordering::Relaxed) + jobs as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        add(&self.refused, 1);
    }

    pub(super) fn record(&self, ran: Ran) {
        match ran.end {
            End::Completed => add(&self.completed, 1),
            End::Panicked => add(&self.panicked, 1),
            End::Cancelled => add(&self.cancelled, 1),
            End::Abandoned => add(&self.abandoned, 1),
            End::Pending | End::Stale => {}
        }
        if ran.settles {
            // Release: partner of the acquire in `settled`. Who sees the job settled sees that it was accepted, and by whom.
            self.settled.store(self.settled.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
    }

    pub(super) fn panicked_outside_of_a_job(&self) {
        add(&self.panicked, 1);
    }

    pub(super) fn settled(&self) -> u64 {
        // Acquire: partner of the release in `record`.
        self.settled.load(Ordering::Acquire)
    }

    pub(super) fn accepted(&self) -> u64 {
        // Relaxed: what matters was made visible by the settlements read before.
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn add_to(&self, stats: &mut PoolStats) {
        stats.spawned += self.accepted();
        stats.completed += self.completed.load(Relaxed);
        stats.panicked += self.panicked.load(Relaxed);
        stats.cancelled += self.cancelled.load(Relaxed);
        stats.abandoned += self.abandoned.load(Relaxed);
        stats.refused += self.refused.load(Relaxed);
        stats.steals += self.steals.load(Relaxed);
        stats.helped += self.helped.load(Relaxed);
        stats.parks += self.parks.load(Relaxed);
        stats.wakes += self.wakes.load(Relaxed);
        stats.running += usize::from(self.depth.load(Relaxed) > 0);
    }
}

/// Adds to a counter that the calling thread alone writes.
pub(super) fn add(counter: &Plain, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}

/// What is counted on threads that are no workers of the pool, by read-modify-write.
#[derive(Debug, Default)]
pub(crate) struct OutsideTally {
    accepted: AtomicU64,
    settled: AtomicU64,
    cancelled: Plain,
    abandoned: Plain,
    refused: Plain,
    wakes: Plain,
}

impl OutsideTally {
    pub(super) fn accept(&self, jobs: usize) {
        // Relaxed: as in `Tally::accept`.
        self.accepted.fetch_add(jobs as u64, Ordering::Relaxed);
    }

    /// What was accepted is refused after all.
    pub(super) fn take_back(&self, jobs: usize) {
        self.accepted.fetch_sub(jobs as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn wake(&self) {
        self.wakes.fetch_add(1, Relaxed);
    }

    pub(super) fn record(&self, ran: Ran) {
        match ran.end {
            End::Cancelled => self.cancelled.fetch_add(1, Relaxed),
            End::Abandoned => self.abandoned.fetch_add(1, Relaxed),
            _ => 0,
        };
        if ran.settles {
            // Release: partner of the acquire in `settled`.
            self.settled.fetch_add(1, Ordering::Release);
        }
    }

    pub(super) fn settled(&self) -> u64 {
        // Acquire: partner of the release in `record`.
        self.settled.load(Ordering::Acquire)
    }

    pub(super) fn accepted(&self) -> u64 {
        // Relaxed: as in `Tally::accepted`.
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn add_to(&self, stats: &mut PoolStats) {
        stats.spawned += self.accepted();
        stats.cancelled += self.cancelled.load(Relaxed);
        stats.abandoned += self.abandoned.load(Relaxed);
        stats.refused += self.refused.load(Relaxed);
        stats.wakes += self.wakes.load(Relaxed);
    }
}
