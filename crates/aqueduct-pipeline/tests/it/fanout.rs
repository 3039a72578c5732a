//! Several destinations: shared bytes, separate lanes and ledgers.

use std::time::Duration;

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{LaneConfig, Pipeline, Refused};
use aqueduct_wire::Signal;

use crate::scripted::{PATIENCE, Scripted, Step, assert_conserved, batches_of, chunk, destination, numbers};

/// A destination that hangs does not stall the other until its own budget is full.
#[test]
fn a_slow_destination_does_not_stall_another() {
    let (slow, quick) = (Scripted::new(vec![Step::Hang; 100]), Scripted::default());
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination("slow", &slow), LaneConfig::default().with_queue_bytes(80))
        .destination(destination("quick", &quick), LaneConfig::default())
        .build()
        .unwrap();
    let intake = pipeline.intake();
    for number in 0..10 {
        intake.offer(chunk(number)).unwrap();
    }
    quick.wait_attempts(10);
    assert!(matches!(intake.offer(chunk(10)), Err(Refused::Full { .. })));
    let report = pipeline.shutdown(Duration::from_millis(50)).unwrap();
    let [slow_lane, quick_lane] = &report.lanes[..] else { panic!("two lanes") };
    assert_eq!(quick_lane.ledger.delivered, 10);
    assert_eq!(quick_lane.ledger.accepted, 10, "a refusal by one lane is in no lane's ledger");
    assert_eq!(slow_lane.ledger.dropped(DropReason::UnknownOutcome), 8);
    assert_eq!(slow_lane.ledger.dropped(DropReason::Shutdown), 2);
    assert_eq!(numbers(&quick.log()), (0..10).collect::<Vec<_>>());
    report.lanes.iter().for_each(assert_conserved);
}

/// A permanent refusal by one destination is its own affair.
#[test]
fn each_destination_has_its_own_ledger() {
    let (fussy, easy) = (Scripted::new([Step::Permanent]), Scripted::default());
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(5))
        .destination(destination("fussy", &fussy), LaneConfig::default())
        .destination(destination("easy", &easy), LaneConfig::default())
        .build()
        .unwrap();
    let intake = pipeline.intake();
    for number in 0..5 {
        intake.offer(chunk(number)).unwrap();
    }
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert!(report.complete);
    assert_eq!(report.lanes[0].ledger.dropped(DropReason::Permanent), 5);
    assert_eq!(report.lanes[1].ledger.delivered, 5);
    report.lanes.iter().for_each(assert_conserved);
}
