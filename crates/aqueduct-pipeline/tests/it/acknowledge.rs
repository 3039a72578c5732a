//! Deliveries that are followed: the sender hears what became of its items.

use aqueduct_metrics::{DropReason, Settled};
use aqueduct_pipeline::{Delivery, LaneConfig, Pipeline};
use aqueduct_wire::{Chunk, Signal};
use bytes::Bytes;

use crate::scripted::{PATIENCE, Scripted, Step, batches_of, chunk, destination, pipeline};

/// What became of it, once it is known.
pub(crate) fn settled(delivery: Delivery) -> Settled {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, delivery).await.expect("it settles") })
}

/// Acknowledged means exported: not before the destination has answered, and never twice.
#[test]
fn a_delivery_resolves_after_the_export() {
    let exporter = Scripted::new([Step::Retry(None), Step::Deliver]);
    let pipeline = pipeline(&exporter, 1);
    let delivery = pipeline.intake().offer_acknowledged(chunk(1)).unwrap();
    assert_eq!(settled(delivery), Settled::Delivered);
    assert_eq!(exporter.log().delivered.len(), 1);
}

/// Every chunk of a batch hears of the batch's fate.
#[test]
fn all_chunks_of_a_refused_batch_hear_of_it() {
    let exporter = Scripted::new([Step::Permanent]);
    let pipeline = pipeline(&exporter, 3);
    let intake = pipeline.intake();
    let deliveries: Vec<_> = (0..3).map(|number| intake.offer_acknowledged(chunk(number)).unwrap()).collect();
    for delivery in deliveries {
        assert_eq!(settled(delivery), Settled::Dropped(DropReason::Permanent));
    }
}

/// With several destinations the worst outcome is told, after all have settled.
#[test]
fn the_worst_of_several_destinations_is_told() {
    let (fussy, easy) = (Scripted::new([Step::Permanent]), Scripted::default());
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(batches_of(1))
        .destination(destination("fussy", &fussy), LaneConfig::default())
        .destination(destination("easy", &easy), LaneConfig::default())
        .build()
        .unwrap();
    let intake = pipeline.intake();
    assert_eq!(
        settled(intake.offer_acknowledged(chunk(1)).unwrap()),
        Settled::Dropped(DropReason::Permanent)
    );
    assert_eq!(settled(intake.offer_acknowledged(chunk(2)).unwrap()), Settled::Delivered);
}

/// An empty request has nothing to wait for.
#[test]
fn an_empty_chunk_is_delivered_at_once() {
    let exporter = Scripted::default();
    let pipeline = pipeline(&exporter, 1);
    let empty = Chunk::from_valid(Signal::Traces, 0, Bytes::new());
    assert_eq!(settled(pipeline.intake().offer_acknowledged(empty).unwrap()), Settled::Delivered);
}

/// Shutting down tells those who wait.
#[test]
fn a_shutdown_tells_those_who_settled() {
    let exporter = Scripted::new([Step::Hang]);
    let pipeline = pipeline(&exporter, 1);
    let delivery = pipeline.intake().offer_acknowledged(chunk(1)).unwrap();
    exporter.wait_attempts(1);
    pipeline.shutdown(std::time::Duration::from_millis(10)).unwrap();
    assert_eq!(settled(delivery), Settled::Dropped(DropReason::UnknownOutcome));
}
