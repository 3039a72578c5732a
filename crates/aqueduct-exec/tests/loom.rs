//! Models of the parts that sleep and wake, checked over their interleavings: the pool itself, over a modelled deque.
//!
//! `RUSTFLAGS="--cfg crossbeam_loom" cargo test --release -p aqueduct-exec --test loom`
#![cfg(crossbeam_loom)]

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aqueduct_exec::fork::PerProcess;
use aqueduct_exec::{
    Cancellation, JobError, JobHandle, Refusal, StartError, Timing, WorkerPool, WorkerPoolConfig,
};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};

/// With so many preemptions in a run, in addition to those where a thread blocks.
fn model(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(check);
}

fn pool(threads: usize) -> WorkerPool {
    let count = |threads| NonZeroUsize::new(threads).expect("a model asks for threads");
    WorkerPoolConfig::default()
        .with_threads(count(threads))
        .with_max_threads(count(2))
        .with_timing(Timing::Off)
        .build()
        .expect("a model's threads start")
}

/// Two threads that need a value of their process at the same time have the same one, whole, and the other is dropped.
#[test]
fn a_process_has_one_value() {
    model(3, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let cell = Arc::new(PerProcess::new());
        let get = |number: usize| {
            let (cell, drops) = (Arc::clone(&cell), Arc::clone(&drops));
            move || cell.get_or_build(|_| Value(Box::new(number), drops)).number()
        };
        let other = loom::thread::spawn(get(1));
        let here = get(2)();
        assert_eq!(other.join().unwrap(), here);
        assert!(drops.load(Ordering::Relaxed) <= 1);
        assert_eq!(cell.get().map(Value::number), Some(here));
    });
}

struct Value(Box<usize>, Arc<AtomicUsize>);

impl Value {
    fn number(&self) -> usize {
        *self.0
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// What holds jobs up until it is opened.
#[derive(Clone)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn new() -> Gate {
        Gate(Arc::new((Mutex::new(false), Condvar::new())))
    }

    /// A job that waits for it.
    fn waits(&self) -> impl FnOnce() + Send + 'static {
        let Gate(gate) = self.clone();
        move || {
            let mut open = gate.0.lock().expect("no panic");
            while !*open {
                open = gate.1.wait(open).expect("no panic");
            }
        }
    }

    fn open(&self) {
        *self.0.0.lock().expect("no panic") = true;
        self.0.1.notify_all();
    }
}

/// More than any model waits: loom has no clock, so that a wait with a deadline is one without.
const EVER: Duration = Duration::from_secs(3600);

/// Guards the wake-up of a sleeping worker, and of who joins: a lost one is a deadlock here. What the job did is seen by who joined.
#[test]
fn a_job_wakes_its_worker_and_its_result_wakes_who_joins() {
    model(2, || {
        let pool = pool(1);
        let written = Arc::new(AtomicUsize::new(0));
        let job = Arc::clone(&written);
        let job = pool.spawn(move || {
            job.store(7, Ordering::Relaxed);
            1
        });
        assert_eq!(job.unwrap().join(), Ok(1));
        assert_eq!(written.load(Ordering::Relaxed), 7);
        drop(pool);
    });
}

/// Guards the same for a second job, which meets the worker searching, running, or about to sleep.
#[test]
fn a_second_job_is_not_overlooked() {
    model(2, || {
        let pool = pool(1);
        let first = pool.spawn(|| 1).unwrap();
        let second = pool.spawn(|| 2).unwrap();
        assert_eq!(second.join(), Ok(2));
        assert_eq!(first.join(), Ok(1));
        drop(pool);
    });
}

/// Guards the chain of wakes among two workers: the last searcher looks again.
#[test]
fn two_workers_overlook_nothing() {
    model(1, || {
        let pool = pool(2);
        let first = pool.spawn(|| 1).unwrap();
        let second = pool.spawn(|| 2).unwrap();
        assert_eq!((first.join(), second.join()), (Ok(1), Ok(2)));
        drop(pool);
    });
}

/// Guards against a worker that counts as searching while it runs a job: the push that this job waits for would wake nobody.
#[test]
fn a_job_may_wait_for_one_that_is_pushed_later() {
    model(1, || {
        let pool = pool(2);
        // Here the workers may fall asleep, and below one of them may be woken and begin, without a preemption.
        loom::thread::yield_now();
        let gate = Gate::new();
        let first = pool.spawn(gate.waits());
        loom::thread::yield_now();
        let second = pool.spawn(move || gate.open());
        assert_eq!((first.unwrap().join(), second.unwrap().join()), (Ok(()), Ok(())));
        drop(pool);
    });
}

/// Guards a job that joins its child, which the other worker may have stolen.
#[test]
fn a_job_joins_its_child() {
    model(1, || {
        let pool = pool(2);
        let inside = pool.spawner();
        let job = pool.spawn(move || inside.spawn(|| 5).unwrap().join()).unwrap();
        assert_eq!(job.join(), Ok(Ok(5)));
        drop(pool);
    });
}

/// Guards the end: a job that races with it is run or abandoned, and its handle told.
#[test]
fn spawning_races_with_the_end() {
    model(2, || {
        let pool = pool(1);
        let spawner = pool.spawner();
        let racing = loom::thread::spawn(move || match spawner.spawn(|| 3) {
            Ok(job) => job.join(),
            Err(refused) => Ok(refused.into_inner()()),
        });
        drop(pool);
        let result = racing.join().unwrap();
        assert!(matches!(result, Ok(3) | Err(JobError::Abandoned)), "{result:?}");
    });
}

/// Guards the drain: everything accepted has run, and the threads have ended.
#[test]
fn a_drain_runs_what_was_accepted() {
    model(2, || {
        let pool = pool(1);
        let ran = Arc::new(AtomicUsize::new(0));
        let job = Arc::clone(&ran);
        drop(pool.spawn(move || job.store(1, Ordering::Relaxed)).unwrap());
        let report = pool.shut_down(EVER);
        assert!(report.drained && report.threads == 0, "{report:?}");
        assert_eq!(ran.load(Ordering::Relaxed), 1);
    });
}

/// Guards a wake that races with the poll: it is not lost, whichever is first.
#[test]
fn a_wake_races_with_the_poll() {
    model(1, || {
        let pool = pool(1);
        let state: Arc<Mutex<(bool, Option<std::task::Waker>)>> = Arc::new(Mutex::new((false, None)));
        let inside = Arc::clone(&state);
        let future = poll_fn(move |context| {
            let mut state = inside.lock().unwrap();
            if state.0 {
                return Poll::Ready(4);
            }
            state.1 = Some(context.waker().clone());
            Poll::Pending
        });
        let job = pool.spawn_future(future).unwrap();
        let waker = {
            let mut state = state.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        assert_eq!(job.join(), Ok(4));
        drop(pool);
    });
}

/// Guards cancellation against the start of the job: one of them has it, and the handle says which.
#[test]
fn cancelling_races_with_the_start() {
    model(2, || {
        let pool = pool(1);
        let job = pool.spawn(|| 6).unwrap();
        match job.cancel() {
            Cancellation::Dropped => assert_eq!(job.join(), Err(JobError::Cancelled)),
            Cancellation::Running | Cancellation::Finished => assert_eq!(job.join(), Ok(6)),
        }
        drop(pool);
    });
}

/// Guards the handle's drop against the end of the job: the result is dropped once.
#[test]
fn detaching_races_with_the_end_of_the_job() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    model(2, || {
        let pool = pool(1);
        let dropped = Arc::new(AtomicUsize::new(0));
        let result = Counted(Arc::clone(&dropped));
        drop(pool.spawn(move || result).unwrap());
        assert!(pool.shut_down(EVER).drained);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}

/// Guards resizing: the worker that goes leaves its jobs to the one that stays.
#[test]
fn shrinking_races_with_a_job() {
    model(1, || {
        let pool = pool(2);
        let job = pool.spawn(|| 8).unwrap();
        pool.resize(NonZeroUsize::MIN).unwrap();
        assert_eq!(job.join(), Ok(8));
        drop(pool);
    });
}

/// Guards growth that waits for a thread to go while the pool is shut down: it looks again, and starts no thread after the end.
#[test]
fn growing_races_with_the_end() {
    model(1, || {
        let pool = Arc::new(pool(2));
        pool.resize(NonZeroUsize::MIN).unwrap();
        let grows = Arc::clone(&pool);
        let grows = loom::thread::spawn(move || grows.resize(NonZeroUsize::new(2).expect("2 is not 0")));
        let report = pool.shut_down(EVER);
        let grown = grows.join().unwrap();
        assert!(matches!(grown, Ok(()) | Err(StartError::Refused(Refusal::ShutDown))), "{grown:?}");
        assert_eq!((report.threads, pool.stats().threads), (0, 0), "{grown:?}");
    });
}

/// Guards jobs that a worker is just taking with another one when the pool stops: they are told at once, not when that one ends.
#[test]
fn a_batch_on_its_way_when_the_pool_stops_is_not_forgotten() {
    model(2, || {
        let pool = pool(1);
        let gate = Gate::new();
        let first = pool.spawn(gate.waits());
        let second = pool.spawn(|| 2).unwrap();
        drop(pool);
        let second = second.join();
        assert!(matches!(second, Ok(2) | Err(JobError::Abandoned)), "{second:?}");
        gate.open();
        let first = first.unwrap().join();
        assert!(matches!(first, Ok(()) | Err(JobError::Abandoned)), "{first:?}");
    });
}

/// Guards a destructor that joins another job when the pool stops, while the worker is in a job or not: it gets its answer.
#[test]
fn a_destructor_joins_while_the_pool_stops() {
    struct Joins(Arc<Mutex<Option<JobHandle<u8>>>>);
    impl Drop for Joins {
        fn drop(&mut self) {
            let job = self.0.lock().unwrap().take();
            if let Some(job) = job {
                let result = job.join();
                assert!(matches!(result, Ok(2) | Err(JobError::Abandoned)), "{result:?}");
            }
        }
    }
    model(2, || {
        let pool = pool(1);
        let gate = Gate::new();
        let blocks = pool.spawn(gate.waits()).unwrap();
        // Here the worker may begin, without a preemption.
        loom::thread::yield_now();
        let later = Arc::new(Mutex::new(None));
        let joins = Joins(Arc::clone(&later));
        let first = pool.spawn(move || drop(joins)).unwrap();
        let second = pool.spawn(|| 2).unwrap();
        *later.lock().unwrap() = Some(second);
        drop(pool);
        gate.open();
        for result in [blocks.join(), first.join()] {
            assert!(matches!(result, Ok(()) | Err(JobError::Abandoned)), "{result:?}");
        }
    });
}
