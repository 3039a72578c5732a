//! Items in types of one's own, through what samples: after their chunk is sealed.

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{LaneConfig, Pipeline, TailSampling, Transform};
use aqueduct_sampling::tail::{Policy, PolicyKind, TailConfig};
use aqueduct_wire::{Chunk, Signal, filter};

use super::{assert_delivered, assert_over, intake, numbered, sized};
use crate::scripted::{PATIENCE, Scripted, destination, lane};

/// Keeps spans with even numbers, whose ids are one more.
struct Even;

impl Transform for Even {
    fn transform(&self, chunk: Chunk) -> Chunk {
        let is_even = |id: Option<&[u8; 8]>| id.is_some_and(|id| u64::from_be_bytes(*id) % 2 == 1);
        filter(&chunk, |span| is_even(span.span_id())).map_or(chunk, |filtered| filtered.kept.into())
    }
}

/// Guards the ledger and the reserved room of chunks of which something is left, and of those of which nothing is.
#[test]
fn sealed_chunks_are_transformed() {
    let exporter = Scripted::default();
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(sized(1_000, 20 << 10))
        .destination(destination("test", &exporter), LaneConfig::default())
        .transform(Even)
        .build()
        .unwrap();
    let intake = intake(&pipeline);
    for number in 0..500 {
        intake.push(&numbered(number)).unwrap();
    }
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let flushed = lane(&pipeline);
    assert_eq!((flushed.ledger.accepted, flushed.ledger.delivered), (500, 250));
    assert_eq!((flushed.ledger.dropped(DropReason::NotSampled), flushed.held_bytes), (250, 0));
    intake.push(&numbered(501)).unwrap();
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, (0..500).step_by(2).map(numbered));
    let over = lane(&pipeline);
    assert_eq!((over.ledger.accepted, over.ledger.dropped(DropReason::NotSampled)), (501, 251));
    assert_over(&over);
}

/// Guards the way from an open chunk to the tail sampler and on: everything is decided by a shutdown.
#[test]
fn sealed_chunks_wait_for_their_traces() {
    let exporter = Scripted::default();
    let config = TailConfig::default().with_root_grace(None);
    let tail = TailSampling::new(config, vec![Policy::new("all", PolicyKind::AlwaysSample)]).unwrap();
    let pipeline = Pipeline::builder(Signal::Traces)
        .config(sized(1_000, 20 << 10))
        .destination(destination("test", &exporter), LaneConfig::default())
        .tail_sampling(tail)
        .build()
        .unwrap();
    let intake = intake(&pipeline);
    for number in 0..500 {
        intake.push(&numbered(number)).unwrap();
    }
    let open = lane(&pipeline);
    assert_eq!(open.tail_items + open.encoding_items, 500);
    assert!(open.tail_items > 0 && open.ledger.held() == open.tail_items);
    assert!(pipeline.shutdown(PATIENCE).unwrap().complete);
    assert_delivered(&exporter, (0..500).map(numbered));
    assert_over(&lane(&pipeline));
}
