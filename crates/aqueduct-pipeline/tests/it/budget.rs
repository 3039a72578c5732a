//! The byte budget: refusals instead of memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_pipeline::{LaneConfig, Refused};

use tokio::sync::Notify;

use crate::scripted::{
    PATIENCE, Scripted, Step, assert_conserved, chunk, lane, numbers, told_pipeline, wait_failure,
};

/// A stalled destination fills the budget exactly; what is refused is in no ledger; room comes back.
#[test]
fn a_full_budget_refuses_and_recovers() {
    let exporter = Scripted::new([Step::Retry(Some(Duration::from_millis(200)))]);
    let (pipeline, told) = told_pipeline(&exporter, LaneConfig::default().with_queue_bytes(80));
    let intake = pipeline.intake();
    intake.offer(chunk(0)).unwrap();
    wait_failure(&told);
    let mut refused = 0;
    for number in 1..100 {
        match intake.offer(chunk(number)) {
            Ok(()) => {}
            Err(Refused::Full { retry_after }) => {
                assert!(retry_after >= Duration::from_millis(100) && retry_after <= Duration::from_secs(30));
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, 90, "ten chunks of eight bytes fit into eighty");
    let held = lane(&pipeline);
    assert_eq!(held.ledger.accepted, 10);
    assert!(held.full);
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    intake.offer(chunk(100)).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    let expected: Vec<u64> = (0..10).chain([100]).collect();
    assert_eq!(numbers(&exporter.log()), expected);
    assert_conserved(&lane(&pipeline));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Half a budget is held and the destination answers: senders are asked to wait, and the wait ends with a delivery.
#[test]
fn pressure_ends_when_something_has_left() {
    let go = Arc::new(Notify::new());
    let exporter = Scripted::new([Step::Deliver, Step::Wait(go.clone()), Step::Hang]);
    let (pipeline, _told) = told_pipeline(&exporter, LaneConfig::default().with_queue_bytes(32));
    let intake = pipeline.intake();
    intake.offer(chunk(0)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert!(intake.pressure().is_none(), "nothing is held");
    intake.offer(chunk(1)).unwrap();
    assert!(intake.pressure().is_none(), "a quarter is held");
    intake.offer(chunk(2)).unwrap();
    let relief = intake.pressure().expect("half is held");
    go.notify_one();
    runtime().block_on(relief);
    assert!(intake.pressure().is_none());
    pipeline.shutdown(Duration::ZERO).unwrap();
    assert_conserved(&lane(&pipeline));
}

/// A destination that takes nothing is not waited for again and again: what follows goes to the queue until that is full.
#[test]
fn a_destination_that_is_away_exerts_no_pressure() {
    let exporter = Scripted::new([Step::Hang, Step::Hang, Step::Hang, Step::Hang]);
    let (pipeline, _told) = told_pipeline(&exporter, LaneConfig::default().with_queue_bytes(32));
    let intake = pipeline.intake();
    for number in 0..3 {
        intake.offer(chunk(number)).unwrap();
    }
    let relief = intake.pressure().expect("it might answer yet");
    let start = Instant::now();
    runtime().block_on(relief);
    assert!(start.elapsed() >= Duration::from_millis(400), "it was given half a second");
    assert!(intake.pressure().is_none(), "and has not used it");
    intake.offer(chunk(3)).unwrap();
    pipeline.shutdown(Duration::ZERO).unwrap();
    assert_conserved(&lane(&pipeline));
}
