//! A full queue: what is refused, waits or is dropped, and that it is counted.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak, mpsc};
use std::thread;

use aqueduct_batch::{Batch, BatchProcessor, Overflow, Refusal, Weight};

use super::{Gate, HOUR, MS, ONE, assert_balanced, gate, of};

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
