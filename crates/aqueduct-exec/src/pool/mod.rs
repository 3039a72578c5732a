//! The worker pool.

mod batch;
mod config;
mod error;
mod handle;
pub(crate) mod idle;
mod life;
mod parker;
mod shared;
mod sleepers;
mod spawner;
mod stats;
mod tally;
mod worker;

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub use batch::BatchHandle;
pub use config::{Timing, WorkerPoolConfig};
pub use error::{JobError, Refusal, Refused, StartError};
pub use handle::JobHandle;
pub(crate) use shared::Shared;
pub use spawner::Spawner;
pub use stats::{PoolStats, ShutdownReport};

/// Threads that run closures and futures.
///
/// Dropping it stops it without waiting: jobs under way end, all others are abandoned and their handles say so. To have
/// the queue worked off first, [`shut_down`](Self::shut_down). What the abandoned ones held is dropped when all handles know.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_exec::WorkerPool;
///
/// let pool = WorkerPool::new()?;
/// let jobs: Vec<_> = (0..10).map(|n| pool.spawn(move || n * n).expect("there is room")).collect();
/// let squares: Result<Vec<u64>, _> = jobs.into_iter().map(|job| job.join()).collect();
/// assert_eq!(squares.unwrap().iter().sum::<u64>(), 285);
///
/// let report = pool.shut_down(Duration::from_secs(5));
/// assert!(report.drained);
/// # Ok::<(), aqueduct_exec::StartError>(())
/// ```
///
/// # Allocation
///
/// A closure is one allocation with its result and everything else; a future has a box of its own besides.
///
/// # Overload
///
/// What is spawned from outside waits in a queue of [bounded length](WorkerPoolConfig::with_capacity); when it is full, the closure
/// comes back. Jobs spawned by jobs go to the queue of their worker, with a bound of its own.
///
/// # After fork
///
/// The child has none of the threads. There every operation refuses with `Forked` or does nothing, dropping included; build a new pool. If a
/// job forks, the child ends when that job returns: see [`fork`](crate::fork).
#[doc(alias("AsyncDataProcessor", "ThreadPool", "process_async"))]
pub struct WorkerPool {
    spawner: Spawner,
    shared: Arc<Shared>,
}

impl WorkerPool {
    /// A pool by [`WorkerPoolConfig::default`].
    ///
    /// # Errors
    ///
    /// A thread could not be started.
    pub fn new() -> Result<WorkerPool, StartError> {
        WorkerPoolConfig::default().build()
    }

    fn start(config: WorkerPoolConfig) -> Result<WorkerPool, StartError> {
        let threads = config.threads;
        let shared = Arc::new(Shared::new(config));
        let pool = WorkerPool { spawner: Spawner::new(Arc::clone(&shared)), shared };
        // On failure the drop ends what has started.
        pool.shared.resize(threads)?;
        Ok(pool)
    }

    /// Runs a closure on a worker. From within a job of this pool it goes to that worker's own queue.
    ///
    /// # Errors
    ///
    /// The closure comes back untouched, with the reason: the queue is full, the pool is shut down, or the process is a fork's
    /// child.
    ///
    /// # Panics
    ///
    /// Never, and the closure may: the panic is caught by its worker and becomes the error of its handle.
    ///
    /// # Progress
    ///
    /// Does not block, but for the next block of the injector, which another thread may be installing. A wake of a worker, if
    /// one is needed, is a system call.
    #[doc(alias("submit", "process", "execute"))]
    pub fn spawn<F, T>(&self, work: F) -> Result<JobHandle<T>, Refused<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawner.spawn(work)
    }

    /// Runs a future on the workers until it is done. It may use any waker, and no reactor is provided: timers and sockets come from
    /// elsewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = aqueduct_exec::WorkerPool::new()?;
    /// let first = pool.spawn(|| 20).expect("there is room");
    /// let sum = pool.spawn_future(async move { first.await.map(|first| first + 22) }).expect("there is room");
    /// assert_eq!(sum.join(), Ok(Ok(42)));
    /// # Ok::<(), aqueduct_exec::StartError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn spawn_future<F>(&self, future: F) -> Result<JobHandle<F::Output>, Refused<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawner.spawn_future(future)
    }

    /// Runs many small closures and collects their results: one handle and a few jobs for all of them, so that a closure costs some
    /// 20 ns instead of 130. The closures of a part of the batch run one after the other, up to 64 of them; none may wait for
    /// another one.
    ///
    /// A part counts as one job in capacities and statistics, and the closures are not timed.
    ///
    /// # Allocation
    ///
    /// A few for each part, none for a closure.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn), for all closures or none.
    pub fn spawn_batch<F, T>(
        &self,
        work: impl IntoIterator<Item = F>,
    ) -> Result<BatchHandle<T>, Refused<Vec<F>>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawner.spawn_batch(work)
    }

    /// A handle that spawns, for those who do not own the pool.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Changes the number of threads while the pool works. New ones have started when this returns; surplus ones end after their
    /// current job and leave their queue to the others.
    ///
    /// # Errors
    ///
    /// More than [the most](WorkerPoolConfig::with_max_threads), a thread that could not be started (the number is then what it was), or
    /// a pool that is shut down.
    ///
    /// # Blocking
    ///
    /// To grow back over a thread that is just ending, waits for its end: never for a job.
    pub fn resize(&self, threads: NonZeroUsize) -> Result<(), StartError> {
        self.shared.resize(threads)
    }

    /// A reading of the counters.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared.stats()
    }

    /// Ends the pool within so much time: refuses further jobs from outside, runs what is there, futures and the jobs that jobs spawn
    /// included, and abandons what is left when the time is over. Returns as soon as everything is done.
    ///
    /// With no patience at all it is what dropping the pool does, with a report. Called by one of the pool's own jobs it cannot see that
    /// job end, and returns when the time is over.
    pub fn shut_down(&self, patience: Duration) -> ShutdownReport {
        self.shared.shut_down(patience)
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
