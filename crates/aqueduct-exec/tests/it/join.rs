//! Results: awaited, joined, with a deadline, from inside and from outside.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_exec::{JobError, JobHandle, Order, Spawner, Timing};

use super::tools::{Blocked, LONG, config, count, pool};

/// An executor for one future: what any of them does.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}

/// Guards both ways to a result, on an executor that knows nothing of the pool.
#[test]
fn results_are_awaited_and_joined() {
    let pool = pool(2);
    assert_eq!(pool.spawn(|| 1).unwrap().join(), Ok(1));
    assert_eq!(block_on(pool.spawn(|| 2).unwrap()), Ok(2));
    let blocked = Blocked::on(&pool.spawner());
    let late = pool.spawn(|| 3).unwrap();
    blocked.release();
    assert_eq!(block_on(late), Ok(3));
}

/// Guards the deadline: it is kept, the job goes on, and the handle is as good as before.
#[test]
fn a_deadline_passes_and_the_handle_stays_good() {
    let pool = pool(1);
    let mut blocked = Blocked::on(&pool.spawner());
    let start = Instant::now();
    assert_eq!(blocked.handle.join_timeout(Duration::from_millis(20)), Err(JobError::TimedOut));
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(blocked.handle.join_deadline(start), Err(JobError::TimedOut));
    blocked.release();
}

/// Guards the result against being handed out twice, or a panic of the library instead.
#[test]
fn a_result_is_taken_once() {
    let pool = pool(1);
    let mut job = pool.spawn(|| 5).unwrap();
    assert_eq!(block_on(&mut job), Ok(5));
    assert_eq!(block_on(&mut job), Err(JobError::AlreadyTaken));
    assert_eq!(job.join_timeout(LONG), Err(JobError::AlreadyTaken));
    assert_eq!(job.join(), Err(JobError::AlreadyTaken));
}

/// Guards the worker and the message: text, formatted text, and payloads that are no text.
#[test]
fn a_panic_is_an_error_with_its_message() {
    let pool = pool(1);
    let static_text = pool.spawn(|| -> u8 { panic!("plain") }).unwrap();
    assert_eq!(static_text.join(), Err(JobError::Panicked("plain".into())));
    let formatted = pool.spawn(|| -> u8 { panic!("number {}", 7) }).unwrap();
    assert_eq!(formatted.join(), Err(JobError::Panicked("number 7".into())));
    let other = pool.spawn(|| -> u8 { std::panic::panic_any(3_u32) }).unwrap();
    assert!(matches!(other.join(), Err(JobError::Panicked(message)) if message.contains("no text")));
    assert_eq!(pool.spawn(|| 1).unwrap().join(), Ok(1), "the worker goes on");
    assert_eq!(pool.stats().panicked, 3);
}

/// Guards against the deadlock of a pool whose only worker waits for a job in its own queue, in both orders.
#[test]
fn a_job_joins_what_it_spawned_on_a_pool_of_one() {
    for order in [Order::Lifo, Order::Fifo] {
        let pool = config(1).with_order(order).build().unwrap();
        let inside = pool.spawner();
        let job = move || {
            let jobs: Vec<JobHandle<u64>> = (0..100).map(|n| inside.spawn(move || n).unwrap()).collect();
            jobs.into_iter().map(|job| job.join().unwrap()).sum::<u64>()
        };
        assert_eq!(pool.spawn(job).unwrap().join(), Ok(4950), "{order:?}");
    }
}

/// Guards the same for a job that waits behind others in the injector.
#[test]
fn a_job_joins_what_others_spawned_on_a_pool_of_one() {
    let pool = pool(1);
    let blocked = Blocked::on(&pool.spawner());
    let later: Arc<Mutex<Option<JobHandle<u8>>>> = Arc::default();
    let shared = Arc::clone(&later);
    let joins = pool.spawn(move || shared.lock().unwrap().take().unwrap().join()).unwrap();
    let between: Vec<_> = (0..10).map(|n| pool.spawn(move || n).unwrap()).collect();
    *later.lock().unwrap() = Some(pool.spawn(|| 9).unwrap());
    blocked.release();
    assert_eq!(joins.join(), Ok(Ok(9)));
    for (n, job) in between.into_iter().enumerate() {
        assert_eq!(job.join(), Ok(n));
    }
}

/// Guards the same through a future: the worker that joins it must run the job that the future awaits.
#[test]
fn a_job_joins_a_future_that_awaits_a_later_job_on_a_pool_of_one() {
    let pool = pool(1);
    let inside = pool.spawner();
    let job = move || {
        let (send, receive) = mpsc::channel();
        let future = inside
            .spawn_future(async move {
                let later: JobHandle<u8> = receive.recv().unwrap();
                later.await
            })
            .unwrap();
        send.send(inside.spawn(|| 4).unwrap()).unwrap();
        future.join()
    };
    assert_eq!(pool.spawn(job).unwrap().join(), Ok(Ok(Ok(4))));
}

/// Guards recursion beyond the depth at which a worker helps: deep chains of joins still end.
#[test]
fn joins_nest_deeply() {
    fn dive(depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        let pool = Spawner::current().unwrap();
        pool.spawn(move || dive(depth - 1)).unwrap().join().unwrap() + 1
    }
    for threads in [1, 2] {
        let pool = config(threads).with_stack_size(count(64 << 20)).build().unwrap();
        assert_eq!(pool.spawn(|| dive(300)).unwrap().join(), Ok(300));
    }
}

/// Guards a join across pools: it waits, and the other pool does the work.
#[test]
fn a_job_joins_a_job_of_another_pool() {
    let (one, other) = (pool(1), pool(1));
    let there = other.spawner();
    let job = one.spawn(move || there.spawn(|| Spawner::current().is_some()).unwrap().join()).unwrap();
    assert_eq!(job.join(), Ok(Ok(true)));
}

/// Guards the deadline of a join within the pool.
#[test]
fn a_deadline_inside_the_pool_passes() {
    let pool = pool(2);
    let held = Arc::new(Mutex::new(Some(Blocked::on(&pool.spawner()))));
    let inside = Arc::clone(&held);
    let job = move || {
        let mut held = inside.lock().unwrap();
        held.as_mut().unwrap().handle.join_timeout(Duration::from_millis(10))
    };
    assert_eq!(pool.spawn(job).unwrap().join(), Ok(Err(JobError::TimedOut)));
    let blocked = held.lock().unwrap().take().unwrap();
    blocked.release();
}

/// Guards the times: a job that waited and ran says so, one that is not over or not timed says nothing.
#[test]
fn queued_and_run_time_are_told() {
    let pool = pool(1);
    let blocked = Blocked::on(&pool.spawner());
    let mut waits = pool.spawn(|| ()).unwrap();
    assert_eq!(waits.timing(), None);
    let pause = Duration::from_millis(30);
    let start = Instant::now();
    while start.elapsed() < pause {
        thread::yield_now();
    }
    blocked.release();
    waits.join_timeout(LONG).unwrap();
    let timing = waits.timing().unwrap();
    assert!(timing.queued >= pause && timing.run < LONG, "{timing:?}");

    let runs = move || {
        let start = Instant::now();
        while start.elapsed() < pause {
            thread::yield_now();
        }
    };
    let mut runs = pool.spawn(runs).unwrap();
    runs.join_timeout(LONG).unwrap();
    assert!(runs.timing().unwrap().run >= pause);

    let silent = config(1).with_timing(Timing::Off).build().unwrap();
    let mut job = silent.spawn(|| ()).unwrap();
    job.join_timeout(LONG).unwrap();
    assert_eq!(job.timing(), None);
}

/// Guards batches: the order of the results, a panic in its own place, and all ways to wait.
#[test]
fn a_batch_keeps_its_order_and_its_panics_apart() {
    for size in [0_u64, 1, 7, 1000, 10_001] {
        let pool = pool(2);
        let work = (0..size).map(|n| {
            move || {
                assert_ne!(n, 500, "not this one");
                n
            }
        });
        let mut results = pool.spawn_batch(work).unwrap().join();
        assert_eq!(results.len() as u64, size);
        if size > 500 {
            assert!(
                matches!(&results[500], Err(JobError::Panicked(message)) if message.contains("not this one"))
            );
            results[500] = Ok(500);
        }
        assert!(results.into_iter().eq((0..size).map(Ok)));
    }
    let pool = pool(1);
    assert_eq!(block_on(pool.spawn_batch((0..3).map(|n| move || n)).unwrap()), [Ok(0), Ok(1), Ok(2)]);
    let blocked = Blocked::on(&pool.spawner());
    let mut batch = pool.spawn_batch((0..3).map(|n| move || n)).unwrap();
    assert_eq!(batch.join_timeout(Duration::from_millis(1)), Err(JobError::TimedOut));
    assert!(!batch.is_finished());
    batch.cancel();
    assert_eq!(batch.join(), vec![Err(JobError::Cancelled); 3]);
    blocked.release();
}

/// Guards the names, numbers and hook of the threads, and the hook's panic.
#[test]
fn threads_have_names_and_a_hook() {
    let (send, receive) = mpsc::channel();
    let hook = move |index| {
        send.send((index, thread::current().name().map(str::to_owned))).unwrap();
        assert_ne!(index, 1, "the hook of one thread fails");
    };
    let pool = config(2).with_name("pump\0never shown").with_on_thread_start(hook).build().unwrap();
    let mut started: Vec<_> = receive.iter().take(2).collect();
    started.sort();
    assert_eq!(started, [(0, Some("pump-0".into())), (1, Some("pump-1".into()))]);
    assert_eq!(pool.spawn(|| 1).unwrap().join(), Ok(1));
    let start = Instant::now();
    while pool.stats().panicked == 0 {
        assert!(start.elapsed() < LONG, "the hook's panic is counted");
        thread::yield_now();
    }
    assert!(pool.shut_down(LONG).drained);
    assert_eq!(pool.stats().panicked, 1);
}
