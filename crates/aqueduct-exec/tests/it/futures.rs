//! Futures on the pool.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;

use aqueduct_exec::{JobError, WorkerPool};

use super::tools::{LONG, pool};

/// A future that yields so often.
async fn yields(times: usize) -> usize {
    let mut left = times;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(times);
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Guards wakes during a poll, which must not be lost nor run the future twice at a time.
#[test]
fn a_future_that_wakes_itself_runs_on() {
    let pool = pool(2);
    let jobs: Vec<_> = (0..50).map(|n| pool.spawn_future(yields(n)).unwrap()).collect();
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(job.join(), Ok(n));
    }
}

/// Guards other jobs against a future that wakes itself for ever.
#[test]
fn a_future_that_wakes_itself_starves_nobody() {
    let pool = pool(1);
    let endless = pool.spawn_future(yields(usize::MAX)).unwrap();
    assert_eq!(pool.spawn(|| 1).unwrap().join(), Ok(1));
    let inside = pool.spawner();
    assert_eq!(pool.spawn(move || inside.spawn(|| 2).unwrap().join()).unwrap().join(), Ok(Ok(2)));
    endless.cancel();
}

/// Guards wakes from elsewhere, many at once, and late ones for a future that is over.
#[test]
fn wakes_from_outside_are_not_lost() {
    let pool = pool(2);
    for _ in 0..200 {
        let state: Arc<Mutex<(bool, Option<Waker>)>> = Arc::default();
        let inside = Arc::clone(&state);
        let job = pool
            .spawn_future(poll_fn(move |context| {
                let mut state = inside.lock().unwrap();
                if state.0 {
                    return Poll::Ready(());
                }
                state.1 = Some(context.waker().clone());
                Poll::Pending
            }))
            .unwrap();
        let waking = || {
            let mut state = state.lock().unwrap();
            state.0 = true;
            if let Some(waker) = state.1.clone() {
                waker.wake_by_ref();
                waker.wake();
            }
        };
        thread::scope(|scope| {
            scope.spawn(waking);
            scope.spawn(waking);
        });
        assert_eq!(job.join(), Ok(()));
        waking();
    }
}

/// Guards a chain of futures that await each other's handles on one worker.
#[test]
fn futures_await_jobs_and_each_other() {
    let pool = pool(1);
    let mut last = pool.spawn_future(async { Ok(0) }).unwrap();
    for _ in 0..100 {
        let before = last;
        last = pool.spawn_future(async move { before.await?.map(|n: u32| n + 1) }).unwrap();
    }
    assert_eq!(last.join(), Ok(Ok::<u32, JobError>(100)));
}

/// Guards the worker against a panic in a poll and in the drop of a future.
#[test]
fn a_panic_in_a_poll_is_an_error() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("in the drop");
            }
        }
    }
    let pool = pool(1);
    let polled = pool.spawn_future(async { panic!("in the poll") }).unwrap();
    assert_eq!(polled.join(), Err::<(), _>(JobError::Panicked("in the poll".into())));
    let bomb = Bomb;
    let dropped = pool.spawn_future(poll_fn(move |_| {
        let _ = &bomb;
        Poll::Ready(3)
    }));
    assert_eq!(dropped.unwrap().join(), Ok(3));
    assert_eq!(pool.spawn(|| 1).unwrap().join(), Ok(1));
}

/// Guards the sum of the polls, and that the first poll ends the waiting.
#[test]
fn a_futures_polls_are_timed() {
    let pool = pool(1);
    let mut job = pool.spawn_future(yields(10)).unwrap();
    job.join_timeout(LONG).unwrap();
    assert!(job.timing().unwrap().run > std::time::Duration::ZERO);
}

/// Guards futures that are woken by threads of their own while the pool changes size.
#[test]
fn futures_survive_resizing() {
    let pool = pool(2);
    let done = Arc::new(AtomicUsize::new(0));
    let (jobs, wakers) = mpsc::channel::<Waker>();
    let helper = thread::spawn(move || wakers.iter().for_each(Waker::wake));
    let handles: Vec<_> = (0..200)
        .map(|_| {
            let (done, jobs) = (Arc::clone(&done), jobs.clone());
            let mut left = 20;
            pool.spawn_future(poll_fn(move |context| {
                if left == 0 {
                    done.fetch_add(1, Ordering::Relaxed);
                    return Poll::Ready(());
                }
                left -= 1;
                jobs.send(context.waker().clone()).unwrap();
                Poll::Pending
            }))
            .unwrap()
        })
        .collect();
    drop(jobs);
    let resize = |pool: &WorkerPool, threads| pool.resize(super::tools::count(threads)).unwrap();
    for threads in [1, 4, 2, 3, 1, 2] {
        resize(&pool, threads);
    }
    for handle in handles {
        assert_eq!(handle.join(), Ok(()));
    }
    assert_eq!(done.load(Ordering::Relaxed), 200);
    helper.join().unwrap();
}
