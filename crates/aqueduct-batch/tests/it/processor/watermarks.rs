//! The callback that hears of watermarks.

use std::sync::mpsc;

use aqueduct_batch::{Batch, BatchProcessor, Edge, Watermarks};

use super::{Gate, HOUR, ONE, gate, of};

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
