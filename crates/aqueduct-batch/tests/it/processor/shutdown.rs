//! The end: a shutdown, or dropping the processor, with a handler that returns and with one that does not.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use aqueduct_batch::{Batch, BatchProcessor, Refusal, Weight};

use super::{Gate, HOUR, MS, ONE, assert_balanced, gate, of};

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
