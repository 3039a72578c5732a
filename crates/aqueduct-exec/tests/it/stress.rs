//! Everything at once for a while, with an account that must balance.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Instant;

use aqueduct_exec::{Cancellation, JobError, Order, Spawner, Timing, WorkStealingQueue};

use super::tools::{LONG, config, count, stress};

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let pool = Spawner::current().expect("a job");
    match pool.spawn(move || fib(n - 2)) {
        Ok(other) => fib(n - 1) + other.join().expect("it only adds"),
        Err(refused) => fib(n - 1) + refused.into_inner()(),
    }
}

/// Guards the books under load: closures, futures, cancellation, panics, nested joins and resizing, from several threads, and in the end
/// every accepted job is completed, panicked or cancelled, and none twice.
#[test]
fn the_books_balance() {
    for (order, timing) in [(Order::Lifo, Timing::PerJob), (Order::Fifo, Timing::Off)] {
        let pool = config(3).with_capacity(500).with_order(order).with_timing(timing).build().unwrap();
        let (accepted, refused, ran) = (AtomicU64::new(0), AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
        let end = Instant::now() + stress() / 2;
        thread::scope(|scope| {
            for seed in 0..3_u64 {
                let (pool, accepted, refused, ran) = (&pool, &accepted, &refused, &ran);
                scope.spawn(move || {
                    let mut turn = seed;
                    while Instant::now() < end {
                        turn += 1;
                        let ran = Arc::clone(ran);
                        let count = move || ran.fetch_add(1, Ordering::Relaxed);
                        let spawned = match turn % 5 {
                            0 => pool
                                .spawn(move || {
                                    count();
                                    fib(turn % 8)
                                })
                                .ok(),
                            1 => pool
                                .spawn(move || {
                                    count();
                                    panic!("as it should")
                                })
                                .ok(),
                            2 => pool
                                .spawn_future(async move {
                                    count();
                                    0
                                })
                                .ok(),
                            3 => {
                                let mut left = turn % 4;
                                let future = poll_fn(move |context| {
                                    if left == 0 {
                                        count();
                                        return Poll::Ready(1);
                                    }
                                    left -= 1;
                                    context.waker().wake_by_ref();
                                    Poll::Pending
                                });
                                pool.spawn_future(future).ok()
                            }
                            _ => pool.spawn(count).ok(),
                        };
                        let Some(mut handle) = spawned else {
                            refused.fetch_add(1, Ordering::Relaxed);
                            thread::yield_now();
                            continue;
                        };
                        accepted.fetch_add(1, Ordering::Relaxed);
                        match turn % 7 {
                            0 => assert!(!matches!(handle.join_timeout(LONG), Err(JobError::TimedOut))),
                            1 => {
                                if handle.cancel() == Cancellation::Dropped {
                                    assert_eq!(handle.join(), Err(JobError::Cancelled));
                                }
                            }
                            _ => drop(handle),
                        }
                    }
                });
            }
            scope.spawn(|| {
                let mut threads = 0;
                while Instant::now() < end {
                    threads = threads % 4 + 1;
                    pool.resize(count(threads)).unwrap();
                    thread::yield_now();
                }
            });
        });
        let report = pool.shut_down(LONG);
        let stats = pool.stats();
        assert!(report.drained && report.threads == 0, "{report:?} {stats:?}");
        assert_eq!(stats.spawned, stats.completed + stats.panicked + stats.cancelled, "{stats:?}");
        assert_eq!((stats.abandoned, stats.waiting), (0, 0), "{stats:?}");
        assert_eq!(stats.refused, refused.load(Ordering::Relaxed));
        let outside = accepted.load(Ordering::Relaxed);
        assert_eq!(ran.load(Ordering::Relaxed) + stats.cancelled, outside, "{stats:?}");
    }
}

/// Guards the queue under load: each item is had exactly once.
#[test]
fn items_are_had_once() {
    let end = Instant::now() + stress() / 2;
    let queue = WorkStealingQueue::new(Order::Fifo);
    let (pushed, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    let over = std::sync::atomic::AtomicBool::new(false);
    let mut total = 0_u64;
    thread::scope(|scope| {
        for half in [true, false] {
            let stealer = queue.stealer();
            let (sum, over) = (&sum, &over);
            scope.spawn(move || {
                let mine = WorkStealingQueue::new(Order::Lifo);
                loop {
                    let last = over.load(Ordering::Acquire);
                    let mut got = 0;
                    if half {
                        stealer.steal_half(&mine);
                        while let Some(item) = mine.pop() {
                            got += item;
                        }
                    } else {
                        got = stealer.steal_batch_and_pop(&mine, 8).unwrap_or(0);
                        while let Some(item) = mine.pop() {
                            got += item;
                        }
                    }
                    sum.fetch_add(got, Ordering::Relaxed);
                    if last && stealer.is_empty() {
                        break;
                    }
                }
            });
        }
        let mut item = 0;
        while item % 1024 != 0 || Instant::now() < end {
            item += 1;
            queue.push(item);
            total += item;
            if item % 4 == 0 {
                sum.fetch_add(queue.pop().unwrap_or(0), Ordering::Relaxed);
            }
        }
        pushed.store(item, Ordering::Relaxed);
        over.store(true, Ordering::Release);
    });
    assert_eq!(sum.load(Ordering::Relaxed), total, "{} items", pushed.load(Ordering::Relaxed));
}
