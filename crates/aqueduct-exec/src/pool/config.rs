//! What a pool can be told.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use super::idle::MOST_WORKERS;
use super::{StartError, WorkerPool};
use crate::affinity::Affinity;
use crate::queue::Order;

/// Whether jobs are timed.
///
/// Complete: a clock is read or it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Timing {
    /// [`JobHandle::timing`](crate::JobHandle::timing) tells. Two to three readings of the clock a job, 25 ns each on a common
    /// machine: nothing beside a job of microseconds, most of the cost of one that does next to nothing.
    #[default]
    PerJob,
    /// Nothing is measured.
    Off,
}

pub(crate) type StartHook = Arc<dyn Fn(usize) + Send + Sync>;

/// How a [`WorkerPool`] is to be built. The defaults are right for a service in production.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroUsize;
/// use aqueduct_exec::WorkerPoolConfig;
///
/// let pool = WorkerPoolConfig::default()
///     .with_threads(NonZeroUsize::MIN)
///     .with_name("compress")
///     .with_capacity(1024)
///     .build()?;
/// assert_eq!(pool.stats().threads, 1);
/// # Ok::<(), aqueduct_exec::StartError>(())
/// ```
#[derive(Clone)]
pub struct WorkerPoolConfig {
    pub(crate) threads: NonZeroUsize,
    max_threads: Option<NonZeroUsize>,
    pub(crate) capacity: usize,
    pub(crate) local_capacity: usize,
    pub(crate) order: Order,
    pub(crate) timing: Timing,
    pub(crate) name: String,
    pub(crate) stack_size: Option<NonZeroUsize>,
    pub(crate) on_thread_start: Option<StartHook>,
    pub(crate) affinity: Option<Affinity>,
}

impl Default for WorkerPoolConfig {
    fn default() -> WorkerPoolConfig {
        WorkerPoolConfig {
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            max_threads: None,
            capacity: 65_536,
            local_capacity: 65_536,
            order: Order::Lifo,
            timing: Timing::PerJob,
            name: "worker".to_owned(),
            stack_size: None,
            on_thread_start: None,
            affinity: None,
        }
    }
}

impl WorkerPoolConfig {
    /// How many threads to start with. Default: what the process may use at once, by its CPU set and control group.
    #[must_use]
    pub fn with_threads(mut self, threads: NonZeroUsize) -> WorkerPoolConfig {
        self.threads = threads;
        self
    }

    /// How many threads [`WorkerPool::resize`] may ask for, at most 4,095. Default: 64, or the number to start with if that is more.
    /// Costs a pointer or two each until used.
    #[must_use]
    pub fn with_max_threads(mut self, threads: NonZeroUsize) -> WorkerPoolConfig {
        self.max_threads = Some(threads);
        self
    }

    /// How many jobs spawned from outside the pool may wait to be started; further ones are refused. Default: 65,536. What the
    /// closures hold is not measured: whoever sends megabytes bounds them too.
    #[must_use]
    pub fn with_capacity(mut self, jobs: usize) -> WorkerPoolConfig {
        self.capacity = jobs;
        self
    }

    /// How many jobs may wait in the queue of the worker that spawns one more. Default: 65,536. It is a bound of its own
    /// so that a full pool does not refuse the jobs that its own jobs wait for.
    #[must_use]
    pub fn with_local_capacity(mut self, jobs: usize) -> WorkerPoolConfig {
        self.local_capacity = jobs;
        self
    }

    /// The order in which a worker takes the jobs spawned on it. Default: the newest first.
    #[must_use]
    pub fn with_order(mut self, order: Order) -> WorkerPoolConfig {
        self.order = order;
        self
    }

    /// Whether jobs are timed. Default: each.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> WorkerPoolConfig {
        self.timing = timing;
        self
    }

    /// What the threads are called: this, a hyphen, and their number. Default: `worker`. Linux shows 15 bytes of it. A zero byte
    /// ends it.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> WorkerPoolConfig {
        self.name = name.into();
        if let Some(end) = self.name.find('\0') {
            self.name.truncate(end);
        }
        self
    }

    /// Bytes of stack a thread. Default: what `std` takes, 2 MiB unless `RUST_MIN_STACK` says otherwise.
    #[must_use]
    pub fn with_stack_size(mut self, bytes: NonZeroUsize) -> WorkerPoolConfig {
        self.stack_size = Some(bytes);
        self
    }

    /// What each thread calls first, with its number. Default: nothing. If it panics, the thread works nevertheless, and
    /// [`PoolStats::panicked`](crate::PoolStats::panicked) counts it.
    #[must_use]
    pub fn with_on_thread_start(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> WorkerPoolConfig {
        self.on_thread_start = Some(Arc::new(hook));
        self
    }

    /// Pins each thread to the [next](Affinity::next) core. Default: no thread is pinned. A scheduler that knows what else the
    /// machine does is right more often than a fixed choice; measure before and after.
    #[must_use]
    pub fn with_affinity(mut self, affinity: Affinity) -> WorkerPoolConfig {
        self.affinity = Some(affinity);
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// More threads than the pool may have, a thread that the operating system does not start, or one that cannot be pinned. Threads
    /// that had started end again.
    pub fn build(self) -> Result<WorkerPool, StartError> {
        WorkerPool::start(self)
    }

    pub(crate) fn max_threads(&self) -> usize {
        const USUAL: usize = if cfg!(crossbeam_loom) { 2 } else { 64 };
        let most = self.max_threads.map_or(self.threads.get().max(USUAL), NonZeroUsize::get);
        most.min(MOST_WORKERS)
    }
}

impl fmt::Debug for WorkerPoolConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPoolConfig")
            .field("threads", &self.threads)
            .field("max_threads", &self.max_threads())
            .field("capacity", &self.capacity)
            .field("local_capacity", &self.local_capacity)
            .field("order", &self.order)
            .field("timing", &self.timing)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .field("affinity", &self.affinity)
            .finish_non_exhaustive()
    }
}
