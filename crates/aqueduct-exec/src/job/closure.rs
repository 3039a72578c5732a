//! A closure as a job.
//!
//! | stage | meaning | left by |
//! |---|---|---|
//! | `Waiting` | its entry is in a queue | whoever takes the work: a worker or a claim (`Running`), a cancellation or the pool's end (`Ended`) |
//! | `Running` | somebody runs it, without the lock | the end of the run: `Ended` |
//! | `Ended` | the result is there | the handle, or the end of the run if the handle is gone: `Gone` |
//!
//! The lock is held for a few instructions each time, never while code of a user runs. An entry whose job is not `Waiting` any more is
//! stale, and passed over.

use std::mem;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use super::{
    By, Cancellation, Clock, End, Finished, Job, JobTiming, Joinable, Origin, Owner, Ran, Remains, Stopwatch,
    Taken, drop_quietly, run_job,
};
use crate::pool::JobError;
use crate::sync::{Mutex, MutexGuard, lock};

enum Stage<F, T> {
    Waiting {
        work: F,
        owner: Owner,
    },
    /// Or its work is being dropped, because it was cancelled.
    Running {
        owner: Owner,
        cancelled: bool,
    },
    Ended {
        result: Result<T, JobError>,
    },
    Gone {
        cancelled: bool,
    },
}

struct Body<F, T, W> {
    stage: Stage<F, T>,
    watch: W,
}

pub(crate) struct ClosureJob<F, T, W> {
    finished: Finished,
    origin: Origin,
    body: Mutex<Body<F, T, W>>,
}

impl<F, T, W> ClosureJob<F, T, W>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    W: Stopwatch,
{
    pub(crate) fn new(origin: Origin, watch: W, work: F) -> ClosureJob<F, T, W> {
        let stage = Stage::Waiting { work, owner: Owner::default() };
        ClosureJob { finished: Finished::not_yet(), origin, body: Mutex::new(Body { stage, watch }) }
    }

    /// Takes the work, if nobody else has: from here on it counts as running.
    fn begin(stage: &mut Stage<F, T>, cancelled: bool) -> Option<F> {
        match mem::replace(stage, Stage::Gone { cancelled: false }) {
            Stage::Waiting { work, owner } => {
                *stage = Stage::Running { owner, cancelled };
                Some(work)
            }
            other => {
                *stage = other;
                None
            }
        }
    }

    /// The end of a run, or of what stands for one.
    fn finish(&self, mut body: MutexGuard<'_, Body<F, T, W>>, result: Result<T, JobError>) {
        let Stage::Running { owner, .. } = mem::replace(&mut body.stage, Stage::Ended { result }) else {
            unreachable!("only its end leaves the stage of a run")
        };
        let unwanted = owner.gone.then(|| Self::take_out(&mut body));
        self.finished.set();
        drop(body);
        owner.notify();
        if let Some(unwanted) = unwanted {
            drop_quietly(unwanted);
        }
    }

    fn take_out(body: &mut Body<F, T, W>) -> Option<Result<T, JobError>> {
        match mem::replace(&mut body.stage, Stage::Gone { cancelled: false }) {
            Stage::Ended { result } => {
                body.stage = Stage::Gone { cancelled: matches!(result, Err(JobError::Cancelled)) };
                Some(result)
            }
            other => {
                body.stage = other;
                None
            }
        }
    }

    /// How an entry ends whose work somebody else has taken.
    fn without_work(stage: &Stage<F, T>) -> End {
        let cancelled = matches!(
            stage,
            Stage::Running { cancelled: true, .. }
                | Stage::Ended { result: Err(JobError::Cancelled) }
                | Stage::Gone { cancelled: true }
        );
        if cancelled { End::Cancelled } else { End::Stale }
    }

    /// What an entry that left its queue means for the books, whatever was in it.
    fn ran(end: End, by: By) -> Ran {
        Ran { end, settles: by == By::Entry, releases: false }
    }
}

impl<F, T, W> Job for ClosureJob<F, T, W>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    W: Stopwatch,
{
    fn leave(&self) -> bool {
        self.origin == Origin::Outside
    }

    fn run(self: Arc<Self>, clock: &Clock, by: By) -> Ran {
        let mut body = lock(&self.body);
        let Some(work) = Self::begin(&mut body.stage, false) else {
            return Self::ran(Self::without_work(&body.stage), by);
        };
        body.watch.start(clock);
        drop(body);

        let result = run_job(work);
        let end = if result.is_ok() { End::Completed } else { End::Panicked };

        let mut body = lock(&self.body);
        body.watch.end(clock);
        self.finish(body, result.map_err(JobError::Panicked));
        Self::ran(end, by)
    }

    fn abandon(self: Arc<Self>) -> (Ran, Option<Remains>) {
        let mut body = lock(&self.body);
        let Some(work) = Self::begin(&mut body.stage, false) else {
            return (Self::ran(Self::without_work(&body.stage), By::Entry), None);
        };
        self.finish(body, Err(JobError::Abandoned));
        (Self::ran(End::Abandoned, By::Entry), Some(Box::new(work)))
    }
}

impl<F, T, W> Joinable<T> for ClosureJob<F, T, W>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    W: Stopwatch,
{
    fn is_finished(&self) -> bool {
        self.finished.is()
    }

    fn wait(&self, waker: &Waker) -> bool {
        if self.finished.is() {
            return false;
        }
        let mut body = lock(&self.body);
        let replaced = match &mut body.stage {
            Stage::Waiting { owner, .. } | Stage::Running { owner, .. } => owner.wait(waker),
            Stage::Ended { .. } | Stage::Gone { .. } => return false,
        };
        drop(body);
        drop(replaced);
        true
    }

    fn take(&self) -> Taken<T> {
        if !self.finished.is() {
            return Taken::NotYet;
        }
        Self::take_out(&mut lock(&self.body)).map_or(Taken::Gone, Taken::Result)
    }

    fn take_own(&mut self) -> Taken<T> {
        if !self.finished.is() {
            return Taken::NotYet;
        }
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        Self::take_out(body).map_or(Taken::Gone, Taken::Result)
    }

    fn detach(&self) -> Option<Result<T, JobError>> {
        let mut body = lock(&self.body);
        match &mut body.stage {
            Stage::Waiting { owner, .. } | Stage::Running { owner, .. } => {
                owner.gone = true;
                None
            }
            Stage::Ended { .. } | Stage::Gone { .. } => Self::take_out(&mut body),
        }
    }

    fn timing(&self) -> Option<JobTiming> {
        if self.finished.is() { lock(&self.body).watch.timing() } else { None }
    }

    fn cancel(&self) -> Cancellation {
        let mut body = lock(&self.body);
        let Some(work) = Self::begin(&mut body.stage, true) else {
            let running = matches!(body.stage, Stage::Running { .. });
            return if running { Cancellation::Running } else { Cancellation::Finished };
        };
        drop(body);
        // Before anybody learns of the end, so that what the closure held is free by then.
        drop_quietly(work);
        self.finish(lock(&self.body), Err(JobError::Cancelled));
        Cancellation::Dropped
    }

    fn claim(self: Arc<Self>, clock: &Clock) -> Ran {
        self.run(clock, By::Claim)
    }
}
