//! More and fewer threads while the pool works.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use aqueduct_exec::StartError;

use super::tools::{Blocked, LONG, config, count, pool};

fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "it never came true");
        thread::yield_now();
    }
}

/// Guards growth: the new threads are there at once, and work beside a blocked one.
#[test]
fn a_pool_grows_beside_a_blocked_worker() {
    let pool = pool(1);
    let blocked = Blocked::on(&pool.spawner());
    let waits = pool.spawn(|| 1).unwrap();
    pool.resize(count(2)).unwrap();
    assert_eq!(waits.join(), Ok(1));
    assert_eq!(pool.stats().threads, 2);
    blocked.release();
}

/// Guards shrinking: surplus threads end, sleeping ones too, and what was in their queues is run by the others.
#[test]
fn a_pool_shrinks_without_losing_jobs() {
    let pool = pool(4);
    let done = Arc::new(AtomicUsize::new(0));
    let jobs: Vec<_> = (0..8)
        .map(|_| {
            let (inside, done) = (pool.spawner(), Arc::clone(&done));
            let job = move || {
                for _ in 0..100 {
                    let done = Arc::clone(&done);
                    drop(inside.spawn(move || done.fetch_add(1, Ordering::Relaxed)).unwrap());
                }
            };
            pool.spawn(job).unwrap()
        })
        .collect();
    pool.resize(count(1)).unwrap();
    for job in jobs {
        job.join().unwrap();
    }
    until(|| done.load(Ordering::Relaxed) == 800);
    until(|| pool.stats().threads == 1);
    assert!(pool.shut_down(LONG).drained);
}

/// Guards the way back over a thread that is told to go and may not have gone.
#[test]
fn shrinking_and_growing_race() {
    let pool = pool(3);
    for round in 0..300 {
        pool.resize(count(1 + round % 3)).unwrap();
        drop(pool.spawn(|| ()).unwrap());
    }
    pool.resize(count(3)).unwrap();
    assert_eq!(pool.stats().threads, 3);
    assert!(pool.shut_down(LONG).drained);
}

/// Guards the limit, and that a failed attempt changes nothing.
#[test]
fn a_pool_does_not_grow_beyond_its_most() {
    let pool = config(1).with_max_threads(count(2)).build().unwrap();
    assert!(matches!(pool.resize(count(3)), Err(StartError::TooMany { wanted: 3, most: 2 })));
    pool.resize(count(2)).unwrap();
    assert_eq!(pool.stats().threads, 2);
}
