//! The way into a pool.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::batch::BatchHandle;
use super::config::Timing;
use super::error::{JobError, Refusal, Refused};
use super::handle::{Home, JobHandle};
use super::shared::{STOPPED, Shared};
use super::worker::{self, Local};
use crate::fork;
use crate::job::{ClosureJob, FutureJob, Job, Joinable, Origin, Timed, Untimed, run_job};

/// Spawns jobs on a [`WorkerPool`](crate::WorkerPool), and does not keep it alive. Cheap to clone.
///
/// # Examples
///
/// A job that splits itself, on whichever pool it runs:
///
/// ```
/// use aqueduct_exec::{Spawner, WorkerPool};
///
/// fn sum(numbers: Vec<u64>) -> u64 {
///     if numbers.len() <= 2 {
///         return numbers.iter().sum();
///     }
///     let mut left = numbers;
///     let right = left.split_off(left.len() / 2);
///     let pool = Spawner::current().expect("this is a job of a pool");
///     match pool.spawn(move || sum(right)) {
///         Ok(right) => sum(left) + right.join().expect("it only adds"),
///         Err(refused) => sum(left) + refused.into_inner()(),
///     }
/// }
///
/// let pool = WorkerPool::new()?;
/// let total = pool.spawn(|| sum((1..=100).collect())).expect("there is room").join();
/// assert_eq!(total, Ok(5050));
/// # Ok::<(), aqueduct_exec::StartError>(())
/// ```
#[derive(Clone)]
pub struct Spawner {
    shared: Arc<Shared>,
}

impl Spawner {
    pub(super) fn new(shared: Arc<Shared>) -> Spawner {
        Spawner { shared }
    }

    /// The pool whose job the caller is; `None` outside of every pool.
    #[must_use]
    pub fn current() -> Option<Spawner> {
        worker::current().map(|local| Spawner { shared: Arc::clone(&local.shared) })
    }

    /// Runs a closure on the pool. See [`WorkerPool::spawn`](crate::WorkerPool::spawn).
    ///
    /// # Errors
    ///
    /// The closure comes back with the reason.
    pub fn spawn<F, T>(&self, work: F) -> Result<JobHandle<T>, Refused<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        worker::with_mine(&self.shared, |local| match self.home(local, 1) {
            Ok((home, origin)) => Ok(match self.shared.config.timing {
                Timing::PerJob => self.send(local, home, ClosureJob::new(origin, Timed::new(), work)),
                Timing::Off => self.send(local, home, ClosureJob::new(origin, Untimed, work)),
            }),
            Err(reason) => Err(Refused::new(work, reason)),
        })
    }

    /// Runs a future on the pool. See [`WorkerPool::spawn_future`](crate::WorkerPool::spawn_future).
    ///
    /// # Errors
    ///
    /// The future comes back with the reason.
    pub fn spawn_future<F>(&self, future: F) -> Result<JobHandle<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let timed = self.shared.config.timing == Timing::PerJob;
        worker::with_mine(&self.shared, |local| match self.home(local, 1) {
            Ok((home, origin)) => {
                Ok(self.send(local, home, FutureJob::new(origin, Arc::clone(&self.shared), timed, future)))
            }
            Err(reason) => Err(Refused::new(future, reason)),
        })
    }

    #[inline]
    fn send<T>(
        &self,
        local: Option<&Local>,
        home: Home,
        job: impl Job + Joinable<T> + 'static,
    ) -> JobHandle<T> {
        let job = Arc::new(job);
        let handle = JobHandle::new(job.clone(), home);
        match local {
            Some(local) => local.push(job),
            None => self.shared.inject(job),
        }
        handle
    }

    /// Runs many small closures on the pool. See [`WorkerPool::spawn_batch`](crate::WorkerPool::spawn_batch).
    ///
    /// # Errors
    ///
    /// All closures come back with the reason.
    pub fn spawn_batch<F, T>(
        &self,
        work: impl IntoIterator<Item = F>,
    ) -> Result<BatchHandle<T>, Refused<Vec<F>>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let mut work: Vec<F> = work.into_iter().collect();
        let size = chunk_size(work.len(), self.shared.config.threads.get());
        let chunks = work.len().div_ceil(size);
        worker::with_mine(&self.shared, |local| match self.home(local, chunks) {
            Ok((home, origin)) => {
                let mut handles = Vec::with_capacity(chunks);
                let mut work = work.drain(..);
                for _ in 0..chunks {
                    let chunk: Vec<F> = work.by_ref().take(size).collect();
                    let count = chunk.len();
                    let run = move || {
                        chunk.into_iter().map(|work| run_job(work).map_err(JobError::Panicked)).collect()
                    };
                    let job = ClosureJob::new(origin, Untimed, run);
                    handles.push((self.send(local, home, job), count));
                }
                Ok(BatchHandle::new(handles))
            }
            Err(reason) => Err(Refused::new(std::mem::take(&mut work), reason)),
        })
    }

    /// Where a new job goes, counted as accepted; or why it does not.
    #[inline]
    fn home(&self, local: Option<&Local>, jobs: usize) -> Result<(Home, Origin), Refusal> {
        let shared = &self.shared;
        let Some(local) = local else {
            shared.admit(jobs)?;
            let home = Home { pool: shared.id, worker: Home::OUTSIDE, generation: shared.generation };
            return Ok((home, Origin::Outside));
        };
        let refusal = if fork::generation() != shared.generation {
            Refusal::Forked
        } else if shared.phase() == STOPPED {
            Refusal::ShutDown
        } else if !local.has_room(jobs) {
            Refusal::Full
        } else {
            local.tally().accept(jobs);
            return Ok((local.home(), Origin::Inside));
        };
        local.tally().refuse();
        Err(refusal)
    }
}

/// How many closures of a batch make a job: so few that each worker gets several jobs, and so many that what a job costs, some
/// 130 ns, is spread over them. Beyond 64 there is next to nothing left to save.
fn chunk_size(closures: usize, threads: usize) -> usize {
    const JOBS_PER_WORKER: usize = 8;
    const MOST: usize = 64;
    (closures / (threads * JOBS_PER_WORKER)).clamp(1, MOST)
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").field("pool", &self.shared.id).finish_non_exhaustive()
    }
}
