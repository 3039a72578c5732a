//! A processor on a thread of its own. Threads meet by channels and barriers; a patience of an hour stands for no patience at all.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_batch::{
    Batch, BatchConfig, BatchProcessor, ConfigError, DynamicBatch, Edge, Failed, Overflow, Refusal, Retry,
    SealReason, StartError, Stats, WaitError, Watermarks, Weight,
};

const HOUR: Duration = Duration::from_secs(3600);
const MS: Duration = Duration::from_millis(1);
const ONE: Weight = Weight::new(1, 1);

/// Batches of so many items, never sealed by time.
fn of(items: u64) -> BatchConfig {
    BatchConfig::default().with_max_items(items).with_max_age(Duration::MAX)
}

fn assert_balanced(stats: &Stats) {
    let settled = stats.handled.items + stats.failed.total().items + stats.dropped.total().items;
    assert_eq!(stats.accepted.items, settled + stats.held.items, "{stats:?}");
}

/// A handler that says when it has begun and waits until it may go on, or for ever as long as the other end is kept.
struct Gate {
    begun: Receiver<Vec<u32>>,
    go: Sender<()>,
}

fn gate() -> (Gate, impl FnMut(Batch<u32>) -> Result<(), Failed<u32>> + Send + 'static) {
    let (begins, begun) = mpsc::channel();
    let (go, goes) = mpsc::channel();
    let handler = move |batch: Batch<u32>| {
        // The test may be over, or have let go.
        let _ = begins.send(batch.into_items());
        let _ = goes.recv();
        Ok(())
    };
    (Gate { begun, go }, handler)
}

/// Guards the trap by its name, with a real clock: each batch is sealed by its age, not only the first.
#[test]
fn the_timer_fires_once_and_never_again() {
    let (sender, receiver) = mpsc::channel();
    let processor = BatchProcessor::builder(move |batch: Batch<u32>| {
        sender.send((batch.reason(), batch.into_items())).unwrap();
        Ok(())
    })
    .with_batch(BatchConfig::default().with_max_age(MS))
    .start()
    .unwrap();
    for round in 0..50 {
        processor.add(round, ONE).unwrap();
        assert_eq!(receiver.recv().unwrap(), (SealReason::Age, vec![round]));
    }
}

/// Guards conservation under contention: what eight threads added is exactly what was handled, dropped and refused, counted by
/// the items themselves.
#[test]
fn eight_threads_and_a_slow_handler_lose_nothing_unseen() {
    const THREADS: u64 = 8;
    const EACH: u64 = 5_000;
    #[derive(Default)]
    struct Seen {
        handled: AtomicU64,
        dropped: AtomicU64,
    }
    struct Item {
        id: u64,
        handled: bool,
        seen: Arc<Seen>,
    }
    impl Drop for Item {
        fn drop(&mut self) {
            let sum = if self.handled { &self.seen.handled } else { &self.seen.dropped };
            sum.fetch_add(1, Ordering::SeqCst);
        }
    }

    for overflow in
        [Overflow::DropOldest, Overflow::DropNewest, Overflow::priority(|item: &Item| (item.id % 3) as u8)]
    {
        let name = format!("{overflow:?}");
        let seen = Arc::new(Seen::default());
        let ids = Arc::new(Mutex::new(HashSet::new()));
        let (permit, permits) = mpsc::channel::<()>();
        let handler = {
            let ids = Arc::clone(&ids);
            move |batch: Batch<Item>| {
                // As slow as the test wants; once it has let go, as fast as it can.
                let _ = permits.recv();
                for mut item in batch {
                    item.handled = true;
                    assert!(ids.lock().unwrap().insert(item.id), "handled twice");
                }
                Ok(())
            }
        };
        let processor = BatchProcessor::builder(handler)
            .with_batch(of(64))
            .with_queue_items(500)
            .with_overflow(overflow)
            .start()
            .unwrap();
        let start = Barrier::new(THREADS as usize);
        let refused: u64 = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (processor, start, seen, permit) = (&processor, &start, &seen, permit.clone());
                    scope.spawn(move || {
                        start.wait();
                        let mut refused = 0;
                        for n in 0..EACH {
                            let item = Item { id: thread * EACH + n, handled: false, seen: Arc::clone(seen) };
                            if let Err(back) = processor.add(item, ONE) {
                                assert_eq!(back.reason(), Refusal::Full);
                                std::mem::forget(back.into_inner());
                                refused += 1;
                            }
                            if n % 500 == 0 {
                                permit.send(()).unwrap();
                            }
                        }
                        refused
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        drop(permit);
        let report = processor.shutdown(HOUR).unwrap();
        let stats = report.stats;
        assert!(report.complete, "{name}: {report:?}");
        assert_balanced(&stats);
        assert_eq!(stats.held, Weight::default());
        assert_eq!(stats.accepted.items + refused, THREADS * EACH, "{name}");
        assert_eq!(stats.refused.full.items, refused, "{name}");
        assert_eq!(stats.handled.items, seen.handled.load(Ordering::SeqCst), "{name}");
        assert_eq!(stats.handled.items, ids.lock().unwrap().len() as u64, "{name}");
        assert_eq!(stats.dropped.total().items, seen.dropped.load(Ordering::SeqCst), "{name}");
        assert!(stats.dropped.total().items + refused > 0, "{name}: the queue was never full");
        assert!(stats.peak_items <= 500);
    }
}

/// Guards what a flush promises to each of its callers: what it added before is handled when the flush returns.
#[test]
fn several_threads_flush_at_once() {
    const THREADS: usize = 6;
    let handled: Arc<[AtomicUsize; THREADS]> = Arc::default();
    let processor = BatchProcessor::builder({
        let handled = Arc::clone(&handled);
        move |batch: Batch<usize>| {
            batch.iter().for_each(|thread| {
                handled[*thread].fetch_add(1, Ordering::SeqCst);
            });
            Ok(())
        }
    })
    .with_batch(of(1_000))
    .start()
    .unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (processor, handled) = (&processor, &handled);
            scope.spawn(move || {
                for round in 1..=50 {
                    (0..7).for_each(|_| processor.add(thread, ONE).unwrap());
                    assert!(processor.flush(HOUR).unwrap().complete);
                    assert_eq!(handled[thread].load(Ordering::SeqCst), 7 * round);
                }
            });
        }
    });
    assert_eq!(processor.stats().handled.items, 6 * 7 * 50);
}

/// Guards against a worker that died unseen: a panic is counted, its batch too, and the next batch is handled.
#[test]
fn a_panicking_handler_is_counted_and_survived() {
    let processor = BatchProcessor::builder(|batch: Batch<u32>| {
        assert!(!batch.as_slice().contains(&1), "as the test wants it");
        Ok(())
    })
    .with_batch(of(2))
    .start()
    .unwrap();
    (0..6).for_each(|id| processor.add(id, ONE).unwrap());
    let report = processor.shutdown(HOUR).unwrap();
    assert!(report.complete);
    let stats = report.stats;
    assert_eq!((stats.failed.panic, stats.panics, stats.handled), (Weight::new(2, 2), 1, Weight::new(4, 4)));
    assert_balanced(&stats);
}

/// Guards against a shutdown that hangs with its handler: it returns in time, says what is left, and the second one at once. When the
/// handler returns after all, its batch is counted.
#[test]
fn a_handler_that_never_returns_does_not_hold_up_the_shutdown() {
    let (Gate { begun, go }, handler) = gate();
    let processor = BatchProcessor::builder(handler).with_batch(of(2)).start().unwrap();
    (0..5).for_each(|id| processor.add(id, ONE).unwrap());
    assert_eq!(begun.recv().unwrap(), [0, 1]);

    let report = processor.flush(20 * MS).unwrap();
    assert!(!report.complete && report.elapsed >= 20 * MS);
    assert_eq!(report.stats.held.items, 5);

    let report = processor.shutdown(20 * MS).unwrap();
    assert!(!report.complete && report.elapsed >= 20 * MS);
    assert_eq!((report.stats.held.items, report.stats.dropped.shutdown.items), (2, 3));
    assert_balanced(&report.stats);
    assert_eq!(processor.shutdown(HOUR).unwrap().stats, report.stats);
    assert!(!processor.flush(MS).unwrap().complete);
    let refused = processor.add(7, ONE).unwrap_err();
    assert_eq!((refused.reason(), refused.into_inner()), (Refusal::Closed, 7));

    drop(go);
    assert!(begun.recv().is_err(), "the handler was let go of, and no batch began");
    let stats = processor.stats();
    assert_eq!((stats.handled.items, stats.held), (2, Weight::default()));
    assert_balanced(&stats);
}

/// Guards two shutdowns at the same time: both return, and both say how it went.
#[test]
fn shutdowns_may_meet() {
    let (Gate { begun, go }, handler) = gate();
    let processor = BatchProcessor::builder(handler).with_batch(of(1)).start().unwrap();
    processor.add(1, ONE).unwrap();
    begun.recv().unwrap();
    thread::scope(|scope| {
        let first = scope.spawn(|| processor.shutdown(HOUR).unwrap());
        let second = scope.spawn(|| processor.shutdown(HOUR).unwrap());
        go.send(()).unwrap();
        assert!(first.join().unwrap().complete && second.join().unwrap().complete);
    });
}

/// Guards against waiting for oneself.
#[test]
fn a_handler_cannot_wait_for_itself() {
    type Own = Arc<OnceLock<Weak<BatchProcessor<u32>>>>;
    let own = Own::default();
    let (sender, receiver) = mpsc::channel();
    let handler = {
        let own = Arc::clone(&own);
        move |_batch: Batch<u32>| {
            // The second batch comes when the test is over.
            let Some(processor) = own.get().unwrap().upgrade() else { return Ok(()) };
            let full = processor.add(9, Weight::new(2, 1)).unwrap_err().reason();
            sender.send((processor.flush(HOUR), processor.shutdown(HOUR), full)).unwrap();
            Ok(())
        }
    };
    let builder = BatchProcessor::builder(handler).with_batch(of(1)).with_queue_items(2);
    let processor = Arc::new(builder.with_overflow(Overflow::Block { deadline: HOUR }).start().unwrap());
    own.set(Arc::downgrade(&processor)).unwrap();
    processor.add(1, ONE).unwrap();
    let (flush, shutdown, full) = receiver.recv().unwrap();
    assert_eq!(flush.unwrap_err(), WaitError::WouldDeadlock);
    assert_eq!(shutdown.unwrap_err(), WaitError::WouldDeadlock);
    assert_eq!(full, Refusal::Full, "nobody would make room while the handler waits");
    // The refused calls left it open.
    assert!(processor.flush(HOUR).unwrap().complete);
    processor.add(2, ONE).unwrap();
}

/// Guards the last owner: if that is the handler, dropping the processor does not wait for the handler.
#[test]
fn the_handler_may_drop_its_own_processor() {
    let own: Arc<Mutex<Option<BatchProcessor<u32>>>> = Arc::default();
    let (sender, receiver) = mpsc::channel();
    let handler = {
        let own = Arc::clone(&own);
        move |batch: Batch<u32>| {
            drop(own.lock().unwrap().take());
            sender.send(batch.len()).unwrap();
            Ok(())
        }
    };
    let processor =
        BatchProcessor::builder(handler).with_batch(of(10)).with_drop_deadline(HOUR).start().unwrap();
    let mut slot = own.lock().unwrap();
    (0..13).for_each(|id| processor.add(id, ONE).unwrap());
    *slot = Some(processor);
    drop(slot);
    let sizes: Vec<usize> = receiver.iter().collect();
    assert_eq!(sizes, [10, 3], "the rest is handled, and then the handler is let go of");
}

/// Guards what is there when a processor is dropped.
#[test]
fn dropping_handles_what_is_there() {
    let (sender, receiver) = mpsc::channel();
    let processor = BatchProcessor::builder(move |batch: Batch<u32>| {
        sender.send(batch.into_items()).unwrap();
        Ok(())
    })
    .with_batch(of(10))
    .start()
    .unwrap();
    (0..13).for_each(|id| processor.add(id, ONE).unwrap());
    drop(processor);
    let items: Vec<u32> = receiver.try_iter().flatten().collect();
    assert_eq!(items, (0..13).collect::<Vec<_>>(), "all of it, before the drop returned");
}

/// Guards the deadline of dropping.
#[test]
fn dropping_does_not_wait_for_ever() {
    let (Gate { begun, go }, handler) = gate();
    let builder = BatchProcessor::builder(handler).with_batch(of(1)).with_drop_deadline(20 * MS);
    let processor = builder.start().unwrap();
    processor.add(1, ONE).unwrap();
    begun.recv().unwrap();
    let start = Instant::now();
    drop(processor);
    assert!(start.elapsed() >= 20 * MS);
    drop(go);
}

/// Guards every way in which a batch can fail, and that each has its own count.
#[test]
fn no_failure_is_silent() {
    let processor = BatchProcessor::builder(|mut batch: Batch<u32>| match batch.as_slice()[0] {
        // The second attempt takes it.
        0 if batch.attempt() == 2 => Ok(()),
        0 => Err(Failed::retry(batch)),
        // Half of it at each attempt: 4, 2, 1 are left.
        10 => {
            let mut keep = false;
            batch.retain(|_| {
                keep = !keep;
                keep
            });
            Err(Failed::retry_after(batch, MS))
        }
        20 => Err(Failed::permanent(batch)),
        30 => {
            drop(batch.into_items());
            Err(Failed::lost())
        }
        // Nothing is left to be tried again.
        _ => {
            batch.retain(|_| false);
            Err(Failed::retry(batch))
        }
    })
    .with_batch(of(8))
    .with_retry(Retry::by(3, |_| Duration::ZERO))
    .start()
    .unwrap();
    for first in [0, 10, 20, 30, 40] {
        (first..first + 8).for_each(|id| processor.add(id, ONE).unwrap());
    }
    let report = processor.shutdown(HOUR).unwrap();
    let stats = report.stats;
    assert!(report.complete);
    assert_balanced(&stats);
    assert_eq!(stats.failed.attempts.items, 1);
    assert_eq!(stats.failed.permanent.items, 8);
    assert_eq!(stats.failed.lost.items, 8);
    assert_eq!(stats.handled.items, 8 + 7 + 8);
    assert_eq!((stats.attempts, stats.retries), (8, 3));
}

/// Guards against counting a batch twice: one that is given back in place of another was counted when its own attempt ended.
#[test]
fn a_batch_given_back_in_place_of_another_is_lost() {
    let mut kept = None;
    let processor = BatchProcessor::builder(move |batch: Batch<u32>| match kept.take() {
        None => {
            kept = Some(batch);
            Ok(())
        }
        Some(other) => Err(Failed::retry(other)),
    })
    .with_batch(of(2))
    .start()
    .unwrap();
    (0..4).for_each(|id| processor.add(id, ONE).unwrap());
    let stats = processor.shutdown(HOUR).unwrap().stats;
    assert_eq!((stats.handled.items, stats.failed.lost.items, stats.attempts), (2, 2, 2));
    assert_balanced(&stats);
}

/// Guards a delay that panics, and an item whose destructor does.
#[test]
fn code_of_the_user_around_the_handler_may_panic() {
    struct Sore;
    impl Drop for Sore {
        fn drop(&mut self) {
            assert!(thread::panicking(), "as the test wants it");
        }
    }
    let panics = |_| panic!("as the test wants it");
    let processor = BatchProcessor::builder(|batch: Batch<u32>| Err(Failed::retry(batch)))
        .with_batch(of(1))
        .with_retry(Retry::by(9, panics))
        .start()
        .unwrap();
    (0..2).for_each(|id| processor.add(id, ONE).unwrap());
    assert_eq!(processor.shutdown(HOUR).unwrap().stats.failed.panic.items, 2);

    let processor = BatchProcessor::builder(|batch: Batch<Sore>| Err(Failed::permanent(batch)))
        .with_batch(of(1))
        .start()
        .unwrap();
    (0..2).for_each(|_| processor.add(Sore, ONE).unwrap());
    let stats = processor.shutdown(HOUR).unwrap().stats;
    assert_eq!((stats.failed.total().items, stats.held), (2, Weight::default()));
}

/// Guards the hand-back: the item that does not fit comes back, and what is there stays.
#[test]
fn the_newest_comes_back() {
    let (Gate { begun, go }, handler) = gate();
    let processor = BatchProcessor::builder(handler)
        .with_batch(of(2).with_max_bytes(50))
        .with_queue_items(4)
        .with_queue_bytes(50);
    let processor = processor.start().unwrap();
    (0..2).for_each(|id| processor.add(id, ONE).unwrap());
    begun.recv().unwrap();
    (2..4).for_each(|id| processor.add(id, ONE).unwrap());
    let refused = processor.add(4, ONE).unwrap_err();
    assert!(refused.reason().is_retryable());
    assert_eq!((refused.to_string(), refused.into_inner()), ("the queue is full".to_owned(), 4));
    let refused = processor.add(5, Weight::new(1, 51)).unwrap_err();
    assert_eq!((refused.reason(), refused.into_inner()), (Refusal::TooLarge, 5));
    drop(go);
    let stats = processor.shutdown(HOUR).unwrap().stats;
    assert_eq!((stats.refused.full, stats.refused.too_large), (ONE, Weight::new(1, 51)));
    assert_eq!((stats.accepted.items, stats.handled.items), (4, 4));
}

/// Guards blocking: until there is room, until the deadline, until the shutdown, whichever is first.
#[test]
fn a_blocked_thread_goes_on() {
    let (Gate { begun, go }, handler) = gate();
    let builder = BatchProcessor::builder(handler).with_batch(of(1)).with_queue_items(1);
    let processor = builder.with_overflow(Overflow::Block { deadline: HOUR }).start().unwrap();
    processor.add(0, ONE).unwrap();
    begun.recv().unwrap();
    thread::scope(|scope| {
        let blocked = scope.spawn(|| processor.add(1, ONE));
        go.send(()).unwrap();
        blocked.join().unwrap().unwrap();
        assert_eq!(begun.recv().unwrap(), [1]);

        let blocked: Vec<_> = (2..4)
            .map(|id| {
                scope.spawn({
                    let processor = &processor;
                    move || processor.add(id, ONE)
                })
            })
            .collect();
        let closing = scope.spawn(|| processor.shutdown(HOUR).unwrap());
        for thread in blocked {
            let refused = thread.join().unwrap().unwrap_err();
            assert_eq!(refused.reason(), Refusal::Closed);
        }
        go.send(()).unwrap();
        assert!(closing.join().unwrap().complete);
    });

    let (Gate { begun, go }, handler) = gate();
    let builder = BatchProcessor::builder(handler).with_batch(of(1)).with_queue_items(1);
    let processor = builder.with_overflow(Overflow::Block { deadline: 20 * MS }).start().unwrap();
    processor.add(0, ONE).unwrap();
    begun.recv().unwrap();
    let refused = processor.add(1, ONE).unwrap_err();
    assert_eq!((refused.reason(), refused.into_inner()), (Refusal::TimedOut, 1));
    assert_eq!(processor.stats().refused.timed_out, ONE);
    drop(go);
}

/// Guards against two that wait for each other: a thread for room, and the only batch, which is open, for more items.
#[test]
fn a_blocked_thread_does_not_wait_for_an_open_batch() {
    let (sender, receiver) = mpsc::channel();
    let processor = BatchProcessor::builder(move |batch: Batch<u32>| {
        sender.send(batch.into_items()).unwrap();
        Ok(())
    })
    .with_batch(of(10).with_max_bytes(100))
    .with_queue_bytes(100)
    .with_overflow(Overflow::Block { deadline: HOUR })
    .start()
    .unwrap();
    for id in 0..4 {
        processor.add(id, Weight::new(1, 60)).unwrap();
    }
    for id in 0..3 {
        assert_eq!(receiver.recv().unwrap(), [id]);
    }
}

/// Guards the lock: an item whose destructor adds another one, while it is dropped for a newer one.
#[test]
fn a_dropped_item_may_add_another() {
    struct Chatty(Arc<OnceLock<Weak<BatchProcessor<Chatty>>>>, bool);
    impl Drop for Chatty {
        fn drop(&mut self) {
            let processor = self.0.get().and_then(Weak::upgrade);
            if let Some(processor) = processor.filter(|_| self.1) {
                let _ = processor.add(Chatty(Arc::clone(&self.0), false), ONE);
            }
        }
    }
    let own = Arc::default();
    let (begins, begun) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let handler = move |_batch: Batch<Chatty>| {
        let _ = begins.send(());
        let _ = goes.recv();
        Ok(())
    };
    let builder = BatchProcessor::builder(handler).with_batch(of(1)).with_queue_items(2);
    let processor = Arc::new(builder.with_overflow(Overflow::DropOldest).start().unwrap());
    let chatty = || Chatty(Arc::clone(&own), true);
    processor.add(chatty(), ONE).ok().unwrap();
    begun.recv().unwrap();
    own.set(Arc::downgrade(&processor)).ok().unwrap();
    processor.add(chatty(), ONE).ok().unwrap();
    processor.add(chatty(), ONE).ok().unwrap();
    let stats = processor.stats();
    assert_eq!((stats.accepted.items, stats.dropped.oldest.items, stats.held.items), (5, 3, 2));
    drop(go);
}

/// Guards the callback: one call a crossing, in order, from whichever thread.
#[test]
fn watermarks_are_told_once_each() {
    let (Gate { begun, go }, handler) = gate();
    let (sender, edges) = mpsc::channel();
    let processor = BatchProcessor::builder(handler)
        .with_batch(of(10))
        .with_queue_items(20)
        .with_watermarks(Watermarks { high: 50, low: 10 })
        .with_on_edge(move |edge| sender.send(edge).unwrap())
        .start()
        .unwrap();
    for _ in 0..3 {
        (0..20).for_each(|id| processor.add(id, ONE).unwrap());
        assert_eq!(edges.recv().unwrap(), Edge::High);
        for _ in 0..2 {
            begun.recv().unwrap();
            go.send(()).unwrap();
        }
        assert_eq!(edges.recv().unwrap(), Edge::Low);
    }
    let stats = processor.shutdown(HOUR).unwrap().stats;
    assert_eq!((stats.peak_items, stats.peak_bytes, stats.utilisation), (20, 20, 0.0));
    assert!(edges.try_recv().is_err(), "and no edge besides");
}

/// Guards the driver, and those who add, against a callback that panics.
#[test]
fn a_panicking_callback_ends_nothing() {
    let processor = BatchProcessor::builder(|_batch: Batch<u32>| Ok(()))
        .with_batch(of(10))
        .with_queue_items(10)
        .with_on_edge(|_| panic!("as the test wants it"))
        .start()
        .unwrap();
    for _ in 0..3 {
        (0..10).for_each(|id| processor.add(id, ONE).unwrap());
        assert!(processor.flush(HOUR).unwrap().complete);
    }
    assert_eq!(processor.shutdown(HOUR).unwrap().stats.handled.items, 30);
}

/// Guards the check of values that a person wrote.
#[test]
fn a_configuration_that_cannot_be_meant_is_refused() {
    fn handler(_batch: Batch<u32>) -> Result<(), Failed<u32>> {
        Ok(())
    }
    let new = || BatchProcessor::builder(handler);
    let dynamic = DynamicBatch::new(MS, 1, 70_000).unwrap();
    let builders = [
        (
            new().with_queue_items(100),
            ConfigError::BatchExceedsQueue { unit: "items", batch: 8192, queue: 100 },
        ),
        (
            new().with_queue_bytes(100),
            ConfigError::BatchExceedsQueue { unit: "bytes", batch: 8 * 1024 * 1024, queue: 100 },
        ),
        (
            new().with_dynamic(dynamic),
            ConfigError::BatchExceedsQueue { unit: "items", batch: 70_000, queue: 65_536 },
        ),
        (new().with_batch(of(0)), ConfigError::ZeroItems),
        (new().with_retry(Retry::by(0, |_| MS)), ConfigError::ZeroAttempts),
        (new().with_max_concurrent(2), ConfigError::SyncConcurrent { wanted: 2 }),
        (new().with_watermarks(Watermarks { high: 1, low: 1 }), ConfigError::Watermarks { high: 1, low: 1 }),
    ];
    for (builder, expected) in builders {
        match builder.start() {
            Err(StartError::Config(error)) => assert_eq!(error, expected),
            other => panic!("{expected:?} was expected: {other:?}"),
        }
    }
}
