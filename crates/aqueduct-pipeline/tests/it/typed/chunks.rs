//! Open chunks: what they hold and charge, and when they are sealed.

use std::time::{Duration, Instant};

use aqueduct_pipeline::{LaneConfig, Pipeline, Refused};
use aqueduct_testkit::CountingAllocator;
use aqueduct_wire::Signal;

use super::{Numbered, assert_delivered, assert_over, build, build_with, intake, numbered, sized};
use crate::scripted::{PATIENCE, Scripted, Step, batches_of, destination, lane};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Guards the way of an item: in no ledger while its chunk is open, accepted when that is sealed, delivered as it was.
#[test]
fn items_are_accepted_when_their_chunk_is_sealed() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let intake = intake(&pipeline);
    (0..10).for_each(|number| intake.push(&numbered(number)).unwrap());
    let open = lane(&pipeline);
    assert_eq!((open.encoding_items, open.open_items, open.ledger.accepted), (10, 0, 0));
    assert_eq!(open.held_bytes, 64 << 10, "the whole chunk is reserved");
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let flushed = lane(&pipeline);
    assert_eq!((flushed.encoding_items, flushed.ledger.delivered, flushed.held_bytes), (0, 10, 0));
    intake.push(&numbered(10)).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, (0..11).map(numbered));
    assert_over(&lane(&pipeline));
}

/// Guards against the loss of what is in open chunks when nobody can push any more.
#[test]
fn dropping_the_last_clone_seals_its_chunks() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000));
    let intake = intake(&pipeline);
    let clone = intake.clone();
    clone.push(&numbered(1)).unwrap();
    drop(clone);
    assert_eq!(lane(&pipeline).encoding_items, 1);
    drop(intake);
    let sealed = lane(&pipeline);
    assert_eq!((sealed.encoding_items, sealed.open_items), (0, 1));
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, [numbered(1)]);
    assert_over(&lane(&pipeline));
}

/// Guards the age: an item that nothing follows leaves when a batch would have, and not after the age of a chunk and then that of a batch; and the chunks
/// of several intakes make one request.
#[test]
fn open_chunks_leave_together_at_the_age_of_a_batch() {
    const AGE: Duration = Duration::from_secs(1);
    let exporter = Scripted::default();
    let mut config = batches_of(1_000);
    config.batch = config.batch.with_max_age(AGE);
    let pipeline = build(&exporter, config);
    let (one, other) = (intake(&pipeline), intake(&pipeline));
    for round in 0..2 {
        let start = Instant::now();
        one.push(&numbered(2 * round)).unwrap();
        other.push(&numbered(2 * round + 1)).unwrap();
        exporter.wait_attempts(1 + round as usize);
        let took = start.elapsed();
        assert!(took >= AGE && took < 2 * AGE, "{took:?}");
    }
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(exporter.log().attempts, 2);
    assert_delivered(&exporter, (0..4).map(numbered));
    assert_over(&lane(&pipeline));
}

/// Guards the budget: an open chunk has its place in it, in all lanes or none, and gives back what it does not need; what is too long for its chunk is
/// charged in addition.
#[test]
fn an_open_chunk_is_reserved_in_the_budget() {
    let exporter = Scripted::new([Step::Hang]);
    let pipeline = build_with(
        &exporter,
        batches_of(1_000),
        // For small budgets chunks have 1 KiB.
        LaneConfig::default().with_queue_bytes(1_500),
    );
    let (one, other) = (intake(&pipeline), intake(&pipeline));
    one.push(&numbered(1)).unwrap();
    assert_eq!(lane(&pipeline).held_bytes, 1_024);
    assert!(matches!(other.push(&numbered(2)), Err(Refused::Full { .. })));
    assert_eq!(lane(&pipeline).held_bytes, 1_024, "a refusal takes nothing");
    drop(one);
    let sealed = lane(&pipeline).held_bytes;
    assert!(sealed > 0 && sealed < 200, "{sealed}");
    other.push(&Numbered { number: 3, padding: 4_000 }).unwrap();
    let held = lane(&pipeline).held_bytes;
    assert!(held > sealed + 4_000, "{held}");
    assert_eq!(lane(&pipeline).encoding_items, 0, "it was sealed at once");
    assert!(matches!(other.push(&numbered(4)), Err(Refused::Full { .. })));
    pipeline.shutdown(Duration::ZERO).unwrap();
    assert_over(&lane(&pipeline));
}

/// Guards the chunk's limits: by bytes, and by the items of a batch.
#[test]
fn a_chunk_is_sealed_when_it_is_full() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, sized(1_000, 2_000));
    let by_bytes = intake(&pipeline);
    (0..100).for_each(|number| by_bytes.push(&numbered(number)).unwrap());
    let status = lane(&pipeline);
    assert_eq!(status.encoding_items + status.open_items, 100);
    assert!(status.encoding_items < 30 && status.open_items >= 70, "{status:?}");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);

    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(10));
    let by_items = intake(&pipeline);
    (0..25).for_each(|number| by_items.push(&numbered(number)).unwrap());
    let status = lane(&pipeline);
    assert_eq!((status.encoding_items, status.ledger.accepted), (5, 20));
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(exporter.log().attempts, 3);
    assert_over(&lane(&pipeline));
}

/// Guards fan-out: every destination gets everything, and each lane's budget is whole again.
#[test]
fn every_lane_gets_every_item() {
    let exporters = [Scripted::default(), Scripted::default()];
    let mut builder = Pipeline::builder(Signal::Traces).config(sized(50, 2_000));
    for (name, exporter) in ["a", "b"].into_iter().zip(&exporters) {
        builder = builder.destination(destination(name, exporter), LaneConfig::default());
    }
    let pipeline = builder.build().unwrap();
    let intake = intake(&pipeline);
    (0..333).for_each(|number| intake.push(&numbered(number)).unwrap());
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    for (exporter, lane) in exporters.iter().zip(pipeline.status()) {
        assert_delivered(exporter, (0..333).map(numbered));
        assert_over(&lane);
    }
}

/// Guards the promise that a push allocates nothing once its thread has a chunk open, and for each chunk no more than a few objects.
#[test]
fn pushing_does_not_allocate() {
    let exporter = Scripted::default();
    let pipeline = build(&exporter, batches_of(1_000_000));
    let intake = intake(&pipeline);
    let round = || (0..300).for_each(|number| intake.push(&numbered(number)).unwrap());
    let (_, first) = CountingAllocator::count(round);
    assert!(first.count > 0, "the allocator counts");
    let (_, warm) = CountingAllocator::count(round);
    assert_eq!(warm.count, 0, "{warm:?}");
    // 100,000 spans of about 80 bytes fill 140 chunks.
    let (_, many) = CountingAllocator::count(|| (0..333).for_each(|_| round()));
    assert!(many.count > 0 && many.count < 1_000, "{many:?}");
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_over(&lane(&pipeline));
}
