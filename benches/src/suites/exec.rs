//! `aqueduct-exec`: what a job costs beside rayon's and tokio's, and what the face over crossbeam-deque adds.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use aqueduct_exec::{Order, Timing, WorkStealingQueue, WorkerPool, WorkerPoolConfig, fork};

use crate::Failure;
use crate::harness::{Declared, Run, Suite};

const DEQUE: &str = "crossbeam-deque";
const RAYON: &str = "rayon::scope";
const TOKIO: &str = "tokio::spawn";

/// Queues, jobs, forks.
pub(super) const SUITE: Suite = Suite {
    name: "exec",
    about: "`steal`: an owner and a thief empty a full queue. `spawn_join`: a job spawns 10,000 closures of some 10 ns each and collects \
            their results, on two workers, everybody from within the pool, which suits them all best. `as a batch` is `spawn_batch`; `a handle \
            each` is `spawn` and `join`, without timing, as rayon and tokio do not time either; `timed` is the default. `from outside` spawns and \
            joins on a thread that is no worker.",
    rows: &[
        Declared::higher("steal", "items/s").against(DEQUE).bar("ratio>=0.95"),
        Declared::higher("steal_batch", "items/s").against(DEQUE).bar("ratio>=0.95"),
        Declared::lower("push_pop", "ns").against(DEQUE).bar("ratio<=1.05"),
        Declared::higher("spawn_join/2w as a batch, rayon", "jobs/s").against(RAYON).bar("ratio>=1"),
        Declared::higher("spawn_join/2w as a batch, tokio", "jobs/s").against(TOKIO).bar("ratio>=2"),
        Declared::higher("spawn_join/2w a handle each, rayon", "jobs/s").against(RAYON).bar("ratio>=1"),
        Declared::higher("spawn_join/2w a handle each, tokio", "jobs/s").against(TOKIO).bar("ratio>=2"),
        Declared::higher("spawn_join/2w a handle each, timed, tokio", "jobs/s").against(TOKIO),
        Declared::higher("spawn_join/2w from outside, tokio", "jobs/s").against(TOKIO),
        Declared::lower("one job on an idle pool, spawn to result", "ns").against(TOKIO),
        Declared::lower("fork::generation", "ns").against("getpid").bar("ratio<=0.05"),
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    queues(run)?;
    if run.wants_group("spawn_join") || run.wants_group("one job") {
        jobs(run)?;
    }
    run.compare("fork::generation", 1, fork::generation, std::process::id)
}

/// Runs two threads from a common start, and returns how many items they had a second, from when the first began until the last
/// ended. The threads read the clock themselves: on a busy machine whoever started them may come late to it.
fn together(items: usize, first: impl FnOnce() + Send, second: impl FnOnce() + Send) -> f64 {
    let start = Barrier::new(2);
    let timed = |run: &mut dyn FnMut()| {
        start.wait();
        let begun = Instant::now();
        run();
        (begun, Instant::now())
    };
    let (mut first, mut second) = (Some(first), Some(second));
    let (one, other) = thread::scope(|scope| {
        let other = scope.spawn(|| timed(&mut || second.take().into_iter().for_each(|run| run())));
        let one = timed(&mut || first.take().into_iter().for_each(|run| run()));
        (one, other.join().expect("it only takes items"))
    });
    items as f64 / (one.1.max(other.1) - one.0.min(other.0)).as_secs_f64()
}

fn queues(run: &mut Run<'_>) -> Result<(), Failure> {
    let items: usize = run.effort().pick(100, 200_000, 1_000_000);
    let rounds = run.effort().pick(2, 15, 31);

    let ours = || {
        let queue = WorkStealingQueue::new(Order::Lifo);
        (0..items).for_each(|item| queue.push(item));
        let stealer = queue.stealer();
        let thief = || while stealer.steal().is_some() {};
        Ok(together(items, move || while queue.pop().is_some() {}, thief))
    };
    let theirs = || {
        let queue = crossbeam_deque::Worker::new_lifo();
        (0..items).for_each(|item| queue.push(item));
        let stealer = queue.stealer();
        let thief = || while !matches!(stealer.steal(), crossbeam_deque::Steal::Empty) {};
        Ok(together(items, move || while queue.pop().is_some() {}, thief))
    };
    run.alternate("steal", rounds, ours, theirs)?;

    let ours = || {
        let queue = WorkStealingQueue::new(Order::Lifo);
        (0..items).for_each(|item| queue.push(item));
        let stealer = queue.stealer();
        let thief = || {
            let loot = WorkStealingQueue::new(Order::Lifo);
            while stealer.steal_batch_and_pop(&loot, 32).is_some() {
                while loot.pop().is_some() {}
            }
        };
        Ok(together(items, move || while queue.pop().is_some() {}, thief))
    };
    let theirs = || {
        let queue = crossbeam_deque::Worker::new_lifo();
        (0..items).for_each(|item| queue.push(item));
        let stealer = queue.stealer();
        let thief = || {
            let loot = crossbeam_deque::Worker::new_lifo();
            while !matches!(stealer.steal_batch_with_limit_and_pop(&loot, 32), crossbeam_deque::Steal::Empty)
            {
                while loot.pop().is_some() {}
            }
        };
        Ok(together(items, move || while queue.pop().is_some() {}, thief))
    };
    run.alternate("steal_batch", rounds, ours, theirs)?;

    let ours = WorkStealingQueue::new(Order::Lifo);
    let theirs = crossbeam_deque::Worker::new_lifo();
    let push_pop = || {
        ours.push(black_box(1_u64));
        ours.pop()
    };
    let push_pop_theirs = || {
        theirs.push(black_box(1_u64));
        theirs.pop()
    };
    run.compare("push_pop", 1, push_pop, push_pop_theirs)
}

/// The closure's work: some 10 ns that no compiler foresees.
fn work(seed: u64) -> u64 {
    (0..10).fold(seed ^ 0x9E37_79B9_7F4A_7C15, |mut x, _| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^ x << 17
    })
}

fn pool(timing: Timing) -> Result<WorkerPool, Failure> {
    let two = NonZeroUsize::MIN.saturating_add(1);
    Ok(WorkerPoolConfig::default().with_threads(two).with_timing(timing).build()?)
}

/// Jobs a second.
fn rate(jobs: u64, round: impl FnOnce() -> u64) -> f64 {
    let begun = Instant::now();
    assert_eq!(
        black_box(round()),
        (0..jobs).fold(0, |sum, seed| sum ^ work(seed)),
        "every result was collected"
    );
    jobs as f64 / begun.elapsed().as_secs_f64()
}

fn xor(results: &[u64]) -> u64 {
    results.iter().fold(0, |sum, result| sum ^ result)
}

fn a_handle_each(pool: &WorkerPool, jobs: u64) -> u64 {
    let inside = pool.spawner();
    let outer = move || {
        let handles: Vec<_> =
            (0..jobs).map(|seed| inside.spawn(move || work(seed)).expect("there is room")).collect();
        let results: Vec<u64> = handles.into_iter().map(|job| job.join().expect("it only adds")).collect();
        xor(&results)
    };
    pool.spawn(outer).expect("there is room").join().expect("it only adds")
}

fn as_a_batch(pool: &WorkerPool, jobs: u64) -> u64 {
    let inside = pool.spawner();
    let outer = move || {
        let batch = inside.spawn_batch((0..jobs).map(|seed| move || work(seed))).expect("there is room");
        let results: Vec<u64> =
            batch.join().into_iter().map(|result| result.expect("it only adds")).collect();
        xor(&results)
    };
    pool.spawn(outer).expect("there is room").join().expect("it only adds")
}

fn from_outside(pool: &WorkerPool, jobs: u64) -> u64 {
    let handles: Vec<_> =
        (0..jobs).map(|seed| pool.spawn(move || work(seed)).expect("there is room")).collect();
    let results: Vec<u64> = handles.into_iter().map(|job| job.join().expect("it only adds")).collect();
    xor(&results)
}

fn rayon_scope(pool: &rayon::ThreadPool, jobs: u64) -> u64 {
    let mut results = vec![0; jobs as usize];
    pool.scope(|scope| {
        for (seed, result) in results.iter_mut().enumerate() {
            scope.spawn(move |_| *result = work(seed as u64));
        }
    });
    xor(&results)
}

async fn tokio_jobs(jobs: u64) -> u64 {
    let handles: Vec<_> = (0..jobs).map(|seed| tokio::spawn(async move { work(seed) })).collect();
    let mut results = Vec::with_capacity(handles.len());
    for handle in handles {
        results.push(handle.await.expect("it only adds"));
    }
    xor(&results)
}

fn jobs(run: &mut Run<'_>) -> Result<(), Failure> {
    let jobs: u64 = run.effort().pick(100, 10_000, 10_000);
    let rounds = run.effort().pick(2, 41, 201);
    let (plain, timed) = (pool(Timing::Off)?, pool(Timing::PerJob)?);
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;

    let scope = || Ok(rate(jobs, || rayon_scope(&rayon, jobs)));
    let inside = || {
        let spawned =
            || tokio.block_on(async move { tokio::spawn(tokio_jobs(jobs)).await.expect("it only adds") });
        Ok(rate(jobs, spawned))
    };
    let outside = || Ok(rate(jobs, || tokio.block_on(tokio_jobs(jobs))));
    let batch = || Ok(rate(jobs, || as_a_batch(&plain, jobs)));
    let each = || Ok(rate(jobs, || a_handle_each(&plain, jobs)));
    let each_timed = || Ok(rate(jobs, || a_handle_each(&timed, jobs)));
    let ours_outside = || Ok(rate(jobs, || from_outside(&plain, jobs)));
    run.alternate("spawn_join/2w as a batch, rayon", rounds, batch, scope)?;
    run.alternate("spawn_join/2w as a batch, tokio", rounds, batch, inside)?;
    run.alternate("spawn_join/2w a handle each, rayon", rounds, each, scope)?;
    run.alternate("spawn_join/2w a handle each, tokio", rounds, each, inside)?;
    run.alternate("spawn_join/2w a handle each, timed, tokio", rounds, each_timed, inside)?;
    run.alternate("spawn_join/2w from outside, tokio", rounds, ours_outside, outside)?;

    let one = || plain.spawn(|| work(1)).expect("there is room").join();
    let theirs = || tokio.block_on(async { tokio::spawn(async { work(1) }).await.expect("it only adds") });
    run.compare("one job on an idle pool, spawn to result", 1, one, theirs)
}

/// Operations for instruction budgets: each does its operation so often and nothing else worth counting.
pub mod operations {
    use super::{Order, WorkStealingQueue, black_box, fork};

    /// A push and a pop by the owner.
    pub fn push_pop(times: u64) {
        let queue = WorkStealingQueue::new(Order::Lifo);
        for item in 0..times {
            queue.push(item);
            black_box(queue.pop());
        }
    }

    /// A push by the owner and a steal.
    pub fn push_steal(times: u64) {
        let queue = WorkStealingQueue::new(Order::Lifo);
        let stealer = queue.stealer();
        for item in 0..times {
            queue.push(item);
            black_box(stealer.steal());
        }
    }

    /// A look whether the process was forked.
    pub fn generation(times: u64) {
        for _ in 0..times {
            black_box(fork::generation());
        }
    }

    /// A spawn within a job of a pool of one, and its join, which runs it in place.
    pub fn spawn_join(times: u64) {
        let config = aqueduct_exec::WorkerPoolConfig::default()
            .with_threads(std::num::NonZeroUsize::MIN)
            .with_timing(aqueduct_exec::Timing::Off);
        let pool = config.build().expect("a thread starts");
        let inside = pool.spawner();
        let outer = move || {
            for item in 0..times {
                let job = inside.spawn(move || black_box(item)).expect("there is room");
                black_box(job.join().expect("it does nothing"));
            }
        };
        pool.spawn(outer).expect("there is room").join().expect("it does nothing");
    }
}
