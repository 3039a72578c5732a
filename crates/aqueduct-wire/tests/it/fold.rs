//! Folding, against prost and to the byte.

use crate::odd::{flat, odd};
use crate::operations::{config, mutants, request, signals};
use crate::oracle::Request;
use aqueduct_wire::{Chunk, Limits, Signal, fold, fold_scopes};
use proptest::prelude::*;

/// A request in which some records and scopes have equal envelopes: parts of a few requests, in any order and
/// more than once.
fn repetitive(signal: Signal, seed: u64, order: &[usize]) -> Vec<u8> {
    let requests: Vec<_> = (0..3).map(|n| request(signal, seed.wrapping_add(n), 6)).collect();
    order.iter().flat_map(|&n| requests[n % 3].bytes().to_vec()).collect()
}

proptest! {
    #![proptest_config(config())]

    /// The result is what prost has when records, or scopes, of equal structs are joined.
    #[test]
    fn as_in_structs(signal in signals(), seed: u64, order in prop::collection::vec(0..3_usize, 0..6)) {
        let chunk = Chunk::validate(signal, repetitive(signal, seed, &order).into(), &Limits::DEFAULT).unwrap();
        let mut expected = Request::decode(signal, chunk.bytes()).unwrap();
        expected.fold(false);
        let folded = fold(&chunk).unwrap();
        prop_assert_eq!(&Request::decode(signal, &folded.to_bytes()).unwrap(), &expected);
        expected.fold(true);
        let folded = fold_scopes(&chunk).unwrap();
        prop_assert_eq!(&Request::decode(signal, &folded.to_bytes()).unwrap(), &expected);
        prop_assert_eq!((folded.items(), folded.len()), (chunk.items(), folded.to_bytes().len()));
    }

    /// However a request is encoded: each item keeps the bytes around it, so that no attribute and no unknown
    /// field is lost or doubled, and folding twice is folding once.
    #[test]
    fn every_item_keeps_its_envelope(signal in signals(), seed: u64, order in prop::collection::vec(0..3_usize, 0..6), odd_seed: u64) {
        let bytes = repetitive(signal, seed, &order);
        let bytes = if odd_seed.is_multiple_of(2) { odd(signal, &bytes, odd_seed) } else {
            // Equal in their oddity too.
            let odd = odd(signal, &bytes, odd_seed);
            [&odd[..], &odd].concat()
        };
        let chunk = Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap();
        let mut before = flat(signal, chunk.bytes());
        before.sort();
        for operation in [fold, fold_scopes] {
            let once = operation(&chunk).unwrap();
            let mut after = flat(signal, &once.to_bytes());
            after.sort();
            prop_assert_eq!(&after, &before);
            let once = Chunk::validate(signal, once.to_bytes(), &Limits::DEFAULT).unwrap();
            prop_assert_eq!(once.items(), chunk.items());
            let twice = operation(&once).unwrap();
            prop_assert_eq!(twice.to_bytes().as_ptr_range(), once.bytes().as_ptr_range());
        }
    }

    /// Bytes wrongly given as valid are refused or passed on, and never cause a panic.
    #[test]
    fn broken_bytes_do_no_harm(signal in signals(), seed: u64) {
        for chunk in mutants(signal, seed) {
            let doubled = [chunk.bytes().to_vec(), chunk.bytes().to_vec()].concat();
            for chunk in [chunk, Chunk::from_valid(signal, 7, doubled.into())] {
                for folded in [fold(&chunk), fold_scopes(&chunk)].into_iter().flatten() {
                    prop_assert_eq!(folded.to_bytes().len(), folded.len());
                }
            }
        }
    }
}

/// The trap of joining bodies: the resource's attributes must not double.
#[test]
fn attributes_are_not_doubled() {
    let record = b"\x0a\x0f\x0a\x06\x0a\x04\x0a\x02ab\x12\x05\x12\x03\x1a\x01A";
    let chunk =
        Chunk::validate(Signal::Logs, [&record[..], record].concat().into(), &Limits::DEFAULT).unwrap();
    let bytes = fold(&chunk).unwrap().to_bytes();
    assert_eq!(bytes, [&b"\x0a\x16"[..], &record[2..], &record[10..]].concat());
}

/// Records that differ in an unknown field, or in the schema URL, are two.
#[test]
fn different_headers_stay_apart() {
    for record in [&b"\x0a\x02\x50\x01\x0a\x02\x50\x02"[..], b"\x0a\x03\x1a\x01a\x0a\x03\x1a\x01b\x0a\x00"] {
        let chunk = Chunk::validate(Signal::Traces, record.to_vec().into(), &Limits::DEFAULT).unwrap();
        assert_eq!(fold(&chunk).unwrap().to_bytes().as_ptr(), chunk.bytes().as_ptr());
    }
}
