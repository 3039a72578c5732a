//! Worker threads for small jobs: a work-stealing pool with deadlines, cancellation and reports, its queue, cores, and forks.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch   aqueduct-transport   aqueduct-receiver   aqueduct-tune
//! L1 [aqueduct-exec]   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! # The problem
//!
//! Compressing, encoding and hashing do not belong on the threads that do I/O, and a thread for each is too much. Pools for this
//! are easily had; what they rarely tell is how it ends. Here a queue that is full gives the job back, waiting has a deadline, a panic is an
//! error with its message, a cancelled job is gone, shutting down takes as long as it was given and reports what was left, and a forked child
//! is told that its threads are in another process.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use aqueduct_exec::{JobError, WorkerPoolConfig};
//!
//! let pool = WorkerPoolConfig::default().with_name("hash").with_capacity(10_000).build()?;
//!
//! let mut job = pool.spawn(|| (1..=20_u64).product::<u64>()).expect("a new pool has room");
//! match job.join_timeout(Duration::from_secs(1)) {
//!     Ok(product) => assert_eq!(product, 2_432_902_008_176_640_000),
//!     Err(JobError::TimedOut) => drop(job.cancel()),
//!     Err(error) => panic!("{error}"),
//! }
//! if let Some(timing) = job.timing() {
//!     println!("waited {:?}, ran {:?}", timing.queued, timing.run);
//! }
//!
//! let report = pool.shut_down(Duration::from_secs(5));
//! assert!(report.drained, "{} jobs left", report.abandoned);
//! # Ok::<(), aqueduct_exec::StartError>(())
//! ```
//!
//! # Concepts
//!
//! - A [`WorkerPool`] has threads, each with a queue of its own, and an injector through which jobs come from outside. A [`Spawner`] spawns
//!   without owning the pool; jobs find theirs by [`Spawner::current`].
//! - A [`JobHandle`] is a future for any executor, and can be joined by a thread. Dropped, it lets the job run. A [`BatchHandle`] is one for
//!   many closures.
//! - A [`WorkStealingQueue`] with its [`Stealer`]s, and the [`Injector`], are what the pool is made of, for those who build their own.
//! - A [`CoreSet`] says which cores the process was given, an [`Affinity`] deals them out to threads. Nothing is pinned by itself.
//! - [`fork::generation`] is a number that differs in each forked child; [`fork::PerProcess`] holds a value that a child builds anew.
//!
//! # Guarantees
//!
//! - *Every handle learns the end of its job*: a result, a panic, a cancellation, or that the pool stopped first. When it stops, all are told
//!   before anything is dropped, so that a destructor may join any job of the pool.
//! - *Order.* Jobs from outside start in the order of their spawning, as far as several workers can; those of a worker's own queue in the
//!   configured [`Order`]. The injector comes first every 61st time, so that nobody starves.
//! - *No wake-up is lost, nobody spins.* A worker without work looks around four times and sleeps. A push wakes one only if none is
//!   searching, because a wake costs as much as a hundred jobs. The protocol is model-checked.
//! - *Joining within a job* runs other jobs meanwhile, so that a pool of one thread can join what it spawned.
//! - *Allocation.* One for a closure with its result, two for a future, a few for 64 closures of a batch.
//! - *Overload.* The injector and each worker's queue are bounded in jobs; what does not fit comes back to the caller.
//! - *Progress.* Spawning takes an injector slot without a lock; a job's own lock is held for a few instructions, never while code of a user
//!   runs. Joining blocks, [`WorkerPool::shut_down`] blocks until its deadline, nothing else does.
//! - *Panics* of jobs, of their destructors, of wakers and of panic payloads end at the worker. With `panic = "abort"` nothing of the kind is
//!   possible.
//!
//! # What it costs
//!
//! On two cores of an EPYC (Zen 4), closures of 10 ns spawned by a job and collected by it: `spawn_batch` 19 to 24 ns a closure, `spawn` with
//! a handle each 130 without timing and 175 with it, `rayon::scope` 235 to 250, `tokio::spawn` 400 to 465. Spawned and joined by a thread that is
//! no worker: 205. One job on an idle pool, from spawn to result: 3 to 25 us, which is the waking of two threads. A thief and an owner empty a queue at 27.9 million items a second,
//! as crossbeam-deque itself does. A handle costs what it does because each job can be awaited, cancelled and claimed by whoever waits for it:
//! three reference counts and four turns of a lock. The suite `exec` of the benchmarks has the rows.
//!
//! # Limitations
//!
//! - Jobs own what they use (`'static`); for borrowed data use `rayon::scope` or `std::thread::scope`.
//! - A running closure cannot be stopped, by cancellation or by shutdown: its thread is the user's until it returns.
//! - Queues are bounded in jobs, not in what the jobs hold. A batch counts by its parts.
//! - There is no timer and no reactor: a future needs its wakers from elsewhere.
//! - A job that waits for another by other means than its handle (a channel, a condition variable) holds its thread meanwhile, and in a pool of
//!   one waits for ever.
//! - crossbeam-deque cannot be model-checked. The pool's models run over a modelled deque, and its random schedules over the real one, each
//!   operation of which is one step there; the real one is trusted, and tested against `VecDeque`, for linearizability, and under stress.
//! - Needs 64-bit atomics. 32-bit machines that have them are not tested.
//! - A job that forks is its child's `main`: when it returns there, the child ends by `_exit`. See [`fork`].
//! - No priorities, and no deadline for a job itself.
//!
//! # When not to use this crate
//!
//! - For I/O: use an async runtime. For parallel iterators and borrowed data: rayon.
//! - For one long task: a thread.
//! - A `Mutex<VecDeque>` is enough where a few jobs a second pass.
//!
//! # Features
//!
//! None.
//!
//! # Safety design
//!
//! Unsafe code stands in two modules, and only as calls of the operating system: in `affinity` the two that read and set the cores of a thread,
//! in [`fork`] the one that registers a handler and the one that ends a child. Each says there why it is sound. Everything else, jobs and queues included, is safe code over
//! `std` and crossbeam-deque.

#[allow(unsafe_code, reason = "two calls of the kernel")]
mod affinity;
#[allow(unsafe_code, reason = "two calls of the C library, and a list without a lock")]
pub mod fork;
mod job;
mod pool;
mod queue;
mod sync;

pub use affinity::{Affinity, AffinityError, CoreSet};
pub use job::{Cancellation, JobTiming};
pub use pool::{
    BatchHandle, JobError, JobHandle, PoolStats, Refusal, Refused, ShutdownReport, Spawner, StartError,
    Timing, WorkerPool, WorkerPoolConfig,
};
pub use queue::{Injector, Order, Stealer, WorkStealingQueue};
