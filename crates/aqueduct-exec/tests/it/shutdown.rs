//! The end of a pool.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_exec::{JobError, WorkerPool};

use super::tools::{Blocked, LONG, pool};

/// Spawns a tree of jobs that nobody waits for.
fn tree(pool: &aqueduct_exec::Spawner, depth: u32, done: Arc<AtomicUsize>) {
    let inside = pool.clone();
    let job = move || {
        done.fetch_add(1, Ordering::Relaxed);
        if depth > 0 {
            tree(&inside, depth - 1, Arc::clone(&done));
            tree(&inside, depth - 1, Arc::clone(&done));
        }
    };
    drop(pool.spawn(job).expect("a draining pool takes the jobs of its jobs"));
}

/// Guards the drain: what is queued runs, and what it spawns too; all threads end.
#[test]
fn a_drain_runs_everything() {
    let pool = pool(2);
    let done = Arc::new(AtomicUsize::new(0));
    let blocked = Blocked::on(&pool.spawner());
    tree(&pool.spawner(), 9, Arc::clone(&done));
    let future = pool.spawn_future({
        let first = pool.spawn(|| 1).unwrap();
        async move { first.await.unwrap() + 1 }
    });
    let report = thread::scope(|scope| {
        let report = scope.spawn(|| pool.shut_down(LONG));
        blocked.release();
        report.join().unwrap()
    });
    assert!(report.drained, "{report:?}");
    assert_eq!((report.abandoned, report.running, report.threads), (0, 0, 0));
    assert_eq!(done.load(Ordering::Relaxed), 1023);
    assert_eq!(future.unwrap().join(), Ok(2));
    let stats = pool.stats();
    assert_eq!(stats.spawned, stats.completed);
    assert!(pool.shut_down(LONG).drained, "a second time is harmless");
}

/// Guards the deadline, with a job that does not end, jobs behind it, and a future that nobody wakes: each handle learns its end.
#[test]
fn a_deadline_leaves_the_rest_and_says_so() {
    let pool = pool(1);
    let (polled, begun) = mpsc::channel();
    let sleeps = pool.spawn_future(async move {
        polled.send(()).unwrap();
        pending::<()>().await;
    });
    begun.recv_timeout(LONG).unwrap();
    let blocked = Blocked::on(&pool.spawner());
    let waits = pool.spawn(|| 1).unwrap();
    let scheduled = pool.spawn_future(async { 1 }).unwrap();
    let start = Instant::now();
    let report = pool.shut_down(Duration::from_millis(30));
    assert!(start.elapsed() >= Duration::from_millis(30) && start.elapsed() < LONG);
    assert!(!report.drained);
    assert_eq!((report.abandoned, report.running, report.threads), (3, 1, 1), "{report:?}");
    assert_eq!(waits.join(), Err(JobError::Abandoned));
    assert_eq!(scheduled.join(), Err(JobError::Abandoned));
    assert_eq!(sleeps.unwrap().join(), Err(JobError::Abandoned));
    blocked.release();
}

/// Guards the drop: it does not wait, ends the threads, and leaves no handle hanging.
#[test]
fn dropping_the_pool_abandons_what_has_not_begun() {
    let pool = pool(1);
    let blocked = Blocked::on(&pool.spawner());
    let inside = pool.spawner();
    let jobs: Vec<_> = (0..100).map(|n| pool.spawn(move || n).unwrap()).collect();
    drop(pool);
    for job in jobs {
        assert_eq!(job.join(), Err(JobError::Abandoned));
    }
    assert!(inside.spawn(|| ()).is_err());
    blocked.release();
}

/// Guards a worker that waits for a job when the pool ends: it must not wait for ever.
#[test]
fn stopping_wakes_a_worker_that_joins() {
    let pool = pool(1);
    let inside = pool.spawner();
    let (begin, begun) = mpsc::channel();
    let job = pool.spawn(move || {
        let never = inside.spawn_future(pending::<()>()).unwrap();
        begin.send(()).unwrap();
        never.join()
    });
    begun.recv_timeout(LONG).unwrap();
    drop(pool);
    assert_eq!(job.unwrap().join(), Ok(Err(JobError::Abandoned)));
}

/// Guards against the job that shuts down its own pool: it cannot be waited for, and the deadline holds.
#[test]
fn a_job_shuts_down_its_own_pool() {
    let pool = Arc::new(pool(1));
    let own = Arc::clone(&pool);
    let report = pool.spawn(move || own.shut_down(Duration::from_millis(5))).unwrap().join().unwrap();
    assert!(!report.drained);
    assert_eq!(report.running, 1);
}

/// Guards the handles of jobs that race with the end of the pool: each gets an answer.
#[test]
fn spawning_races_with_the_end() {
    for round in 0..100 {
        let pool = pool(2);
        let spawner = pool.spawner();
        let racing = thread::spawn(move || {
            let mut handles = Vec::new();
            while let Ok(handle) = spawner.spawn(|| ()) {
                handles.push(handle);
                if let Ok(handle) = spawner.spawn_future(async {}) {
                    handles.push(handle);
                }
                if handles.len() > 10_000 {
                    break;
                }
            }
            handles
        });
        let end = |pool: WorkerPool| {
            if round % 2 == 0 {
                pool.shut_down(Duration::from_millis(round / 10));
            }
        };
        end(pool);
        for mut handle in racing.join().unwrap() {
            let result = handle.join_timeout(LONG);
            assert!(matches!(result, Ok(()) | Err(JobError::Abandoned)), "{result:?}");
        }
    }
}
