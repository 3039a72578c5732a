//! Many closures as a few jobs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::error::JobError;
use super::handle::JobHandle;

/// What one job of a batch yields.
type Results<T> = Vec<Result<T, JobError>>;

/// The other end of a batch: the results of its closures, in the order in which they were given.
///
/// Dropping it lets the closures run all the same.
///
/// # Examples
///
/// ```
/// use aqueduct_exec::{JobError, WorkerPool};
///
/// let pool = WorkerPool::new()?;
/// let batch = pool.spawn_batch((0..1000_u64).map(|n| move || n * n)).expect("there is room");
/// let squares: Result<Vec<u64>, JobError> = batch.join().into_iter().collect();
/// assert_eq!(squares.unwrap()[999], 998_001);
/// # Ok::<(), aqueduct_exec::StartError>(())
/// ```
#[must_use = "a dropped handle leaves the closures to themselves"]
pub struct BatchHandle<T> {
    /// The jobs whose results are yet to come, the last first, with the number of their closures.
    jobs: Vec<(JobHandle<Results<T>>, usize)>,
    results: Results<T>,
}

impl<T> BatchHandle<T> {
    pub(super) fn new(mut jobs: Vec<(JobHandle<Results<T>>, usize)>) -> BatchHandle<T> {
        let results = Vec::with_capacity(jobs.iter().map(|(_, count)| count).sum());
        jobs.reverse();
        BatchHandle { jobs, results }
    }

    /// Waits for all closures. On a worker of the same pool it runs them meanwhile, as [`JobHandle::join`] does.
    ///
    /// A closure that panicked is an error in its place, and so is each that was cancelled or abandoned.
    #[must_use]
    pub fn join(mut self) -> Vec<Result<T, JobError>> {
        while let Some((mut job, count)) = self.jobs.pop() {
            let result = job.wait(None);
            self.add(result, count);
        }
        std::mem::take(&mut self.results)
    }

    /// Waits so long.
    ///
    /// # Errors
    ///
    /// [`JobError::TimedOut`], after which the closures go on and the handle is as good as before.
    pub fn join_timeout(&mut self, patience: Duration) -> Result<Vec<Result<T, JobError>>, JobError> {
        let deadline = Instant::now().checked_add(patience);
        while let Some((job, count)) = self.jobs.last_mut() {
            let result = job.wait(deadline);
            if matches!(result, Err(JobError::TimedOut)) {
                return Err(JobError::TimedOut);
            }
            let count = *count;
            self.jobs.pop();
            self.add(result, count);
        }
        Ok(std::mem::take(&mut self.results))
    }

    /// Whether all closures are over.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.jobs.iter().all(|(job, _)| job.is_finished())
    }

    /// Keeps from running what has not begun. A batch runs in parts of up to 64 closures, and a part that has begun runs to its end.
    pub fn cancel(&self) {
        for (job, _) in &self.jobs {
            job.cancel();
        }
    }

    fn add(&mut self, result: Result<Results<T>, JobError>, count: usize) {
        match result {
            Ok(results) => self.results.extend(results),
            Err(error) => self.results.extend((0..count).map(|_| Err(error.clone()))),
        }
    }
}

impl<T> Unpin for BatchHandle<T> {}

/// # Cancel safety
///
/// Dropping the future that awaits a `&mut BatchHandle` loses nothing: await or join it again.
impl<T> Future for BatchHandle<T> {
    type Output = Vec<Result<T, JobError>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some((job, count)) = self.jobs.last_mut() {
            let Poll::Ready(result) = Pin::new(job).poll(context) else { return Poll::Pending };
            let count = *count;
            self.jobs.pop();
            self.add(result, count);
        }
        Poll::Ready(std::mem::take(&mut self.results))
    }
}

impl<T> fmt::Debug for BatchHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
