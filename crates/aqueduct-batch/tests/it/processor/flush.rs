//! Batches that leave before they are full: by their age, or because somebody flushes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use aqueduct_batch::{Batch, BatchConfig, BatchProcessor, SealReason};

use super::{HOUR, MS, ONE, of};

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
