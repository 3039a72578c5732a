//! Cancellation, and what is dropped where.

use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread;

use aqueduct_exec::{Cancellation, JobError, JobHandle};

use super::tools::{Blocked, LONG, pool};

/// Tells on which thread it is dropped.
struct Tells(mpsc::Sender<thread::ThreadId>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

/// Guards the closure that has not begun: dropped at once, by who cancels, and never run.
#[test]
fn a_waiting_closure_is_dropped_where_it_is_cancelled() {
    let pool = pool(1);
    let blocked = Blocked::on(&pool.spawner());
    let (send, dropped) = mpsc::channel();
    let tells = Tells(send);
    let job = pool.spawn(move || drop(tells)).unwrap();
    assert_eq!(job.cancel(), Cancellation::Dropped);
    assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
    assert_eq!(job.cancel(), Cancellation::Finished);
    assert!(job.is_finished());
    assert_eq!(job.join(), Err(JobError::Cancelled));
    blocked.release();
    assert_eq!(pool.spawn(|| 1).unwrap().join(), Ok(1));
    assert_eq!(pool.stats().cancelled, 1);
}

/// Guards the closure that runs: it is not torn away, and its result stands.
#[test]
fn a_running_closure_runs_to_its_end() {
    let pool = pool(1);
    let blocked = Blocked::on(&pool.spawner());
    assert_eq!(blocked.handle.cancel(), Cancellation::Running);
    blocked.release();
}

/// Guards the future between its polls: dropped at once, and whoever waits is woken.
#[test]
fn a_sleeping_future_is_dropped_where_it_is_cancelled() {
    let pool = pool(1);
    let (send, dropped) = mpsc::channel();
    let (polled, begun) = mpsc::channel();
    let tells = Tells(send);
    let future = async move {
        let _tells = tells;
        polled.send(()).unwrap();
        pending::<()>().await;
    };
    let job = Arc::new(pool.spawn_future(future).unwrap());
    begun.recv_timeout(LONG).unwrap();
    // The poll may not be quite over yet; then it is the worker that drops it.
    let here = job.cancel() == Cancellation::Dropped;
    let by = dropped.recv_timeout(LONG).unwrap();
    assert_eq!(by == thread::current().id(), here);
    let job = Arc::into_inner(job).unwrap();
    assert_eq!(job.join(), Err(JobError::Cancelled));
    assert!(pool.shut_down(LONG).drained);
}

/// Guards the future that is being polled: it is dropped when the poll is over, and not before.
#[test]
fn a_polled_future_is_dropped_after_the_poll() {
    let pool = pool(1);
    let (begin, begun) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let (send, dropped) = mpsc::channel();
    let tells = Tells(send);
    let wait = Mutex::new(wait);
    let job = pool
        .spawn_future(poll_fn(move |_| -> Poll<()> {
            let _ = &tells;
            begin.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
            Poll::Pending
        }))
        .unwrap();
    begun.recv_timeout(LONG).unwrap();
    assert_eq!(job.cancel(), Cancellation::Running);
    assert_eq!(job.cancel(), Cancellation::Running);
    assert!(dropped.try_recv().is_err() && !job.is_finished());
    release.send(()).unwrap();
    assert_eq!(job.join(), Err(JobError::Cancelled));
    assert_ne!(dropped.recv_timeout(LONG).unwrap(), thread::current().id());
}

/// Guards the waiter: what it waits for is cancelled by another thread, and it wakes up.
#[test]
fn cancelling_wakes_who_waits() {
    let pool = pool(2);
    let (polled, begun) = mpsc::channel();
    let future = async move {
        polled.send(()).unwrap();
        pending::<()>().await;
    };
    let canceller = pool.spawn_future(future).unwrap();
    begun.recv_timeout(LONG).unwrap();
    let shared: Arc<JobHandle<()>> = Arc::new(canceller);
    let other = Arc::clone(&shared);
    let thread = thread::spawn(move || {
        other.cancel();
        drop(other);
    });
    while !shared.is_finished() {
        thread::yield_now();
    }
    thread.join().unwrap();
    assert_eq!(Arc::into_inner(shared).unwrap().join(), Err(JobError::Cancelled));
}

/// Guards what goes on without a handle: the job runs, and its result is dropped by its worker.
#[test]
fn a_dropped_handle_lets_the_job_run() {
    let pool = pool(1);
    let blocked = Blocked::on(&pool.spawner());
    let (send, dropped) = mpsc::channel();
    drop(pool.spawn(move || Tells(send)).unwrap());
    blocked.release();
    assert_ne!(dropped.recv_timeout(LONG).unwrap(), thread::current().id());
}
