//! What cannot be divided further: an item, a header, an envelope without items.

use aqueduct_metrics::DropReason;
use aqueduct_wire::{Chunk, Signal};

use super::{ids, spans, spans_of};
use crate::scripted::{PATIENCE, Scripted, assert_conserved, lane, pipeline};

/// Guards the small from the large: an item that is too large by itself is lost, and counted, and nothing else is.
#[test]
fn one_giant_among_many_is_dropped_alone() {
    let exporter = Scripted::default();
    exporter.limit(2_000);
    let pipeline = pipeline(&exporter, 64);
    let mut sizes = [100; 64];
    sizes[37] = 20_000;
    pipeline.intake().offer(spans(0, &sizes)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(ids(&exporter.log().delivered), (0..64).filter(|id| *id != 37).collect::<Vec<_>>());
    assert_eq!((lane.ledger.dropped(DropReason::TooLarge), lane.ledger.dropped_total()), (1, 1));
    assert_conserved(&lane);
}

/// Guards items between what was learnt and what is true: larger than any request that is known to pass, an item is sent alone and not given up.
#[test]
fn only_the_destination_says_that_an_item_is_too_large() {
    let exporter = Scripted::default();
    exporter.limit(5_500);
    let pipeline = pipeline(&exporter, 40);
    let mut sizes = [150; 40];
    sizes[20] = 5_000;
    pipeline.intake().offer(spans(0, &sizes)).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(ids(&exporter.log().delivered), (0..40).collect::<Vec<_>>());
    assert_eq!(lane.ledger.dropped_total(), 0);
    assert_conserved(&lane);
}

/// The trap of a header that is itself too large: every item would be sent with all of it, in vain, and others would wait for that.
#[test]
fn a_large_header_is_not_sent_with_every_item() {
    let exporter = Scripted::default();
    exporter.limit(10_000);
    let pipeline = pipeline(&exporter, 2_000);
    let service = "h".repeat(12_000);
    pipeline.intake().offer(spans_of(&service, 0, &[0; 1_990])).unwrap();
    pipeline.intake().offer(spans(10_000, &[10; 10])).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert!(lane.attempts < 100, "{} attempts", lane.attempts);
    assert_eq!((lane.ledger.delivered, lane.ledger.dropped(DropReason::TooLarge)), (10, 1_990));
    assert_conserved(&lane);
}

/// A resource with a schema URL of 5,000 bytes and no spans.
fn nothing() -> Vec<u8> {
    let mut bytes = vec![0x0A, 0x8B, 0x27, 0x1A, 0x88, 0x27];
    bytes.resize(bytes.len() + 5_000, b'u');
    bytes
}

fn joined(records: &[&[u8]]) -> Chunk {
    Chunk::validate(Signal::Traces, records.concat().into(), &Default::default()).unwrap()
}

/// Guards items that fit: what stands beside them without items is not theirs, whether they are many or one.
#[test]
fn an_item_beside_an_envelope_of_nothing_is_delivered() {
    for (chunk, items) in [
        (joined(&[spans(20, &[5_000]).bytes(), &nothing(), spans(0, &[150; 40]).bytes()]), 41),
        (joined(&[spans(0, &[600]).bytes(), &nothing()]), 1),
    ] {
        let exporter = Scripted::default();
        exporter.limit(5_500);
        let pipeline = pipeline(&exporter, items);
        pipeline.intake().offer(chunk).unwrap();
        assert!(pipeline.flush(PATIENCE).unwrap().complete);
        let lane = lane(&pipeline);
        assert_eq!((lane.ledger.delivered, lane.ledger.dropped_total()), (items, 0));
        assert_conserved(&lane);
    }
}

/// Guards the budget and the small print: an envelope without items that is too large is not sent and not missed, and what it was charged is given back.
#[test]
fn an_envelope_of_nothing_is_left_out() {
    let exporter = Scripted::default();
    exporter.limit(1_000);
    let pipeline = pipeline(&exporter, 30);
    let chunk = joined(&[&nothing(), spans(0, &[100; 30]).bytes()]);
    assert_eq!(chunk.items(), 30);
    pipeline.intake().offer(chunk).unwrap();
    assert!(pipeline.flush(PATIENCE).unwrap().complete);
    let lane = lane(&pipeline);
    assert_eq!(ids(&exporter.log().delivered), (0..30).collect::<Vec<_>>());
    assert_eq!((lane.ledger.delivered, lane.ledger.dropped_total()), (30, 0));
    assert_conserved(&lane);
}
