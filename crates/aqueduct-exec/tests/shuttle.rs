//! The pool over crossbeam's own deque, under random schedules of its atomics, locks and threads.
//!
//! `RUSTFLAGS="--cfg aqueduct_shuttle" cargo test --release -p aqueduct-exec --test shuttle`
//!
//! Loom tries every interleaving and is therefore given one or two jobs on a modelled deque; what needs more jobs, batches that are
//! moved, threads that come and go is here, and is sampled. A schedule in which nobody can go on fails as a deadlock, one without an
//! end by its number of steps: no test needs a time-out against hanging. A failure prints its schedule, for `shuttle::replay`, and that
//! of a random schedule also its seed, for `SHUTTLE_RANDOM_SEED`.
#![cfg(aqueduct_shuttle)]

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use aqueduct_exec::{
    Cancellation, JobError, PoolStats, Refusal, Spawner, StartError, Timing, WorkerPool, WorkerPoolConfig,
};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::{Condvar, Mutex};
use shuttle::{Config, Runner, thread};

/// How many schedules each test tries, unless `AQUEDUCT_SCHEDULES` says otherwise.
const SCHEDULES: usize = 10_000;
/// After how many changes of priority a schedule stays as it is, where it goes by priorities. Most bugs take two or three.
const CHANGES: usize = 3;

/// Half of the schedules choose at random at every step, which is good at many threads that do a little each; half by priorities with few
/// changes (PCT), which is good at one thread that is overtaken by all others.
fn explore(check: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("AQUEDUCT_SCHEDULES").ok().and_then(|schedules| schedules.parse().ok());
    let half = schedules.unwrap_or(SCHEDULES).div_ceil(2);
    let mut config = Config::new();
    // It warns of orderings that it takes for stronger ones. Those are loom's.
    config.silence_warnings = true;
    let check = Arc::new(check);
    let again = Arc::clone(&check);
    Runner::new(RandomScheduler::new(half), config.clone()).run(move || check());
    Runner::new(PctScheduler::new(CHANGES, half), config).run(move || again());
}

fn count(threads: usize) -> NonZeroUsize {
    NonZeroUsize::new(threads).expect("a test asks for threads")
}

fn pool(threads: usize) -> WorkerPool {
    WorkerPoolConfig::default()
        .with_threads(count(threads))
        .with_max_threads(count(3))
        .with_timing(Timing::Off)
        .build()
        .expect("shuttle's threads start")
}

/// More than any test waits: shuttle has no clock, so that a wait with a deadline is one without.
const EVER: Duration = Duration::from_secs(3600);

/// What holds jobs up until it is opened.
#[derive(Clone)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn new() -> Gate {
        Gate(Arc::new((Mutex::new(false), Condvar::new())))
    }

    /// A job that waits for it.
    fn waits(&self) -> impl FnOnce() -> usize + Send + 'static {
        let Gate(gate) = self.clone();
        move || {
            let mut open = gate.0.lock().expect("no panic");
            while !*open {
                open = gate.1.wait(open).expect("no panic");
            }
            0
        }
    }

    fn open(&self) {
        *self.0.0.lock().expect("no panic") = true;
        self.0.1.notify_all();
    }
}

/// Something that a future waits for, and another thread brings about.
#[derive(Clone, Default)]
struct Event(Arc<Mutex<(bool, Option<Waker>)>>);

impl Event {
    /// A future that is done when it has come about.
    fn waits(&self) -> impl Future<Output = ()> + Send + 'static {
        let Event(event) = self.clone();
        poll_fn(move |context| {
            let mut event = event.lock().expect("no panic");
            if event.0 {
                return Poll::Ready(());
            }
            event.1 = Some(context.waker().clone());
            Poll::Pending
        })
    }

    fn comes(&self) {
        let waker = {
            let mut event = self.0.lock().expect("no panic");
            event.0 = true;
            event.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What of the accepted jobs the books know the end of.
fn ended(stats: &PoolStats) -> u64 {
    stats.completed + stats.panicked + stats.cancelled + stats.abandoned
}

/// Waits for the threads of a pool that was told to stop, and until the books agree: who told a job's handle enters it right afterwards.
/// If they never do, the schedule has no end.
fn at_rest(pool: &WorkerPool) -> PoolStats {
    pool.shut_down(EVER);
    loop {
        let stats = pool.stats();
        assert!(ended(&stats) <= stats.spawned, "some job ended twice: {stats:?}");
        if ended(&stats) == stats.spawned && stats.waiting == 0 {
            assert_eq!((stats.threads, stats.running), (0, 0), "{stats:?}");
            return stats;
        }
        thread::yield_now();
    }
}

/// Spawns from a job, or does it in place if the pool takes nothing any more.
fn spawn_and_join(pool: &Spawner, work: impl FnOnce() -> usize + Send + 'static) -> Result<usize, JobError> {
    match pool.spawn(work) {
        Ok(job) => job.join(),
        Err(refused) => Ok(refused.into_inner()()),
    }
}

/// Guards every wake-up between who spawns, two workers who move batches to themselves and from each other, and who joins: one that is
/// lost is a deadlock. Guards the drain, which may not be over early, and the books.
#[test]
fn every_handle_learns_its_result_and_the_drain_leaves_nothing() {
    explore(|| {
        let pool = pool(2);
        let ran = Arc::new(AtomicUsize::new(0));
        let job = |number: usize, ran: &Arc<AtomicUsize>| {
            let ran = Arc::clone(ran);
            move || {
                ran.fetch_add(1, Ordering::Relaxed);
                number
            }
        };
        let (spawner, theirs) = (pool.spawner(), Arc::clone(&ran));
        let other = thread::spawn(move || {
            let jobs: Vec<_> = (0..3).map(|n| spawner.spawn(job(n, &theirs)).unwrap()).collect();
            jobs.into_iter().map(|job| job.join()).collect::<Vec<_>>()
        });
        let jobs: Vec<_> = (3..6).map(|n| pool.spawn(job(n, &ran)).unwrap()).collect();
        // No time at all is no reason to lose the result, or the waker of who joins after that.
        let mine = jobs.into_iter().map(|mut job| match job.join_timeout(Duration::ZERO) {
            Err(JobError::TimedOut) => job.join(),
            result => result,
        });
        assert!(mine.eq((3..6).map(Ok)));
        assert_eq!(other.join().unwrap(), [Ok(0), Ok(1), Ok(2)]);

        // And those that nobody joins.
        (6..9).for_each(|n| drop(pool.spawn(job(n, &ran)).unwrap()));
        let report = pool.shut_down(EVER);
        assert!(report.drained && report.threads == 0 && report.abandoned == 0, "{report:?}");
        assert_eq!(ran.load(Ordering::Relaxed), 9);
        let stats = pool.stats();
        assert_eq!((stats.spawned, stats.completed, ended(&stats), stats.waiting), (9, 9, 9, 0), "{stats:?}");
    });
}

/// Guards the chain of wakes: who pushes wakes nobody while a worker searches, so a searcher who then runs a job that waits, by other
/// means than a handle, has to wake the other worker for what was pushed meanwhile.
#[test]
fn a_job_may_wait_for_one_that_is_pushed_later() {
    explore(|| {
        let pool = pool(2);
        let gate = Gate::new();
        let waits = pool.spawn(gate.waits()).unwrap();
        let between = pool.spawn(|| 1).unwrap();
        let opens = pool.spawn(move || gate.open()).unwrap();
        assert_eq!((waits.join(), between.join(), opens.join()), (Ok(0), Ok(1), Ok(())));
        assert!(pool.shut_down(EVER).drained);
    });
}

/// Guards the end without patience, against jobs that run, wait in a queue, are on their way between two queues, or are just being
/// spawned: each handle is told while the running job still runs, and each job is either run or abandoned.
#[test]
fn an_end_without_patience_tells_every_handle() {
    explore(|| {
        let pool = pool(2);
        let (ran, gate) = (Arc::new(AtomicUsize::new(0)), Gate::new());
        let job = |ran: &Arc<AtomicUsize>| {
            let ran = Arc::clone(ran);
            move || ran.fetch_add(1, Ordering::Relaxed)
        };
        let blocks = pool.spawn(gate.waits()).unwrap();
        let (spawner, theirs) = (pool.spawner(), Arc::clone(&ran));
        let racing = thread::spawn(move || {
            let spawned = (0..2).map(|_| spawner.spawn(job(&theirs)));
            spawned.map(|spawned| spawned.map_err(|refused| refused.reason())).collect::<Vec<_>>()
        });
        let jobs: Vec<_> = (0..4).map(|_| pool.spawn(job(&ran)).unwrap()).collect();

        pool.shut_down(Duration::ZERO);
        let mut completed = 0;
        let mut told = |result: Result<usize, JobError>| match result {
            Ok(_) => completed += 1,
            Err(error) => assert_eq!(error, JobError::Abandoned),
        };
        jobs.into_iter().for_each(|job| told(job.join()));
        for spawned in racing.join().unwrap() {
            match spawned {
                Ok(job) => told(job.join()),
                Err(reason) => assert_eq!(reason, Refusal::ShutDown),
            }
        }
        gate.open();
        let blocks = blocks.join();
        let blocked = usize::from(blocks.is_ok());
        told(blocks);
        assert_eq!(ran.load(Ordering::Relaxed) + blocked, completed);
        assert_eq!(at_rest(&pool).completed, completed as u64);
    });
}

/// Guards a job that joins what it spawned when the pool stops meanwhile: it runs its child itself, or is told that nobody will.
#[test]
fn a_job_joins_its_children_while_the_pool_stops() {
    explore(|| {
        let pool = pool(2);
        let parents: Vec<_> = (0..2)
            .map(|n| {
                let inside = pool.spawner();
                pool.spawn(move || [10 * n, 10 * n + 1].map(|n| spawn_and_join(&inside, move || n))).unwrap()
            })
            .collect();
        pool.shut_down(Duration::ZERO);
        for (n, parent) in parents.into_iter().enumerate() {
            match parent.join() {
                Ok(children) => {
                    for (child, own) in children.into_iter().zip([10 * n, 10 * n + 1]) {
                        assert!(child == Ok(own) || child == Err(JobError::Abandoned), "{child:?}");
                    }
                }
                Err(error) => assert_eq!(error, JobError::Abandoned),
            }
        }
        at_rest(&pool);
    });
}

/// Guards the queue of a worker that goes, in the middle of jobs that wait for what is in it, and the thread that comes in its place: no
/// job stays behind, none runs twice, and there are as many threads in the end as were asked for.
#[test]
fn resizing_leaves_no_job_behind() {
    explore(|| {
        let pool = Arc::new(pool(2));
        let parents: Vec<_> = (0..3)
            .map(|n| {
                let inside = pool.spawner();
                pool.spawn(move || {
                    let children = [n, 10 + n].map(|n| inside.spawn(move || n).unwrap());
                    children.into_iter().map(|child| child.join().unwrap()).sum::<usize>()
                })
            })
            .collect();
        let resizes = Arc::clone(&pool);
        let resizes = thread::spawn(move || {
            for threads in [1, 3, 1, 3, 2] {
                resizes.resize(count(threads)).unwrap();
            }
            // None that was about to go is taken for one that stays, and a surplus one goes although it may be asleep.
            while resizes.stats().threads != 2 {
                thread::yield_now();
            }
        });
        for (n, parent) in parents.into_iter().enumerate() {
            assert_eq!(parent.unwrap().join(), Ok(10 + 2 * n));
        }
        resizes.join().unwrap();
        assert_eq!(pool.spawn(|| 1).unwrap().join(), Ok(1));
        let report = pool.shut_down(EVER);
        assert!(report.drained && report.threads == 0 && report.abandoned == 0, "{report:?}");
        let stats = pool.stats();
        assert_eq!((stats.spawned, stats.completed, ended(&stats)), (10, 10, 10), "{stats:?}");
    });
}

/// Guards growth and shrinkage against the end of the pool: whichever is first, no thread is left, and no handle without an answer.
#[test]
fn resizing_races_with_the_end() {
    explore(|| {
        let pool = Arc::new(pool(2));
        let jobs: Vec<_> = (0..3).map(|n| pool.spawn(move || n).unwrap()).collect();
        let resizes = Arc::clone(&pool);
        let resizes = thread::spawn(move || {
            for threads in [1, 3] {
                let resized = resizes.resize(count(threads));
                assert!(
                    matches!(resized, Ok(()) | Err(StartError::Refused(Refusal::ShutDown))),
                    "{resized:?}"
                );
            }
        });
        pool.shut_down(Duration::ZERO);
        for (n, job) in jobs.into_iter().enumerate() {
            let result = job.join();
            assert!(result == Ok(n) || result == Err(JobError::Abandoned), "{result:?}");
        }
        resizes.join().unwrap();
        at_rest(&pool);
    });
}

/// Guards cancellation against the start of closures and the polls of futures: one of them has the job, the handle says which, and what
/// was dropped has not run. The books count each once.
#[test]
fn cancelling_races_with_the_start() {
    explore(|| {
        let pool = pool(2);
        let ran = Arc::new(AtomicUsize::new(0));
        let event = Event::default();
        let closures: Vec<_> = (0..3)
            .map(|_| {
                let ran = Arc::clone(&ran);
                pool.spawn(move || ran.fetch_add(1, Ordering::Relaxed)).unwrap()
            })
            .collect();
        let future = pool.spawn_future(event.waits()).unwrap();
        let comes = thread::spawn(move || event.comes());
        let mut completed = 0;
        for closure in closures {
            match closure.cancel() {
                Cancellation::Dropped => assert_eq!(closure.join(), Err(JobError::Cancelled)),
                Cancellation::Running | Cancellation::Finished => {
                    assert!(closure.join().is_ok());
                    completed += 1;
                }
            }
        }
        assert_eq!(ran.load(Ordering::Relaxed), completed);
        // A future that is being polled is dropped after the poll, unless that was its last one.
        match (future.cancel(), future.join()) {
            (Cancellation::Dropped | Cancellation::Running, Err(JobError::Cancelled)) => {}
            (Cancellation::Running | Cancellation::Finished, Ok(())) => completed += 1,
            other => panic!("{other:?}"),
        }
        comes.join().unwrap();
        assert!(pool.shut_down(EVER).drained);
        let stats = at_rest(&pool);
        assert_eq!((stats.completed, stats.cancelled), (completed as u64, 4 - completed as u64), "{stats:?}");
    });
}

/// Guards a future's waker, called by a thread that is no worker while the pool stops: the future may be in a queue, asleep, in the middle
/// of a poll or on its way back, and its handle is told in each case. So is one that awaits another.
#[test]
fn futures_are_woken_while_the_pool_stops() {
    explore(|| {
        let pool = pool(2);
        let events = [Event::default(), Event::default()];
        let first = pool.spawn_future(events[0].waits()).unwrap();
        let second = pool.spawn_future(events[1].waits()).unwrap();
        let third = pool.spawn_future(second).unwrap();
        let comes = thread::spawn(move || events.iter().for_each(Event::comes));
        pool.shut_down(Duration::ZERO);
        let first = first.join();
        assert!(matches!(first, Ok(()) | Err(JobError::Abandoned)), "{first:?}");
        let third = third.join();
        assert!(
            matches!(third, Ok(Ok(()) | Err(JobError::Abandoned)) | Err(JobError::Abandoned)),
            "{third:?}"
        );
        comes.join().unwrap();
        at_rest(&pool);
    });
}

/// Guards the same with patience: a drain waits for futures that are asleep, for the threads that wake them and for what they await.
#[test]
fn a_drain_waits_for_futures_that_others_wake() {
    explore(|| {
        let pool = pool(2);
        let events = [Event::default(), Event::default()];
        let first = pool.spawn_future(events[0].waits()).unwrap();
        let second = pool.spawn_future(events[1].waits()).unwrap();
        let third = pool.spawn_future(second).unwrap();
        let comes = thread::spawn(move || events.iter().for_each(Event::comes));
        let report = pool.shut_down(EVER);
        assert!(report.drained && report.threads == 0 && report.abandoned == 0, "{report:?}");
        assert_eq!((first.join(), third.join()), (Ok(()), Ok(Ok(()))));
        comes.join().unwrap();
    });
}
