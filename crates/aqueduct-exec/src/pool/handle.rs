//! What is left with whoever spawned a job.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::error::JobError;
use super::{parker, worker};
use crate::fork;
use crate::job::{Cancellation, JobTiming, Joinable, Taken};

/// The other end of a job: awaited by any executor, or joined by a thread, with a deadline or without.
///
/// Dropping it lets the job run all the same, and its result is dropped by the worker. To keep it from running,
/// [`cancel`](Self::cancel) it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_exec::{JobError, WorkerPool};
///
/// let pool = WorkerPool::new()?;
/// let mut job = pool.spawn(|| 6 * 7).expect("there is room");
/// assert_eq!(job.join_timeout(Duration::from_secs(10)), Ok(42));
/// let timing = job.timing().expect("jobs are timed by default");
/// assert!(timing.run < Duration::from_secs(10));
///
/// let failing = pool.spawn(|| -> u32 { panic!("no luck") }).expect("there is room");
/// assert_eq!(failing.join(), Err(JobError::Panicked("no luck".to_owned())));
/// # Ok::<(), aqueduct_exec::StartError>(())
/// ```
///
/// A result that must stay on its thread cannot be had:
///
/// ```compile_fail,E0277
/// let pool = aqueduct_exec::WorkerPool::new().unwrap();
/// let _ = pool.spawn(|| std::rc::Rc::new(1));
/// ```
#[doc(alias("JoinHandle", "TaskResult", "get_result"))]
#[must_use = "a dropped handle leaves the job to itself"]
pub struct JobHandle<T> {
    job: Arc<dyn Joinable<T>>,
    home: Home,
    taken: bool,
}

/// Where a job was put. It stands here, and not with the job, because what the job holds travels between cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    /// The pool, by its number in this process.
    pub(super) pool: u32,
    /// The worker whose queue it went to; `OUTSIDE` for the injector.
    pub(super) worker: u32,
    /// How often the process had forked when the pool was built.
    pub(super) generation: u64,
}

impl Home {
    pub(super) const OUTSIDE: u32 = u32::MAX;
}

impl<T> JobHandle<T> {
    pub(super) fn new(job: Arc<dyn Joinable<T>>, home: Home) -> JobHandle<T> {
        JobHandle { job, home, taken: false }
    }

    /// Waits for the job.
    ///
    /// Within a job of the same pool, the worker runs other jobs meanwhile: a pool of one thread can join what it spawned.
    /// So do not hold a lock over it that another job takes, and do not join a job that waits for this one: that never ends. Beyond
    /// 64 such joins within each other the worker runs nothing but the job waited for.
    ///
    /// # Errors
    ///
    /// The job panicked, was cancelled, was abandoned when the pool stopped, or its result was taken before.
    pub fn join(mut self) -> Result<T, JobError> {
        self.wait(None)
    }

    /// Waits for the job so long. On a worker of the same pool this may take longer by what it runs meanwhile.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join), and [`JobError::TimedOut`], after which the job goes on and the handle is as good as before.
    pub fn join_timeout(&mut self, patience: Duration) -> Result<T, JobError> {
        self.wait(Instant::now().checked_add(patience))
    }

    /// Waits for the job until then.
    ///
    /// # Errors
    ///
    /// As [`join_timeout`](Self::join_timeout).
    pub fn join_deadline(&mut self, deadline: Instant) -> Result<T, JobError> {
        self.wait(Some(deadline))
    }

    /// Whether the job is over, however it ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.job.is_finished()
    }

    /// How long it waited and ran, once it is over. `None` before, if the pool does not [time](crate::Timing) its jobs, and for a
    /// job that never ran.
    #[must_use]
    pub fn timing(&self) -> Option<JobTiming> {
        if self.is_foreign() { None } else { self.job.timing() }
    }

    /// Keeps the job from running (any further), if that is still possible. Waiting for it then yields [`JobError::Cancelled`].
    ///
    /// A closure can be cancelled before it starts, a future also between its polls. What is cancelled is dropped here and now; only
    /// a future that is being polled is dropped by the worker, when the poll is over.
    ///
    /// In a child of a fork nothing is done: there the job is as good as [`Finished`](Cancellation::Finished).
    pub fn cancel(&self) -> Cancellation {
        if self.is_foreign() { Cancellation::Finished } else { self.job.cancel() }
    }

    /// Whether it was inherited through a fork. Then the job's lock may be held for ever by a thread that does not exist here.
    fn is_foreign(&self) -> bool {
        fork::generation() != self.home.generation
    }

    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Result<T, JobError> {
        if self.is_foreign() {
            return Err(JobError::Forked);
        }
        if let Some(result) = self.take() {
            return result;
        }
        // In a child of a fork the thread may have been a worker of the parent, whose queues are none of the child's business.
        match worker::current().filter(|local| local.home().generation == self.home.generation) {
            Some(local) => local.wait_for(&self.job, self.home, deadline),
            None => self.sleep(deadline),
        }
        self.take().unwrap_or(Err(JobError::TimedOut))
    }

    /// Waits on a thread that is no worker.
    fn sleep(&self, deadline: Option<Instant>) {
        let (parker, waker) = parker::current();
        while self.job.wait(&waker) && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            parker.park(deadline);
        }
    }

    #[inline]
    fn take(&mut self) -> Option<Result<T, JobError>> {
        // Once the worker has let go of the job, it is the handle's alone, and needs no lock.
        let taken = match Arc::get_mut(&mut self.job) {
            Some(job) => job.take_own(),
            None => self.job.take(),
        };
        let result = match taken {
            Taken::NotYet => return None,
            Taken::Result(result) => result,
            Taken::Gone => Err(JobError::AlreadyTaken),
        };
        self.taken = true;
        Some(result)
    }
}

/// # Cancel safety
///
/// Dropping the future that awaits a `&mut JobHandle` loses nothing: await or join it again.
impl<T> Future for JobHandle<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.is_foreign() {
            return Poll::Ready(Err(JobError::Forked));
        }
        if let Some(result) = self.take() {
            return Poll::Ready(result);
        }
        if self.job.wait(context.waker()) {
            return Poll::Pending;
        }
        Poll::Ready(self.take().unwrap_or(Err(JobError::AlreadyTaken)))
    }
}

impl<T> Drop for JobHandle<T> {
    fn drop(&mut self) {
        if !self.taken && !self.is_foreign() {
            // If the job is over: the owner's value, on the owner's thread. If its drop panics, that is the owner's to see.
            drop(self.job.detach());
        }
    }
}

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
