//! Batching by concatenation.

use aqueduct_wire::{Chunk, Limits, Merged, Merger, Signal};
use bytes::Bytes;

/// The bytes are those of the chunks in order, whichever are copied; counts and lengths add up.
#[test]
fn order_and_counts_are_kept() {
    let sizes =
        [10, 20_000, 30, 0, 40_000, 16_383, 16_384, 1, 60_000, 15_000, 15_000, 15_000, 15_000, 15_000];
    let mut merger = Merger::new(Signal::Logs);
    let mut expected = Vec::new();
    for (n, size) in sizes.into_iter().enumerate() {
        let bytes = vec![n as u8; size];
        expected.extend_from_slice(&bytes);
        merger.push(Chunk::from_valid(Signal::Logs, n as u64, bytes.into()));
    }
    assert_eq!((merger.items(), merger.len()), ((0..14).sum(), expected.len()));
    let held = merger.held_bytes();
    let merged = merger.finish();
    assert!(merged.held_bytes() <= held);
    assert_eq!(merged.to_bytes(), expected);
    assert_eq!(merged.pieces().concat(), expected);
    assert!(merged.pieces().iter().all(|piece| !piece.is_empty()));
    assert_eq!((merged.items(), merged.len()), ((0..14).sum(), expected.len()));
}

/// What is large is kept by reference, and what is small does not pin the buffer that it is a slice of.
#[test]
fn large_by_reference_small_by_copy() {
    let large = Bytes::from(vec![1; 20_000]);
    let read_buffer = Bytes::from(vec![2; 1 << 20]);
    let mut merger = Merger::new(Signal::Traces);
    merger.push(Chunk::from_valid(Signal::Traces, 1, large.clone()));
    merger.push(Chunk::from_valid(Signal::Traces, 1, read_buffer.slice(..100)));
    assert!(read_buffer.is_unique());
    assert_eq!(merger.held_bytes(), 20_000 + 4 * 1024);
    let merged = merger.finish();
    assert_eq!(merged.pieces()[0].as_ptr(), large.as_ptr());
    let again = merged.clone();
    assert_eq!(again.pieces()[1].as_ptr(), merged.pieces()[1].as_ptr());
}

/// Small chunks between large ones go on filling one slab: memory held stays near the memory used.
#[test]
fn a_slab_outlives_a_large_piece() {
    let mut merger = Merger::new(Signal::Traces).with_slab_bytes(1_000).with_copy_below(100);
    for _ in 0..10 {
        merger.push(Chunk::from_valid(Signal::Traces, 1, vec![1; 90].into()));
        merger.push(Chunk::from_valid(Signal::Traces, 1, vec![2; 100].into()));
    }
    assert_eq!(merger.held_bytes(), 1_000 + 10 * 100);
    assert_eq!(merger.finish().pieces().len(), 20);
}

/// Memory held follows the bytes of a batch, however few: batches wait while their destination is away, and a budget
/// that counts bytes must not be exceeded by what surrounds them.
#[test]
fn a_small_batch_holds_little() {
    for (chunks, size) in [(1, 10), (1, 400), (3, 1_000), (9, 3_000), (40, 5_000), (1_000, 300)] {
        let mut merger = Merger::new(Signal::Traces);
        for _ in 0..chunks {
            merger.push(Chunk::from_valid(Signal::Traces, 1, vec![1; size].into()));
        }
        let merged = merger.finish();
        let (held, len) = (merged.held_bytes(), merged.len());
        assert!(held >= len && held <= 2 * len + 64, "{chunks} x {size}: {held} bytes held for {len}");
        assert_eq!(merged.to_bytes(), vec![1; chunks * size]);
    }
}

/// A pool changes where slabs come from, and nothing else: bytes, pieces and counts are the same, whatever the sizes and their order. With
/// the last slice of the batch the memory is back.
#[cfg(feature = "pool")]
mod pooled {
    use super::*;
    use aqueduct_pool::BufferPool;
    use proptest::prelude::*;

    fn merge(mut merger: Merger, sizes: &[usize]) -> Merged {
        for (n, &size) in sizes.iter().enumerate() {
            merger.push(Chunk::from_valid(Signal::Logs, n as u64, vec![n as u8; size].into()));
        }
        merger.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn slabs_from_a_pool_make_the_same_batch(sizes in prop::collection::vec(prop_oneof![0..300_usize, 0..30_000_usize], 0..60)) {
            let pool = BufferPool::default();
            let plain = merge(Merger::new(Signal::Logs), &sizes);
            let pooled = merge(Merger::new(Signal::Logs).with_pool(pool.clone()), &sizes);
            prop_assert_eq!(pooled.to_bytes(), plain.to_bytes());
            prop_assert_eq!((pooled.items(), pooled.len()), (plain.items(), plain.len()));
            prop_assert!(pooled.pieces().iter().all(|piece| !piece.is_empty()));
            // Classes of the pool are up to twice what is asked for, and what is asked for follows what was copied.
            let most = 4 * pooled.len() + 8192;
            prop_assert!(pooled.held_bytes() <= most, "{} held for {}", pooled.held_bytes(), pooled.len());
            drop(pooled);
            prop_assert_eq!(pool.stats().in_use(), 0);
        }
    }

    /// Guards the point of it: the second batch needs no memory that the first did not bring back.
    #[test]
    fn the_second_batch_reuses_the_first() {
        let pool = BufferPool::default();
        let sizes = [1_000; 500];
        drop(merge(Merger::new(Signal::Logs).with_pool(pool.clone()), &sizes));
        let made = pool.stats().made;
        assert!(made > 5);
        drop(merge(Merger::new(Signal::Logs).with_pool(pool.clone()), &sizes));
        assert_eq!(pool.stats().made, made);
    }
}

/// A chunk larger than the slab, but to be copied, gets a slab of its own size.
#[test]
fn slabs_grow_to_the_chunk() {
    let mut merger = Merger::new(Signal::Traces).with_slab_bytes(10).with_copy_below(1_000);
    merger.push(Chunk::from_valid(Signal::Traces, 1, vec![1; 500].into()));
    merger.push(Chunk::from_valid(Signal::Traces, 1, vec![2; 5].into()));
    let merged = merger.finish();
    assert_eq!((merged.len(), merged.pieces().len()), (505, 2));
}

/// An empty batch has no pieces; one chunk stays itself.
#[test]
fn few_chunks() {
    let empty = Merger::new(Signal::Metrics);
    assert!(empty.is_empty() && empty.held_bytes() == 0);
    assert!(empty.finish().pieces().is_empty());
    let chunk = Chunk::validate(Signal::Metrics, Bytes::from_static(&[0x0a, 0]), &Limits::DEFAULT).unwrap();
    let merged = Merged::from(chunk.clone());
    assert_eq!((merged.len(), merged.to_bytes()), (2, chunk.into_bytes()));
    assert!(Merged::from_chunk(Chunk::from_valid(Signal::Logs, 0, Bytes::new())).pieces().is_empty());
}

/// Two signals in one batch would be garbage for whoever reads it.
#[test]
#[should_panic(expected = "a batch holds one signal")]
fn signals_do_not_mix() {
    Merger::new(Signal::Logs).push(Chunk::from_valid(Signal::Traces, 0, Bytes::new()));
}
