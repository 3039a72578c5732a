//! The byte budget: refusals instead of memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_pipeline::{LaneConfig, Pipeline, Refused};

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

/// A lane with one request at a time, of which the first was delivered and the next ones do as `steps` say. `queue_bytes` are four chunks.
fn after_a_delivery(steps: impl IntoIterator<Item = Step>, max_in_flight: usize) -> Pipeline {
    let exporter = Scripted::new([Step::Deliver].into_iter().chain(steps));
    let lane = LaneConfig::default().with_queue_bytes(32).with_max_in_flight(max_in_flight);
    let (pipeline, _told) = told_pipeline(&exporter, lane);
    pipeline.intake().offer(chunk(0)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    pipeline
}

/// More than half of a budget is held, batches wait, and the destination answers: senders are asked to wait, and the wait ends with a delivery.
#[test]
fn pressure_ends_when_something_has_left() {
    // A test thread that is held up for half a second finds a destination that seems to be away; then once more.
    for _ in 0..20 {
        let go = Arc::new(Notify::new());
        let pipeline = after_a_delivery([Step::Wait(go.clone()), Step::Hang], 1);
        let intake = pipeline.intake();
        assert!(intake.pressure().is_none(), "nothing is held");
        intake.offer(chunk(1)).unwrap();
        intake.offer(chunk(2)).unwrap();
        assert!(intake.pressure().is_none(), "half is held");
        intake.offer(chunk(3)).unwrap();
        let relief = intake.pressure();
        let pressed = relief.is_some();
        go.notify_one();
        if let Some(relief) = relief {
            runtime().block_on(relief);
            assert!(intake.pressure().is_none());
        }
        pipeline.shutdown(Duration::ZERO).unwrap();
        assert_conserved(&lane(&pipeline));
        if pressed {
            return;
        }
    }
    panic!("there was never any pressure");
}

/// What is under way is no pressure: with many requests in flight it may be half of the budget while nothing waits.
#[test]
fn attempts_under_way_are_no_pressure() {
    let exporter = Scripted::new([Step::Hang, Step::Hang, Step::Hang]);
    let (pipeline, _told) = told_pipeline(&exporter, LaneConfig::default().with_queue_bytes(32));
    let intake = pipeline.intake();
    for number in 0..3 {
        intake.offer(chunk(number)).unwrap();
    }
    exporter.wait_attempts(3);
    assert!(intake.pressure().is_none());
    pipeline.shutdown(Duration::ZERO).unwrap();
    assert_conserved(&lane(&pipeline));
}

/// A destination that takes nothing is not waited for again and again: what follows goes to the queue until that is full.
#[test]
fn a_destination_that_is_away_exerts_no_pressure() {
    let exporter = Scripted::new([Step::Hang, Step::Hang, Step::Hang, Step::Hang]);
    let lane_config = LaneConfig::default().with_queue_bytes(32).with_max_in_flight(1);
    let (pipeline, _told) = told_pipeline(&exporter, lane_config);
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
