//! Jobs: one allocation that holds the work, then its result, and whoever waits for it.
//!
//! A queue holds a job as [`Entry`], which knows how to run it and nothing of its result; a handle holds the same allocation as
//! [`Joinable`], which knows its result and nothing of its work.

mod closure;
mod finish;
mod future;
mod guard;
mod timing;

use std::any::Any;
use std::sync::Arc;
use std::task::Waker;

pub(crate) use closure::ClosureJob;
pub(crate) use finish::{Finished, Owner};
pub(crate) use future::FutureJob;
pub(crate) use guard::{caught, drop_quietly, run_job};
pub use timing::JobTiming;
pub(crate) use timing::{Clock, Stopwatch, Timed, Untimed};

use crate::pool::JobError;

/// A job as the queues know it.
pub(crate) type Entry = Arc<dyn Job>;

/// What an abandoned job held. Code of a user runs when it is dropped.
pub(crate) type Remains = Box<dyn Any + Send>;

/// Through which door a job came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From outside: it counts among those waiting until its entry leaves the queue.
    Outside,
    /// From another job of the pool.
    Inside,
}

/// On whose behalf a job is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A worker took its entry out of a queue.
    Entry,
    /// Who waits for it runs it in place; the entry stays in its queue and will be found stale.
    Claim,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Panicked,
    Cancelled,
    /// The pool stopped before it was done.
    Abandoned,
    /// A future that waits for something.
    Pending,
    /// There was nothing to run: claimed, cancelled or finished before.
    Stale,
}

/// What a run means for the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) end: End,
    /// An accepted job is settled: nothing of it is left in queues or running.
    pub(crate) settles: bool,
    /// A place among those waiting in the injector is free again, although the entry is still there.
    pub(crate) releases: bool,
}

impl Ran {
    pub(crate) const STALE: Ran = Ran { end: End::Stale, settles: false, releases: false };
}

/// What a queue's entry can do. None of it unwinds.
pub(crate) trait Job: Send + Sync {
    /// Its entry has left the queue: whether a place among those waiting in the injector is free again.
    fn leave(&self) -> bool;

    /// Runs what can be run now.
    fn run(self: Arc<Self>, clock: &Clock, by: By) -> Ran;

    /// The pool has stopped: tells whoever waits. What the job held is for the caller to drop, once everybody has been told: its
    /// destructor may wait for another job.
    fn abandon(self: Arc<Self>) -> (Ran, Option<Remains>);
}

/// What became of an attempt to cancel a job.
///
/// Complete: a job has not begun, is under way, or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cancellation {
    /// It will not run (any further). Its closure or future has been dropped, on the thread that cancelled.
    Dropped,
    /// It is running at this moment. A closure runs to its end and its result stands; a future is dropped by its worker at
    /// the end of this poll, unless the poll finishes it.
    Running,
    /// It was over before.
    Finished,
}

/// What a handle gets when it asks for the result.
pub(crate) enum Taken<T> {
    /// The job is not over.
    NotYet,
    Result(Result<T, JobError>),
    /// It was taken before.
    Gone,
}

/// What a handle can do.
pub(crate) trait Joinable<T>: Send + Sync {
    fn is_finished(&self) -> bool;

    /// Has the waker called when the job is over. `false` if it is over already.
    fn wait(&self, waker: &Waker) -> bool;

    /// The result, once.
    fn take(&self) -> Taken<T>;

    /// The result, once, for an owner who shares the job with nobody any more.
    fn take_own(&mut self) -> Taken<T>;

    /// The handle goes. The result, if the job is over and nobody took it; otherwise whoever ends the job drops it.
    fn detach(&self) -> Option<Result<T, JobError>>;

    /// When it is over and was timed.
    fn timing(&self) -> Option<JobTiming>;

    fn cancel(&self) -> Cancellation;

    /// Runs it here, if it waits in a queue.
    fn claim(self: Arc<Self>, clock: &Clock) -> Ran;
}
