//! One test for each defect that was found in the pool, named after it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::time::Duration;

use aqueduct_exec::{JobError, JobHandle, Refusal, Spawner, WorkerPool};

use crate::tools::{Blocked, pool};

/// Longer than anything here takes, so that a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

fn until(pool: &WorkerPool, what: impl Fn(&WorkerPool) -> bool) {
    let start = std::time::Instant::now();
    while !what(pool) {
        assert!(start.elapsed() < PATIENCE, "{:?}", pool.stats());
        std::thread::yield_now();
    }
}

/// A worker that was woken went on counting as searching while it ran its job, so that a push meanwhile woke nobody: of two
/// jobs of which one waits for the other the second was never run, although a worker slept.
#[test]
fn a_woken_worker_that_runs_a_job_counted_as_searching() {
    for _ in 0..20 {
        let pool = pool(2);
        until(&pool, |pool| pool.stats().sleeping == 2);
        let (release, released) = mpsc::channel();
        let (start, started) = mpsc::channel();
        let waits = move || {
            start.send(()).expect("the test waits");
            released.recv_timeout(PATIENCE).is_ok()
        };
        let mut first = pool.spawn(waits).expect("room");
        started.recv_timeout(PATIENCE).expect("it begins");
        let _second = pool.spawn(move || release.send(())).expect("room");
        assert_eq!(first.join_timeout(PATIENCE), Ok(true));
    }
}

/// Joining a future that wakes itself claimed it again and again, and ran nothing else: not even the job for which the future waited.
#[test]
fn joining_a_future_that_yields_ran_nothing_else() {
    let pool = pool(1);
    let (flag, polls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (seen, counted) = (flag.clone(), polls.clone());
    let (go, wait) = mpsc::channel();
    let outer = move || {
        wait.recv_timeout(PATIENCE).expect("the test says so");
        let yields = std::future::poll_fn(move |cx| {
            // Ends in any case, so that the defect is a failure and no hang.
            if seen.load(Ordering::SeqCst) || counted.fetch_add(1, Ordering::SeqCst) > 300_000 {
                return Poll::Ready(seen.load(Ordering::SeqCst));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        Spawner::current().expect("in a job").spawn_future(yields).expect("room").join()
    };
    let mut outer = pool.spawn(outer).expect("room");
    let _setter = pool.spawn(move || flag.store(true, Ordering::SeqCst)).expect("room");
    go.send(()).expect("it waits");
    assert_eq!(outer.join_timeout(PATIENCE), Ok(Ok(true)), "after {polls:?} polls");
}

fn nested(depth: usize) -> bool {
    let spawner = Spawner::current().expect("in a job");
    if depth > 0 {
        let inner = spawner.spawn(move || nested(depth - 1)).expect("room");
        return inner.join().expect("no panic");
    }
    let mut polled = false;
    let woken_elsewhere = std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        std::thread::spawn(move || waker.wake());
        Poll::Pending
    });
    spawner.spawn_future(woken_elsewhere).expect("room").join_timeout(PATIENCE) == Ok(())
}

/// Beyond the depth up to which a joining worker helps, a future that was pending once was never polled again.
#[test]
fn a_future_joined_deep_down_was_forgotten() {
    for depth in [10, 70] {
        assert!(pool(1).spawn(move || nested(depth)).expect("room").join().expect("no panic"), "{depth}");
    }
}

/// Dropping a pool with a long chain of futures that wait for each other's handles recursed once for each.
#[test]
fn a_chain_of_futures_overflowed_the_stack_when_the_pool_stopped() {
    let pool = pool(1);
    let mut last = pool.spawn_future(std::future::pending::<()>()).expect("room");
    for _ in 0..5_000 {
        let before = last;
        until(&pool, |pool| pool.stats().waiting < 500);
        last = pool.spawn_future(async move { drop(before.await) }).expect("room");
    }
    drop(pool);
    // Each ends by the end of the one before, or is abandoned itself.
    let _ = last.join();
}

thread_local! {
    static AT_EXIT: RefCell<Option<JoinsAtExit>> = const { RefCell::new(None) };
}

struct JoinsAtExit(WorkerPool, mpsc::Sender<bool>);

impl Drop for JoinsAtExit {
    fn drop(&mut self) {
        let (release, released) = mpsc::channel::<()>();
        let job = self.0.spawn(move || released.recv_timeout(Duration::from_millis(20)).is_err());
        let joined = job.expect("room").join() == Ok(true);
        drop(release);
        let _ = self.1.send(joined);
    }
}

/// Joining in the destructor of a thread-local aborted the process once the thread's parker was gone.
#[test]
fn joining_in_a_destructor_of_a_thread_local_aborted() {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        AT_EXIT.set(Some(JoinsAtExit(pool(1), tell)));
        // Makes the parker after the thread-local, so that it goes before it.
        AT_EXIT.with_borrow(|at_exit| {
            let joins = at_exit.as_ref().expect("was set");
            joins.0.spawn(|| ()).expect("room").join().expect("no panic");
        });
    });
    thread.join().expect("no panic");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(true));
}

/// A sleeping future whose handle and wakers were dropped was never settled, so that a shutdown waited for it in vain.
#[test]
fn a_forgotten_future_was_never_settled() {
    let pool = pool(1);
    drop(pool.spawn_future(std::future::pending::<()>()).expect("room"));
    let report = pool.shut_down(PATIENCE);
    assert!(report.drained || report.abandoned == 1, "{report:?}");
    assert!(report.elapsed < PATIENCE / 2, "{report:?}");
}

/// A cancelled closure that was still queued when the pool stopped was counted as nothing.
#[test]
fn a_cancelled_closure_at_the_end_was_in_no_book() {
    let pool = pool(1);
    let (release, released) = mpsc::channel::<()>();
    let (start, started) = mpsc::channel();
    let blocks = move || {
        start.send(()).expect("the test waits");
        released.recv().is_err()
    };
    let blocking = pool.spawn(blocks).expect("room");
    started.recv_timeout(PATIENCE).expect("it begins");
    pool.spawn(|| ()).expect("room").cancel();
    pool.shut_down(Duration::ZERO);
    drop(release);
    let _ = blocking.join();
    until(&pool, |pool| pool.stats().cancelled == 1);
}

/// Where the handle of a later job is left for the destructor of an earlier one.
type Later = Arc<Mutex<Option<JobHandle<()>>>>;

/// Joins that job when it is dropped, and tells how it ended.
struct JoinsWhenDropped {
    later: Later,
    /// Lets another thread join, and waits for that.
    elsewhere: bool,
    ended: mpsc::Sender<Result<(), JobError>>,
}

impl Drop for JoinsWhenDropped {
    fn drop(&mut self) {
        let later = self.later.lock().expect("no panic").take().expect("it was left here");
        let ended = self.ended.clone();
        let join = move || drop(ended.send(later.join()));
        if self.elsewhere {
            std::thread::spawn(join).join().expect("no panic");
        } else {
            join();
        }
    }
}

/// Drops a pool whose queue and sleeping futures hold jobs that join later ones when they are dropped.
fn drop_with_joining_destructors(elsewhere: bool) {
    let pool = pool(1);
    let (ended, ends) = mpsc::channel();
    let joins = || {
        let later = Later::default();
        (Arc::clone(&later), JoinsWhenDropped { later, elsewhere, ended: ended.clone() })
    };
    let sleeping = || pool.spawn_future(std::future::pending::<()>()).expect("room");

    // A future that sleeps, and joins one that sleeps and one that is queued.
    let (first, joins_sleeping) = joins();
    let (second, joins_queued) = joins();
    let holds = async move {
        std::future::pending::<()>().await;
        drop((joins_sleeping, joins_queued));
    };
    let holder = pool.spawn_future(holds).expect("room");
    *first.lock().expect("no panic") = Some(sleeping());
    until(&pool, |pool| pool.stats().sleeping == 1 && pool.stats().waiting == 0);

    let blocked = Blocked::on(&pool.spawner());
    // A closure in the queue that joins one behind it, and one that joins a sleeping future.
    let (third, joins_behind) = joins();
    let (fourth, joins_later_future) = joins();
    drop(pool.spawn(move || drop(joins_behind)).expect("room"));
    drop(pool.spawn(move || drop(joins_later_future)).expect("room"));
    *second.lock().expect("no panic") = Some(pool.spawn(|| ()).expect("room"));
    *third.lock().expect("no panic") = Some(pool.spawn(|| ()).expect("room"));
    *fourth.lock().expect("no panic") = Some(sleeping());

    let dropping = std::thread::spawn(move || drop(pool));
    for _ in 0..4 {
        assert_eq!(ends.recv_timeout(PATIENCE), Ok(Err(JobError::Abandoned)));
    }
    dropping.join().expect("no panic");
    assert_eq!(holder.join(), Err(JobError::Abandoned));
    blocked.release();
}

/// Dropping a pool abandoned one job after the other, so that a destructor that joined a later one waited for ever.
#[test]
fn a_destructor_that_joins_hung_the_drop_of_the_pool() {
    drop_with_joining_destructors(false);
}

/// The same where the destructor waits for another thread, which joins.
#[test]
fn a_destructor_that_waits_for_a_join_hung_the_drop_of_the_pool() {
    drop_with_joining_destructors(true);
}

/// What a shutdown abandons is settled as well, so that another thread that waited for the pool to drain said it had.
#[test]
fn a_drain_that_another_thread_cut_short_was_reported_as_drained() {
    let pool = pool(1);
    let sleeping = pool.spawn_future(std::future::pending::<()>()).expect("room");
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| pool.shut_down(PATIENCE));
        until(&pool, |pool| pool.spawn(|| ()).is_err_and(|refused| refused.reason() == Refusal::ShutDown));
        let report = pool.shut_down(Duration::ZERO);
        assert!(!report.drained, "{report:?}");
        let report = patient.join().expect("no panic");
        assert!(!report.drained && report.abandoned >= 1, "{report:?}");
    });
    assert_eq!(sleeping.join(), Err(JobError::Abandoned));
}
