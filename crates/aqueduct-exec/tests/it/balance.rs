//! Each value is dropped exactly once, whatever becomes of its job, and whatever its drop does.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::thread;

use aqueduct_exec::{Injector, JobError, Order, WorkStealingQueue};

use super::tools::{Blocked, LONG, pool};

/// Counts itself, and panics in its drop if asked to.
struct Counted {
    alive: Arc<AtomicIsize>,
    panics: bool,
}

impl Counted {
    fn new(alive: &Arc<AtomicIsize>, panics: bool) -> Counted {
        alive.fetch_add(1, Ordering::Relaxed);
        Counted { alive: Arc::clone(alive), panics }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
        if self.panics && !thread::panicking() {
            panic!("in the drop");
        }
    }
}

/// Guards every way a job can end, with destructors that panic and with ones that do not.
#[test]
fn values_are_dropped_once_however_the_job_ends() {
    for panics in [false, true] {
        let alive = Arc::new(AtomicIsize::new(0));
        let pool = pool(1);
        let value = || Counted::new(&alive, panics);

        // Run, with the result dropped by the worker.
        let held = value();
        drop(pool.spawn(move || held).unwrap());
        // Run, with the result and what the closure held.
        let (held, result) = (value(), value());
        let job = pool.spawn(move || {
            drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(held))));
            result
        });
        let result = job.unwrap().join().unwrap();
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(result)));
        assert_eq!(dropped.is_err(), panics);
        // Panicked, with what the closure held.
        let held = value();
        let job = pool.spawn(move || -> u8 {
            let _held = held;
            panic!("in the job")
        });
        assert_eq!(job.unwrap().join(), Err(JobError::Panicked("in the job".into())));

        let blocked = Blocked::on(&pool.spawner());
        // Cancelled.
        let held = value();
        let job = pool.spawn(move || drop(held)).unwrap();
        job.cancel();
        assert_eq!(job.join(), Err(JobError::Cancelled));
        // Cancelled as a future.
        let held = value();
        let job = pool.spawn_future(async move { drop(held) }).unwrap();
        job.cancel();
        assert_eq!(job.join(), Err(JobError::Cancelled));
        // Detached while waiting, then abandoned.
        let held = value();
        drop(pool.spawn(move || drop(held)).unwrap());
        let held = value();
        drop(pool.spawn_future(async move { drop(held) }).unwrap());
        pool.shut_down(std::time::Duration::ZERO);
        blocked.release();
        assert_eq!(alive.load(Ordering::Relaxed), 0, "panics: {panics}");
    }
}

/// Guards the worker against results whose drop panics: it runs on.
#[test]
fn a_panicking_drop_of_a_result_harms_nobody() {
    let alive = Arc::new(AtomicIsize::new(0));
    let pool = pool(1);
    for _ in 0..10 {
        let alive = Arc::clone(&alive);
        drop(pool.spawn(move || Counted::new(&alive, true)).unwrap());
    }
    assert_eq!(pool.spawn(|| 1).unwrap().join(), Ok(1));
    assert!(pool.shut_down(LONG).drained);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// Guards against a payload whose own drop panics, which would take the worker along.
#[test]
fn a_panic_payload_that_panics_is_contained() {
    let alive = Arc::new(AtomicIsize::new(0));
    let pool = pool(1);
    let payload = Counted::new(&alive, true);
    let job = pool.spawn(move || -> u8 { std::panic::panic_any(payload) }).unwrap();
    assert!(matches!(job.join(), Err(JobError::Panicked(_))));
    assert_eq!(pool.spawn(|| 1).unwrap().join(), Ok(1));
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// Guards the queues: what is left in them goes with them, and what was stolen went once.
#[test]
fn queues_drop_what_is_left() {
    let alive = Arc::new(AtomicIsize::new(0));
    let (mine, theirs) = (WorkStealingQueue::new(Order::Lifo), WorkStealingQueue::new(Order::Fifo));
    let injector = Injector::new();
    for _ in 0..200 {
        mine.push(Counted::new(&alive, false));
        injector.push(Counted::new(&alive, false));
    }
    let stealer = mine.stealer();
    assert_eq!(stealer.steal_half(&theirs), 100);
    drop((stealer.steal(), injector.steal(), mine.pop(), theirs.pop()));
    drop(injector.steal_batch_and_pop(&mine, 32));
    assert!(alive.load(Ordering::Relaxed) > 0);
    drop((mine, theirs, injector, stealer));
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}
