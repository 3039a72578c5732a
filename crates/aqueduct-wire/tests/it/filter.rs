//! Leaving items out, against prost and to the byte.

use crate::odd::{Flat, flat, odd};
use crate::operations::{chosen, config, mutants, request, signals};
use crate::oracle::Request;
use aqueduct_wire::{Chunk, Limits, Signal, filter};
use proptest::prelude::*;

proptest! {
    #![proptest_config(config())]

    /// What is left is what prost leaves when the items are taken out of its structs and emptied envelopes
    /// with them.
    #[test]
    fn as_in_structs(signal in signals(), seed: u64, items in 0..40_usize, one_in in 1..5_u64) {
        let chunk = request(signal, seed, items);
        let filtered = filter(&chunk, |item| chosen(item.bytes(), one_in)).unwrap();
        let mut expected = Request::decode(signal, chunk.bytes()).unwrap();
        expected.retain(|item| chosen(item, one_in));
        let bytes = filtered.kept.to_bytes();
        prop_assert_eq!(&Request::decode(signal, &bytes).unwrap(), &expected);
        prop_assert_eq!(filtered.kept.items(), expected.summary().items);
        prop_assert_eq!(filtered.kept.items() + filtered.removed, chunk.items());
        prop_assert_eq!(filtered.kept.len(), bytes.len());
    }

    /// However a request is encoded: the items that are left have the same bytes around them, unknown fields
    /// included, and are counted.
    #[test]
    fn odd_encodings_survive(signal in signals(), seed: u64, items in 0..40_usize, one_in in 1..5_u64) {
        let bytes = odd(signal, request(signal, seed, items).bytes(), seed);
        let chunk = Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap();
        let filtered = filter(&chunk, |item| chosen(item.bytes(), one_in)).unwrap();
        let bytes = filtered.kept.to_bytes();
        let left: Vec<Flat> = flat(signal, chunk.bytes()).into_iter().filter(|item| chosen(&item.1, one_in)).collect();
        prop_assert_eq!(filtered.removed, chunk.items() - left.len() as u64);
        prop_assert_eq!(flat(signal, &bytes), left);
        prop_assert_eq!(Chunk::validate(signal, bytes, &Limits::DEFAULT).unwrap().items(), filtered.kept.items());
    }

    /// Keeping everything is the same memory.
    #[test]
    fn keeping_all_is_the_same_bytes(signal in signals(), seed: u64, items in 0..40_usize) {
        let bytes = odd(signal, request(signal, seed, items).bytes(), seed);
        let chunk = Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap();
        let kept = filter(&chunk, |_| true).unwrap().kept;
        prop_assert_eq!(kept.items(), chunk.items());
        prop_assert_eq!(kept.to_bytes().as_ptr_range(), chunk.bytes().as_ptr_range());
    }

    /// Bytes wrongly given as valid are refused or passed on, and never cause a panic.
    #[test]
    fn broken_bytes_do_no_harm(signal in signals(), seed: u64) {
        for chunk in mutants(signal, seed) {
            if let Ok(filtered) = filter(&chunk, |item| item.trace_id().is_none() && chosen(item.bytes(), 2)) {
                prop_assert_eq!(filtered.kept.to_bytes().len(), filtered.kept.len());
            }
        }
    }
}

/// A trace id that is written twice is the second one, as for every decoder.
#[test]
fn the_last_trace_id_counts() {
    let mut span = vec![0x0a, 16];
    span.extend_from_slice(&[1; 16]);
    span.extend_from_slice(&[0x12, 8, 3, 3, 3, 3, 3, 3, 3, 3, 0x0a, 16]);
    span.extend_from_slice(&[2; 16]);
    let request = [&[0x0a, 50, 0x12, 48, 0x12, 46][..], &span].concat();
    let chunk = Chunk::validate(Signal::Traces, request.into(), &Limits::DEFAULT).unwrap();
    let filtered = filter(&chunk, |span| {
        assert_eq!((span.trace_id(), span.span_id()), (Some(&[2; 16]), Some(&[3; 8])));
        assert_eq!((span.signal(), span.bytes().len(), span.metric()), (Signal::Traces, 46, None));
        false
    });
    let filtered = filtered.unwrap();
    assert_eq!((filtered.kept.len(), filtered.kept.items(), filtered.removed), (0, 0, 1));
}

/// An envelope that never held an item is not the filter's to take where something else stays; where nothing does, the request is empty, and whoever asks
/// for that is told so.
#[test]
fn what_was_empty_stays_beside_what_is_kept() {
    // A scope without records, one with two, and a resource without scopes.
    let request = b"\x0a\x10\x12\x00\x12\x0c\x12\x03\x1a\x01A\x12\x05\x1a\x03abc\x0a\x03\x1a\x01u";
    let chunk = Chunk::validate(Signal::Logs, request.to_vec().into(), &Limits::DEFAULT).unwrap();
    let kept = filter(&chunk, |record| record.bytes().len() == 3).unwrap().kept;
    assert_eq!(kept.to_bytes(), b"\x0a\x09\x12\x00\x12\x05\x12\x03\x1a\x01A\x0a\x03\x1a\x01u"[..]);
    let none = filter(&chunk, |_| false).unwrap();
    assert!(none.kept.is_empty() && none.removed == 2);
}
