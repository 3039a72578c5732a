//! A future as a job: polled by workers until it is done.
//!
//! | stage | meaning | left by |
//! |---|---|---|
//! | `Scheduled` | an entry is in a queue | a worker that takes the entry: `Polling` |
//! | `Polling` | a worker polls it, without the lock; remembers wakes and a cancellation meanwhile | the end of the poll |
//! | `Asleep` | it waits for its waker, and is on the pool's list of sleepers | its waker: `Scheduled` |
//! | `Ended` | the result is there | the handle: `Gone` |
//!
//! Cancelling and abandoning take the future out of `Scheduled` and `Asleep` at once, and out of `Polling` when the poll is over.
//! The future needs a box of its own, because it must not move between polls.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::{
    By, Cancellation, Clock, End, Entry, Finished, Job, JobTiming, Joinable, Origin, Owner, Ran, Remains,
    Stopwatch, Taken, Timed, drop_quietly, run_job,
};
use crate::fork;
use crate::pool::{JobError, Shared};
use crate::sync::{Mutex, MutexGuard, lock};

enum Stage<F, T> {
    Scheduled(Pin<Box<F>>),
    Polling { woken: bool, ending: Option<JobError> },
    Asleep(Pin<Box<F>>),
    Ended(Result<T, JobError>),
    Gone,
}

struct Core<F, T> {
    stage: Stage<F, T>,
    watch: Option<Timed>,
    owner: Owner,
    /// Its place on the pool's list of sleeping futures, from the first time it was pending.
    sleeper: Option<usize>,
    /// It counts among those waiting in the injector.
    occupies: bool,
}

impl<F, T> Core<F, T> {
    fn stop_watch(&mut self, clock: &Clock) {
        if let Some(watch) = &mut self.watch {
            watch.end(clock);
        }
    }
}

/// The result, if it is there.
fn take_out<F, T>(core: &mut Core<F, T>) -> Option<Result<T, JobError>> {
    match std::mem::replace(&mut core.stage, Stage::Gone) {
        Stage::Ended(result) => Some(result),
        other => {
            core.stage = other;
            None
        }
    }
}

pub(crate) struct FutureJob<F, T> {
    finished: Finished,
    shared: Arc<Shared>,
    core: Mutex<Core<F, T>>,
}

impl<F, T> FutureJob<F, T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn new(origin: Origin, shared: Arc<Shared>, timed: bool, future: F) -> FutureJob<F, T> {
        let core = Core {
            stage: Stage::Scheduled(Box::pin(future)),
            watch: timed.then(Timed::new),
            owner: Owner::default(),
            sleeper: None,
            occupies: origin == Origin::Outside,
        };
        FutureJob { finished: Finished::not_yet(), shared, core: Mutex::new(core) }
    }

    /// Puts the result in its place and tells whoever waits.
    fn finish(&self, mut core: MutexGuard<'_, Core<F, T>>, result: Result<T, JobError>) {
        core.stage = Stage::Ended(result);
        let owner = std::mem::take(&mut core.owner);
        let unwanted = owner.gone.then(|| take_out(&mut core));
        let sleeper = core.sleeper.take();
        self.finished.set();
        drop(core);
        if let Some(sleeper) = sleeper {
            self.shared.sleeping_futures().remove(sleeper);
        }
        owner.notify();
        if let Some(unwanted) = unwanted {
            drop_quietly(unwanted);
        }
    }

    /// Takes the future out, if it is not being polled; otherwise asks the worker that polls it to end it.
    fn take_future(core: &mut Core<F, T>, error: JobError) -> Result<Pin<Box<F>>, Cancellation> {
        match std::mem::replace(&mut core.stage, Stage::Gone) {
            Stage::Scheduled(future) | Stage::Asleep(future) => Ok(future),
            Stage::Polling { woken, ending } => {
                core.stage = Stage::Polling { woken, ending: ending.or(Some(error)) };
                Err(Cancellation::Running)
            }
            over @ (Stage::Ended(_) | Stage::Gone) => {
                core.stage = over;
                Err(Cancellation::Finished)
            }
        }
    }

    /// The end of a poll that did not finish the future.
    fn pending(self: &Arc<Self>, future: Pin<Box<F>>, clock: &Clock) -> End {
        let mut core = lock(&self.core);
        core.stop_watch(clock);
        let Stage::Polling { woken, ref mut ending } = core.stage else {
            unreachable!("only the poll leaves its stage")
        };
        let mut ending = ending.take();
        if ending.is_none() && core.sleeper.is_none() {
            let me: Entry = self.clone();
            match self.shared.sleeping_futures().insert(Arc::downgrade(&me)) {
                Some(place) => core.sleeper = Some(place),
                None => ending = Some(JobError::Abandoned),
            }
        }
        if let Some(JobError::Cancelled) = ending {
            drop(core);
            // Before anybody learns of the end, so that what the future held is free by then.
            drop_quietly(future);
            self.finish(lock(&self.core), Err(JobError::Cancelled));
            End::Cancelled
        } else if let Some(error) = ending {
            // The other way round than above, as in `abandon`.
            self.finish(core, Err(error));
            drop_quietly(future);
            End::Abandoned
        } else if woken {
            core.stage = Stage::Scheduled(future);
            drop(core);
            // Behind everything else: a future that wakes itself must not keep others from running.
            self.shared.inject(self.clone());
            End::Pending
        } else {
            core.stage = Stage::Asleep(future);
            End::Pending
        }
    }
}

/// A future that nobody can wake, cancel or join any more: all its wakers and its handle are gone, before it was done.
impl<F, T> Drop for FutureJob<F, T> {
    fn drop(&mut self) {
        let core = self.core.get_mut().unwrap_or_else(PoisonError::into_inner);
        let stage = std::mem::replace(&mut core.stage, Stage::Gone);
        let over = matches!(stage, Stage::Ended(_) | Stage::Gone);
        // In a child of a fork the locks may be held for ever, and the books are the parent's.
        if !over && fork::generation() == self.shared.generation {
            let (sleeper, releases) = (core.sleeper.take(), std::mem::take(&mut core.occupies));
            drop_quietly(stage);
            if let Some(sleeper) = sleeper {
                self.shared.sleeping_futures().remove(sleeper);
            }
            self.shared.settle_outside(Ran { end: End::Abandoned, settles: true, releases });
        }
    }
}

impl<F, T> Job for FutureJob<F, T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn leave(&self) -> bool {
        std::mem::take(&mut lock(&self.core).occupies)
    }

    fn run(self: Arc<Self>, clock: &Clock, _by: By) -> Ran {
        let mut core = lock(&self.core);
        let mut future = match std::mem::replace(&mut core.stage, Stage::Gone) {
            Stage::Scheduled(future) => future,
            other => {
                core.stage = other;
                return Ran::STALE;
            }
        };
        core.stage = Stage::Polling { woken: false, ending: None };
        let releases = std::mem::take(&mut core.occupies);
        if let Some(watch) = &mut core.watch {
            watch.start(clock);
        }
        drop(core);

        let waker = Waker::from(Arc::clone(&self));
        let polled = run_job(|| future.as_mut().poll(&mut Context::from_waker(&waker)));
        let (end, result) = match polled {
            Ok(Poll::Pending) => {
                let end = self.pending(future, clock);
                return Ran { end, settles: end != End::Pending, releases };
            }
            Ok(Poll::Ready(value)) => (End::Completed, Ok(value)),
            Err(message) => (End::Panicked, Err(JobError::Panicked(message))),
        };
        drop_quietly(future);
        let mut core = lock(&self.core);
        core.stop_watch(clock);
        self.finish(core, result);
        Ran { end, settles: true, releases }
    }

    fn abandon(self: Arc<Self>) -> (Ran, Option<Remains>) {
        let mut core = lock(&self.core);
        let Ok(future) = Self::take_future(&mut core, JobError::Abandoned) else { return (Ran::STALE, None) };
        let releases = std::mem::take(&mut core.occupies);
        self.finish(core, Err(JobError::Abandoned));
        (Ran { end: End::Abandoned, settles: true, releases }, Some(Box::new(future)))
    }
}

impl<F, T> Wake for FutureJob<F, T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn wake(self: Arc<Self>) {
        let mut core = lock(&self.core);
        match std::mem::replace(&mut core.stage, Stage::Gone) {
            Stage::Asleep(future) => {
                core.stage = Stage::Scheduled(future);
                drop(core);
                let shared = Arc::clone(&self.shared);
                shared.schedule(self);
            }
            Stage::Polling { ending, .. } => core.stage = Stage::Polling { woken: true, ending },
            other => core.stage = other,
        }
    }
}

impl<F, T> Joinable<T> for FutureJob<F, T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn is_finished(&self) -> bool {
        self.finished.is()
    }

    fn wait(&self, waker: &Waker) -> bool {
        if self.finished.is() {
            return false;
        }
        let mut core = lock(&self.core);
        if matches!(core.stage, Stage::Ended(_) | Stage::Gone) {
            return false;
        }
        let replaced = core.owner.wait(waker);
        drop(core);
        drop(replaced);
        true
    }

    fn take(&self) -> Taken<T> {
        if !self.finished.is() {
            return Taken::NotYet;
        }
        take_out(&mut lock(&self.core)).map_or(Taken::Gone, Taken::Result)
    }

    fn take_own(&mut self) -> Taken<T> {
        if !self.finished.is() {
            return Taken::NotYet;
        }
        let core = self.core.get_mut().unwrap_or_else(PoisonError::into_inner);
        take_out(core).map_or(Taken::Gone, Taken::Result)
    }

    fn detach(&self) -> Option<Result<T, JobError>> {
        let mut core = lock(&self.core);
        core.owner.gone = true;
        take_out(&mut core)
    }

    fn timing(&self) -> Option<JobTiming> {
        if self.finished.is() { lock(&self.core).watch.as_ref().and_then(Timed::timing) } else { None }
    }

    fn cancel(&self) -> Cancellation {
        let mut core = lock(&self.core);
        let future = match Self::take_future(&mut core, JobError::Cancelled) {
            Ok(future) => future,
            Err(cancellation) => return cancellation,
        };
        core.stage = Stage::Polling { woken: false, ending: None };
        let releases = std::mem::take(&mut core.occupies);
        drop(core);
        // Before anybody learns of the end, so that what the future held is free by then.
        drop_quietly(future);
        self.finish(lock(&self.core), Err(JobError::Cancelled));
        self.shared.settle_outside(Ran { end: End::Cancelled, settles: true, releases });
        Cancellation::Dropped
    }

    fn claim(self: Arc<Self>, clock: &Clock) -> Ran {
        self.run(clock, By::Claim)
    }
}
