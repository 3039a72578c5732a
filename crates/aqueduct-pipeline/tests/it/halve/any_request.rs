//! The law over requests of every kind.

use std::collections::BTreeMap;

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{LaneConfig, Pipeline};
use aqueduct_testkit::Generator;
use aqueduct_wire::{Chunk, Signal, filter, split, validate};
use proptest::prelude::*;

use crate::scripted::{PATIENCE, Scripted, Step, assert_conserved, batches_of, destination, lane};

/// The items of a request and how often they occur.
fn tally<'a>(signal: Signal, requests: impl IntoIterator<Item = &'a [u8]>) -> BTreeMap<Vec<u8>, u64> {
    let mut tally = BTreeMap::new();
    for request in requests {
        let items = validate(signal, request, &Default::default()).unwrap().items;
        let chunk = Chunk::from_valid(signal, items, request.to_vec().into());
        filter(&chunk, |item| {
            *tally.entry(item.bytes().to_vec()).or_default() += 1;
            true
        })
        .unwrap();
    }
    tally
}

fn passing_troubles() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Deliver),
        1 => Just(Step::Retry(None)),
        1 => Just(Step::Refuse),
        1 => Just(Step::Panic),
        1 => Just(Step::TooLarge),
    ]
}

proptest! {
    /// Guards the law over requests of every kind, any limit and passing troubles: each item that fits alone arrives once, each that does not is dropped as
    /// too large, and nothing is held or charged in the end. (A refusal by the script may hit an item alone, which is lost then.)
    #[test]
    fn every_item_is_delivered_once_or_too_large(
        seed in any::<u64>(),
        signal in prop::sample::select(Signal::ALL.to_vec()),
        chunks in prop::collection::vec(1..40_usize, 1..10),
        limit in 100..30_000_usize,
        steps in prop::collection::vec(passing_troubles(), 0..8),
        in_flight in 1..5_usize,
        per_batch in 1..200_u64,
    ) {
        let refuses_at_will = steps.iter().any(|step| matches!(step, Step::TooLarge));
        let exporter = Scripted::new(steps);
        exporter.limit(limit);
        let pipeline = Pipeline::builder(signal)
            .config(batches_of(per_batch))
            .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(in_flight))
            .build()
            .unwrap();
        let mut generator = Generator::new(seed);
        let chunks: Vec<Chunk> = chunks.iter().map(|items| generator.chunk(signal, *items)).collect();
        let mut expected = BTreeMap::new();
        let (mut all, mut fitting) = (0, 0);
        for chunk in &chunks {
            for single in split(chunk, 1, usize::MAX).unwrap() {
                let single = single.unwrap();
                all += single.items();
                if single.len() <= limit {
                    fitting += single.items();
                    for (item, count) in tally(signal, [&single.to_bytes()[..]]) {
                        *expected.entry(item).or_insert(0) += count;
                    }
                }
            }
            pipeline.intake().offer(chunk.clone()).unwrap();
        }
        prop_assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
        let (log, lane) = (exporter.log(), lane(&pipeline));
        let delivered = tally(signal, log.delivered.iter().map(Vec::as_slice));
        prop_assert!(log.delivered.iter().all(|request| request.len() <= limit));
        assert_conserved(&lane);
        prop_assert_eq!(lane.ledger.accepted, all);
        prop_assert_eq!(lane.ledger.delivered, delivered.values().sum::<u64>());
        prop_assert_eq!(lane.ledger.delivered + lane.ledger.dropped(DropReason::TooLarge), all);
        if refuses_at_will {
            prop_assert!(delivered.iter().all(|(item, count)| expected.get(item).is_some_and(|most| count <= most)));
        } else {
            prop_assert_eq!(lane.ledger.delivered, fitting);
            prop_assert_eq!(delivered, expected);
        }
    }
}
