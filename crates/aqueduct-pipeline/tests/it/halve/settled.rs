//! Senders who wait for what becomes of their items, when the batch is delivered in parts.

use std::time::Duration;

use aqueduct_metrics::{DropReason, Settled};
use aqueduct_pipeline::{Delivery, LaneConfig, Pipeline};
use aqueduct_wire::Signal;

use super::{ids, spans};
use crate::scripted::{PATIENCE, Scripted, Step, assert_conserved, batches_of, destination, lane, pipeline};

fn wait(delivery: Delivery) -> Settled {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, delivery).await.expect("it settles") })
}

/// Guards those who wait: each hears of its own items when the last of them has settled, whatever became of the rest of the batch.
#[test]
fn each_sender_hears_of_its_own_items() {
    let exporter = Scripted::default();
    exporter.limit(2_000);
    let pipeline = pipeline(&exporter, 60);
    let offer = |first, sizes: &[usize]| pipeline.intake().offer_acknowledged(spans(first, sizes)).unwrap();
    let small: Vec<_> = (0..4).map(|chunk| offer(chunk * 10, &[100; 10])).collect();
    let giant = offer(40, &[100, 100, 9_000, 100]);
    let last = offer(44, &[100; 16]);
    for delivery in small.into_iter().chain([last]) {
        assert_eq!(wait(delivery), Settled::Delivered);
    }
    assert_eq!(wait(giant), Settled::Dropped(DropReason::TooLarge));
    assert_eq!(lane(&pipeline).ledger.delivered, 59);
}

/// Guards partial success: what a part says of its items is said of nobody else's.
#[test]
fn a_partial_rejection_of_a_part_is_its_own() {
    // The batch is refused, and of the first part one item.
    let exporter = Scripted::new([Step::TooLarge, Step::Reject(1)]);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(20))
        .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(1))
        .build()
        .unwrap();
    let offer = |first| pipeline.intake().offer_acknowledged(spans(first, &[100; 10])).unwrap();
    let (first, second) = (offer(0), offer(10));
    assert_eq!((wait(first), wait(second)), (Settled::Partial { rejected: 1 }, Settled::Delivered));
    // Who waits is told while the books are still open.
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!((lane.ledger.rejected, lane.ledger.delivered), (1, 19));
    assert_conserved(&lane);
}

/// Guards a shutdown in the middle: parts that were delivered, are under way, wait or are not made yet add up, and each is counted as what it was.
#[test]
fn a_shutdown_in_the_middle_accounts_for_every_part() {
    let steps = [Step::TooLarge, Step::Deliver, Step::Deliver, Step::Hang, Step::Hang];
    let exporter = Scripted::new(steps);
    exporter.limit(1_000);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(100))
        .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(2))
        .build()
        .unwrap();
    let delivery = pipeline.intake().offer_acknowledged(spans(0, &[100; 100])).unwrap();
    exporter.wait_attempts(5);
    let report = pipeline.shutdown(Duration::from_millis(20)).unwrap();
    assert!(!report.complete);
    let lane = &report.lanes[0];
    assert_eq!(lane.ledger.delivered, ids(&exporter.log().delivered).len() as u64);
    assert!(lane.ledger.dropped(DropReason::UnknownOutcome) > 0);
    assert!(lane.ledger.dropped(DropReason::Shutdown) > 0);
    assert_eq!(lane.ledger.accepted, 100);
    assert_eq!((lane.ledger.held(), lane.held_bytes), (0, 0));
    assert_conserved(lane);
    assert!(matches!(wait(delivery), Settled::Dropped(DropReason::UnknownOutcome | DropReason::Shutdown)));
}
