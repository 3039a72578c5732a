//! What changes chunks on their way in: order, ledgers, refusals, deliveries, panics.

use std::time::Duration;

use aqueduct_metrics::{DropReason, Settled};
use aqueduct_pipeline::{Builder, Delivery, LaneConfig, Pipeline, Refused, Transform};
use aqueduct_wire::{Chunk, Signal};
use bytes::Bytes;

use crate::scripted::{
    PATIENCE, Scripted, Step, assert_conserved, batches_of, chunk, destination, lane, numbers,
};

/// Leaves out what it is told to, of chunks of eight bytes an item.
struct Keep<F>(F);

impl<F: Fn(u64) -> bool + Send + Sync + 'static> Transform for Keep<F> {
    fn transform(&self, chunk: Chunk) -> Chunk {
        let items = chunk.bytes().chunks(8).filter(|item| (self.0)(number(item)));
        let kept: Vec<u8> = items.flatten().copied().collect();
        Chunk::from_valid(chunk.signal(), kept.len() as u64 / 8, Bytes::from(kept))
    }
}

fn number(item: &[u8]) -> u64 {
    u64::from_be_bytes(item.try_into().unwrap())
}

/// A chunk of these numbers.
fn of(numbers: impl IntoIterator<Item = u64>) -> Chunk {
    let bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_be_bytes).collect();
    Chunk::from_valid(Signal::Traces, bytes.len() as u64 / 8, bytes.into())
}

fn builder(exporter: &Scripted, lane: LaneConfig) -> Builder {
    Pipeline::builder(Signal::Traces).config(batches_of(1)).destination(destination("test", exporter), lane)
}

fn build(exporter: &Scripted, keep: impl Fn(u64) -> bool + Send + Sync + 'static) -> Pipeline {
    builder(exporter, LaneConfig::default()).transform(Keep(keep)).build().unwrap()
}

fn wait(delivery: Delivery) -> Settled {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, delivery).await.expect("it settles") })
}

/// Guards the law in each lane, and the order of transforms: the second sees what the first left.
#[test]
fn what_is_left_out_is_counted_in_each_lane() {
    let exporters = [Scripted::default(), Scripted::default()];
    let [first, second] = exporters.each_ref();
    let pipeline = builder(first, LaneConfig::default())
        .destination(destination("other", second), LaneConfig::default())
        .transform(Keep(|number| number % 2 == 0))
        .transform(Keep(|number| {
            assert_eq!(number % 2, 0, "left out before");
            number % 3 == 0
        }))
        .build()
        .unwrap();
    for begin in (0..120).step_by(12) {
        pipeline.intake().offer(of(begin..begin + 12)).unwrap();
    }
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert!(report.complete);
    for (lane, exporter) in report.lanes.iter().zip(&exporters) {
        let ledger = &lane.ledger;
        assert_eq!((ledger.accepted, ledger.delivered), (120, 20));
        assert_eq!(ledger.dropped(DropReason::NotSampled), 100);
        assert_eq!(numbers(&exporter.log()), (0..120).step_by(6).collect::<Vec<_>>());
        assert_conserved(lane);
    }
}

/// Guards the sender of what is not wanted: it is a success, and nothing is sent.
#[test]
fn a_chunk_of_which_nothing_is_left_is_a_success() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, |_| false);
    pipeline.intake().offer(of(0..5)).unwrap();
    assert_eq!(wait(pipeline.intake().offer_acknowledged(of(5..8)).unwrap()), Settled::Delivered);
    let lane = lane(&pipeline);
    assert_eq!((lane.ledger.accepted, lane.ledger.dropped(DropReason::NotSampled)), (8, 8));
    assert_conserved(&lane);
    pipeline.shutdown(PATIENCE).unwrap();
    assert_eq!(exporter.log().attempts, 0);
}

/// Guards acknowledgements: the rest decides, after it has settled.
#[test]
fn a_delivery_is_that_of_the_rest() {
    let exporter = Scripted::new([Step::Retry(None), Step::Deliver, Step::Permanent]);
    let pipeline = build(&exporter, |number| number != 1);
    assert_eq!(wait(pipeline.intake().offer_acknowledged(of(0..3)).unwrap()), Settled::Delivered);
    assert_eq!(numbers(&exporter.log()), [0, 2]);
    let refused = wait(pipeline.intake().offer_acknowledged(of(0..2)).unwrap());
    assert_eq!(refused, Settled::Dropped(DropReason::Permanent));
    let report = pipeline.shutdown(PATIENCE).unwrap();
    let lane = &report.lanes[0];
    assert_eq!((lane.ledger.accepted, lane.ledger.delivered), (5, 2));
    assert_eq!(lane.ledger.dropped(DropReason::NotSampled), 2);
    assert_conserved(lane);
}

/// Guards against counting twice: what is refused comes again, whole.
#[test]
fn what_is_refused_is_not_counted() {
    let exporter = Scripted::new(vec![Step::Hang; 10]);
    let config = LaneConfig::default().with_queue_bytes(16);
    let pipeline = builder(&exporter, config).transform(Keep(|number| number % 2 == 0)).build().unwrap();
    let intake = pipeline.intake();
    intake.offer(of(0..4)).unwrap();
    assert!(matches!(intake.offer(of(0..4)), Err(Refused::Full { .. })));
    let status = lane(&pipeline);
    assert_eq!((status.ledger.accepted, status.ledger.dropped(DropReason::NotSampled)), (4, 2));
    assert_eq!(status.refused_items, 2, "what there was no room for");
    // What takes no room is taken.
    intake.offer(of([1, 3])).unwrap();
    assert_eq!(lane(&pipeline).ledger.dropped(DropReason::NotSampled), 4);
    pipeline.shutdown(Duration::from_millis(10)).unwrap();
    assert_eq!(intake.offer(of([1, 2])), Err(Refused::Closed));
    assert_eq!(intake.offer(of([1, 3])), Err(Refused::Closed), "even what would be left out");
    let status = lane(&pipeline);
    assert_eq!(status.ledger.accepted, 6);
    assert_conserved(&status);
}

/// Guards the budget: it is charged with what is left.
#[test]
fn what_is_left_out_takes_no_room() {
    let exporter = Scripted::new([Step::Hang]);
    let pipeline = build(&exporter, |number| number == 7);
    pipeline.intake().offer(of(0..100)).unwrap();
    assert_eq!(lane(&pipeline).held_bytes, 8);
    pipeline.shutdown(Duration::from_millis(10)).unwrap();
}

/// Guards what others write: a panic costs nothing, and a chunk of another signal is not taken.
#[test]
fn a_transform_that_fails_leaves_the_chunk_as_it_was() {
    struct Odd;
    impl Transform for Odd {
        fn transform(&self, chunk: Chunk) -> Chunk {
            match number(&chunk.bytes()[..8]) {
                0 => panic!("scripted"),
                1 => Chunk::from_valid(Signal::Logs, 1, chunk.into_bytes()),
                _ => of([9]),
            }
        }
    }
    let exporter = Scripted::default();
    let pipeline = builder(&exporter, LaneConfig::default()).transform(Odd).build().unwrap();
    (0..3).for_each(|number| pipeline.intake().offer(chunk(number)).unwrap());
    let report = pipeline.shutdown(PATIENCE).unwrap();
    assert_eq!(numbers(&exporter.log()), [0, 1, 9]);
    assert_eq!(report.lanes[0].ledger.delivered, 3);
    assert_conserved(&report.lanes[0]);
}
