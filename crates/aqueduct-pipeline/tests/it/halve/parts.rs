//! The parts of a batch on their way: when they are made, retried, waited for and given up.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aqueduct_exec::WorkerPoolConfig;
use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{Attempt, Destination, Exporter, LaneConfig, Pipeline};
use aqueduct_transport::Request;
use aqueduct_wire::{Merged, Signal};
use tokio::sync::Notify;

use super::{ids, spans};
use crate::scripted::{
    PATIENCE, Scripted, Step, assert_conserved, batches_of, destination, lane, pipeline, quick,
};

/// Guards the parts: all items of a batch that is too large arrive, once, in requests that are not; and the account is whole.
#[test]
fn what_is_too_large_is_delivered_in_parts() {
    let exporter = Scripted::default();
    exporter.limit(3_000);
    let pipeline = pipeline(&exporter, 100);
    for first in 0..10 {
        pipeline.intake().offer(spans(first * 10, &[100; 10])).unwrap();
    }
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let (log, lane) = (exporter.log(), lane(&pipeline));
    assert_eq!(ids(&log.delivered), (0..100).collect::<Vec<_>>());
    assert!(log.delivered.iter().all(|request| request.len() <= 3_000));
    // Half of the limit and more, or there would be more requests than needed; the last of a batch may be small.
    let small = log.delivered.iter().filter(|request| request.len() < 1_500).count();
    assert!(small <= log.delivered.len() / 2, "{:?}", log.delivered.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!((lane.ledger.delivered, lane.ledger.dropped_total()), (100, 0));
    assert!(lane.splits > 0);
    assert_eq!(lane.retries, 0, "a part is no retry");
    assert_conserved(&lane);
}

/// Guards the number of parts: they are made when they can be sent, so an outage does not find thousands of them.
#[test]
fn parts_are_made_when_they_can_be_sent() {
    let prepared = Arc::new(AtomicUsize::new(0));
    let pool = WorkerPoolConfig::default().with_threads(NonZeroUsize::MIN).build().unwrap();
    let exporter = Scripted::new([vec![Step::TooLarge], vec![Step::Hang; 100]].concat());
    let counting = Counting(exporter.clone(), Arc::clone(&prepared));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1_000))
        .destination(
            Arc::new(Destination::new("counting", counting, quick())),
            LaneConfig::default().with_max_in_flight(3),
        )
        .offload(pool.spawner())
        .build()
        .unwrap();
    // So that even halves of halves are prepared by the worker.
    pipeline.intake().offer(spans(0, &[1_000; 1_000])).unwrap();
    exporter.wait_attempts(3);
    std::thread::sleep(Duration::from_millis(50));
    let prepared = prepared.load(Ordering::Relaxed);
    assert!(prepared <= 1 + 3, "{prepared}");
    pipeline.shutdown(Duration::ZERO).unwrap();
    assert_conserved(&lane(&pipeline));
}

/// Counts what it prepares.
struct Counting(Scripted, Arc<AtomicUsize>);

impl Exporter for Counting {
    fn prepare(&self, batch: &Merged) -> Request {
        self.1.fetch_add(1, Ordering::Relaxed);
        Request::plain(batch)
    }

    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        self.0.send(request)
    }
}

/// Guards the retries: each part has its own. With two attempts allowed, the batch's refusal is none of them, and a part that has used up its own is
/// given up while the others are delivered.
#[test]
fn each_part_is_retried_by_itself() {
    let steps = [Step::TooLarge, Step::Retry(None), Step::Retry(None), Step::Retry(None), Step::Deliver];
    let exporter = Scripted::new(steps);
    let mut policy = quick();
    policy.max_attempts = Some(2);
    let destination = Arc::new(Destination::new("test", exporter.clone(), policy));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(20))
        .destination(destination, LaneConfig::default().with_max_in_flight(1))
        .build()
        .unwrap();
    pipeline.intake().offer(spans(0, &[100; 20])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    // The first part fails twice, the second once.
    let lost = lane.ledger.dropped(DropReason::MaxAge);
    assert!((8..=12).contains(&lost), "{lost}");
    assert_eq!(ids(&exporter.log().delivered), (lost..20).collect::<Vec<_>>());
    assert_eq!(lane.retries, 2);
    assert_conserved(&lane);
}

/// Guards the age: a part is as old as its batch, so that dividing does not make anything live longer.
#[test]
fn a_part_is_as_old_as_its_batch() {
    let pause = Duration::from_millis(600);
    let steps = [Step::Retry(Some(pause)), Step::TooLarge, Step::Retry(None), Step::Deliver];
    let exporter = Scripted::new(steps);
    let mut policy = quick();
    policy.max_elapsed = Some(Duration::from_millis(500));
    let destination = Arc::new(Destination::new("test", exporter.clone(), policy));
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(20))
        .destination(destination, LaneConfig::default().with_max_in_flight(1))
        .build()
        .unwrap();
    pipeline.intake().offer(spans(0, &[100; 20])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert!((8..=12).contains(&lane.ledger.dropped(DropReason::MaxAge)), "{lane:?}");
    assert_eq!(lane.ledger.delivered + lane.ledger.dropped(DropReason::MaxAge), 20);
    assert_conserved(&lane);
}

/// Guards the flush: parts are of the batch that was there when it was called, so it waits for all of them. And the walk: a part under way and those not made
/// yet are held, and their bytes charged.
#[test]
fn a_flush_waits_for_parts() {
    let go = Arc::new(Notify::new());
    let exporter = Scripted::new([Step::TooLarge, Step::Deliver, Step::Wait(Arc::clone(&go))]);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(20))
        .destination(destination("test", &exporter), LaneConfig::default().with_max_in_flight(1))
        .build()
        .unwrap();
    let chunk = spans(0, &[100; 20]);
    let whole = chunk.len() as u64;
    pipeline.intake().offer(chunk).unwrap();
    exporter.wait_attempts(3);
    assert!(!pipeline.flush(Duration::from_millis(20)).unwrap().complete);
    let held = lane(&pipeline);
    assert!((8..=12).contains(&held.held_items()), "{held:?}");
    assert!(held.held_bytes > 0 && held.held_bytes < whole, "{held:?}");
    assert_conserved(&held);
    go.notify_one();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_eq!(ids(&exporter.log().delivered), (0..20).collect::<Vec<_>>());
    assert_conserved(&lane(&pipeline));
}

/// Guards a shutdown that has time: it delivers the parts that are not made yet.
#[test]
fn a_drain_delivers_the_parts() {
    let exporter = Scripted::default();
    exporter.limit(1_000);
    let pipeline = pipeline(&exporter, 100);
    pipeline.intake().offer(spans(0, &[100; 100])).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_eq!(ids(&exporter.log().delivered), (0..100).collect::<Vec<_>>());
}

/// Guards the others: the destination that takes more gets whole batches.
#[test]
fn another_destination_is_not_concerned() {
    let (small, large) = (Scripted::default(), Scripted::default());
    small.limit(1_000);
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(50))
        .destination(destination("small", &small), LaneConfig::default())
        .destination(destination("large", &large), LaneConfig::default())
        .build()
        .unwrap();
    pipeline.intake().offer(spans(0, &[100; 50])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    assert_eq!(large.log().delivered.len(), 1);
    for exporter in [small, large] {
        assert_eq!(ids(&exporter.log().delivered), (0..50).collect::<Vec<_>>());
    }
    pipeline.status().iter().for_each(assert_conserved);
}
