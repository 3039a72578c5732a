//! Handlers that fail, panic, wait for their own processor or drop it.

use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::thread;
use std::time::Duration;

use aqueduct_batch::{Batch, BatchProcessor, Failed, Overflow, Refusal, Retry, WaitError, Weight};

use super::{HOUR, MS, ONE, assert_balanced, of};

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
