//! What a full or finished pool answers.

use std::error::Error;

use aqueduct_exec::{Refusal, StartError};

use super::tools::{Blocked, LONG, config, count, pool};

/// Guards the bound of the injector: exact, counted, and the closure comes back whole.
#[test]
fn a_full_pool_gives_the_closure_back() {
    let pool = config(1).with_capacity(3).build().unwrap();
    let blocked = Blocked::on(&pool.spawner());
    let held: Vec<_> = (0..3).map(|n| pool.spawn(move || n).unwrap()).collect();
    let text = String::from("mine");
    let refused = pool.spawn(move || text).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full);
    assert!(refused.reason().is_retryable());
    assert_eq!(refused.to_string(), "the pool's queue is full");
    assert_eq!(refused.into_inner()(), "mine");
    assert_eq!(pool.spawn_future(async { 1 }).unwrap_err().reason(), Refusal::Full);
    let batch = pool.spawn_batch([|| 1, || 2]).unwrap_err();
    assert_eq!((batch.reason(), batch.into_inner().len()), (Refusal::Full, 2));
    assert_eq!(pool.stats().waiting, 3);
    blocked.release();
    for (n, job) in held.into_iter().enumerate() {
        assert_eq!(job.join(), Ok(n));
    }
    assert_eq!(pool.stats().refused, 3);
    assert!(pool.spawn(|| ()).is_ok());
}

/// Guards the bound of a worker's own queue, which is apart from the other.
#[test]
fn a_full_worker_gives_the_closure_back() {
    let pool = config(1).with_local_capacity(2).with_capacity(1).build().unwrap();
    let inside = pool.spawner();
    let job = move || {
        let held = [inside.spawn(|| 1).unwrap(), inside.spawn(|| 2).unwrap()];
        let refused = inside.spawn(|| 3).unwrap_err();
        assert_eq!(refused.reason(), Refusal::Full);
        held.into_iter().map(|job| job.join().unwrap()).sum::<i32>() + refused.into_inner()()
    };
    assert_eq!(pool.spawn(job).unwrap().join(), Ok(6));
}

/// Guards places in the injector against leaking away through cancelled jobs.
#[test]
fn cancelled_jobs_free_their_place() {
    let pool = config(1).with_capacity(2).build().unwrap();
    for _ in 0..5 {
        let blocked = Blocked::on(&pool.spawner());
        pool.spawn(|| ()).unwrap().cancel();
        pool.spawn_future(async {}).unwrap().cancel();
        blocked.release();
        assert!(pool.spawn(|| ()).unwrap().join().is_ok());
    }
    assert!(pool.shut_down(LONG).drained);
    assert_eq!(pool.stats().waiting, 0);
}

/// Guards the end: a pool that is shut down says so.
#[test]
fn a_finished_pool_refuses() {
    let pool = pool(1);
    let outlives = pool.spawner();
    pool.shut_down(LONG);
    let refused = pool.spawn(|| 1).unwrap_err();
    assert_eq!((refused.reason(), refused.reason().is_retryable()), (Refusal::ShutDown, false));
    assert!(matches!(pool.resize(count(2)), Err(StartError::Refused(Refusal::ShutDown))));
    drop(pool);
    assert_eq!(outlives.spawn(|| 1).unwrap_err().reason(), Refusal::ShutDown);
}

/// Guards the start: a thread that the system does not give is an error with its cause, and nothing is left behind.
#[test]
fn a_thread_that_cannot_start_is_an_error() {
    let error = config(2).with_stack_size(count(1 << 60)).build().unwrap_err();
    assert!(matches!(error, StartError::Thread(_)) && error.source().is_some(), "{error}");
    let error = config(9).with_max_threads(count(4)).build().unwrap_err();
    assert!(matches!(error, StartError::TooMany { wanted: 9, most: 4 }), "{error}");
}
