//! How long jobs waited and ran.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long a finished job waited and ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct JobTiming {
    /// From `spawn` to the start of its first run.
    pub queued: Duration,
    /// On a thread: the run of a closure, the sum of the polls of a future.
    pub run: Duration,
}

/// The clock of a worker. Between the end of a job and the start of the next lie a few nanoseconds if it comes off the worker's
/// own queue: one reading serves both.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    edge: Cell<Option<Instant>>,
}

impl Clock {
    /// Now, or the end of the job before.
    fn start(&self) -> Instant {
        self.edge.take().unwrap_or_else(Instant::now)
    }

    fn end(&self) -> Instant {
        let now = Instant::now();
        self.edge.set(Some(now));
        now
    }

    /// Something else took time since the last job.
    pub(crate) fn interrupt(&self) {
        self.edge.set(None);
    }
}

/// The times of one job. Two kinds, so that a job which is not timed has no room for them: every cache line of a job travels to
/// the core that runs it, and back.
pub(crate) trait Stopwatch: Send + 'static {
    /// A run begins.
    fn start(&mut self, clock: &Clock);

    /// The run is over.
    fn end(&mut self, clock: &Clock);

    fn timing(&self) -> Option<JobTiming>;
}

/// Measures nothing.
pub(crate) struct Untimed;

impl Stopwatch for Untimed {
    fn start(&mut self, _: &Clock) {}

    fn end(&mut self, _: &Clock) {}

    fn timing(&self) -> Option<JobTiming> {
        None
    }
}

/// Measures.
pub(crate) struct Timed {
    /// The instant of the spawn, then of the start of the run.
    since: Instant,
    queued: Option<Duration>,
    run: Duration,
}

impl Timed {
    pub(crate) fn new() -> Timed {
        Timed { since: Instant::now(), queued: None, run: Duration::ZERO }
    }
}

impl Stopwatch for Timed {
    fn start(&mut self, clock: &Clock) {
        let now = clock.start();
        self.queued.get_or_insert_with(|| now.saturating_duration_since(self.since));
        self.since = now;
    }

    fn end(&mut self, clock: &Clock) {
        self.run += clock.end().saturating_duration_since(self.since);
    }

    fn timing(&self) -> Option<JobTiming> {
        self.queued.map(|queued| JobTiming { queued, run: self.run })
    }
}
