//! The law over chunks, batches, budgets and items of any size.

use aqueduct_pipeline::{LaneConfig, Refused};
use proptest::prelude::*;

use super::{Numbered, assert_delivered, assert_over, build_with, intake, sized};
use crate::scripted::{PATIENCE, Scripted, lane};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Whatever the sizes of chunks, batches, budgets and items: what was taken arrives as it was, and no budget is left charged.
    #[test]
    fn what_is_taken_arrives(
        chunk_bytes in 1_usize..4_000,
        batch in 1_u64..100,
        queue_bytes in prop_oneof![1_u64..5_000, Just(64 << 20)],
        steps in prop::collection::vec((0_usize..2_000, 0_u8..40), 1..200),
    ) {
        let exporter = Scripted::default();
        let pipeline = build_with(&exporter, sized(batch, chunk_bytes), LaneConfig::default().with_queue_bytes(queue_bytes));
        let intake = intake(&pipeline);
        let mut taken = Vec::new();
        for (number, (padding, step)) in steps.into_iter().enumerate() {
            let span = Numbered { number: number as u64, padding };
            match intake.push(&span) {
                Ok(()) => taken.push(span),
                Err(refused) => prop_assert!(matches!(refused, Refused::Full { .. }), "{refused}"),
            }
            if step == 0 {
                prop_assert!(pipeline.flush(PATIENCE).unwrap().complete);
                prop_assert_eq!(lane(&pipeline).ledger.delivered, taken.len() as u64);
            }
        }
        prop_assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
        let lane = lane(&pipeline);
        prop_assert_eq!(lane.ledger.accepted, taken.len() as u64);
        assert_over(&lane);
        assert_delivered(&exporter, taken);
    }
}
