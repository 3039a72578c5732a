//! The byte budget: refusals instead of memory.

use std::time::Duration;

use aqueduct_pipeline::{LaneConfig, Refused};

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
