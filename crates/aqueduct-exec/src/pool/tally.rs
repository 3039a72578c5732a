//! What a pool counts: once for each worker, on cache lines of its own, and once for all other threads.

use std::marker::PhantomData;
use std::sync::atomic::AtomicU64 as Plain;
use std::sync::atomic::Ordering::Relaxed;

use super::stats::PoolStats;
use crate::job::{End, Ran};
use crate::sync::{AtomicU64, Ordering};

/// Who adds to a tally, and therefore how.
pub(crate) trait Writer {
    /// Adds to what decisions rest upon.
    fn add(counter: &AtomicU64, count: u64, ordering: Ordering);

    /// Adds to what is for the statistics only.
    fn note(counter: &Plain, count: u64);
}

/// One thread, so that adding is a load and a store.
#[derive(Debug, Default)]
pub(crate) struct One;

impl Writer for One {
    fn add(counter: &AtomicU64, count: u64, ordering: Ordering) {
        // Relaxed: the own last value.
        counter.store(counter.load(Ordering::Relaxed) + count, ordering);
    }

    fn note(counter: &Plain, count: u64) {
        add(counter, count);
    }
}

/// Any thread that is no worker of the pool, by read-modify-write.
#[derive(Debug, Default)]
pub(crate) struct Many;

impl Writer for Many {
    fn add(counter: &AtomicU64, count: u64, ordering: Ordering) {
        counter.fetch_add(count, ordering);
    }

    fn note(counter: &Plain, count: u64) {
        counter.fetch_add(count, Relaxed);
    }
}

/// The counters of one worker, or of all threads that are none. Anybody reads.
#[derive(Debug, Default)]
pub(crate) struct Tally<W> {
    /// Jobs spawned here.
    accepted: AtomicU64,
    /// Accepted jobs, wherever spawned, of which nothing is left once they were through here.
    settled: AtomicU64,
    completed: Plain,
    panicked: Plain,
    cancelled: Plain,
    abandoned: Plain,
    refused: Plain,
    wakes: Plain,
    /// Times a worker took jobs of another worker, or of the injector.
    pub(super) steals: Plain,
    /// Jobs a worker ran while a job of its waited for another.
    pub(super) helped: Plain,
    pub(super) parks: Plain,
    /// Jobs running on a worker's stack at this moment: more than one while a job waits for others.
    pub(super) depth: Plain,
    writer: PhantomData<W>,
}

impl<W: Writer> Tally<W> {
    pub(super) fn accept(&self, jobs: usize) {
        // Relaxed: read before it settles by nobody who cares, and the queue carries it to whoever settles the job.
        W::add(&self.accepted, jobs as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        W::note(&self.refused, 1);
    }

    pub(super) fn wake(&self) {
        W::note(&self.wakes, 1);
    }

    pub(super) fn record(&self, ran: Ran) {
        match ran.end {
            End::Completed => W::note(&self.completed, 1),
            End::Panicked => W::note(&self.panicked, 1),
            End::Cancelled => W::note(&self.cancelled, 1),
            End::Abandoned => W::note(&self.abandoned, 1),
            End::Pending | End::Stale => {}
        }
        if ran.settles {
            // Release: partner of the acquire in `settled`. Who sees the job settled sees that it was accepted, and by whom.
            W::add(&self.settled, 1, Ordering::Release);
        }
    }

    pub(super) fn panicked_outside_of_a_job(&self) {
        W::note(&self.panicked, 1);
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

impl Tally<Many> {
    /// What was accepted is refused after all.
    pub(super) fn take_back(&self, jobs: usize) {
        // Relaxed: as in `accept`.
        self.accepted.fetch_sub(jobs as u64, Ordering::Relaxed);
    }
}

/// Adds to a counter that the calling thread alone writes.
pub(super) fn add(counter: &Plain, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}
