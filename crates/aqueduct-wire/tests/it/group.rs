//! Sorting by a key, to the byte.

use crate::odd::{Flat, flat, odd};
use crate::operations::{config, field, hash, mutants, request, signals};
use crate::split::replaced;
use aqueduct_wire::{Chunk, Limits, Signal, group_by};
use proptest::prelude::*;

/// A key that items share.
fn key(item: &[u8], keys: u64) -> u64 {
    hash(item) % keys
}

proptest! {
    #![proptest_config(config())]

    /// Each group holds the items of its key in order, with the same bytes around them, and counts them; the
    /// keys come in the order of their first items.
    #[test]
    fn groups_are_what_the_key_says(signal in signals(), seed: u64, items in 0..40_usize, keys in 1..6_u64) {
        let plain = request(signal, seed, items);
        let bytes = odd(signal, plain.bytes(), seed);
        for chunk in [plain, Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap()] {
            let mut left = flat(signal, chunk.bytes());
            let groups = group_by(&chunk, |item| key(item.bytes(), keys)).unwrap();
            let count = groups.len();
            let mut seen = 0;
            for (group, merged) in groups {
                prop_assert_eq!(group, key(&left[0].1, keys));
                let (mine, rest): (Vec<Flat>, Vec<Flat>) = left.into_iter().partition(|item| key(&item.1, keys) == group);
                left = rest;
                let bytes = merged.to_bytes();
                prop_assert_eq!((merged.items(), merged.len()), (mine.len() as u64, bytes.len()));
                prop_assert_eq!(flat(signal, &bytes), mine);
                prop_assert_eq!(Chunk::validate(signal, bytes, &Limits::DEFAULT).unwrap().items(), merged.items());
                seen += 1;
            }
            prop_assert!(left.is_empty());
            prop_assert_eq!(seen, count);
        }
    }

    /// Bytes wrongly given as valid are refused or passed on, and never cause a panic.
    #[test]
    fn broken_bytes_do_no_harm(signal in signals(), seed: u64) {
        for chunk in mutants(signal, seed) {
            if let Ok(groups) = group_by(&chunk, |item| item.trace_id().copied()) {
                for (_, merged) in groups {
                    prop_assert_eq!(merged.to_bytes().len(), merged.len());
                }
            }
        }
    }
}

/// One trace is the same memory.
#[test]
fn one_key_is_the_same_bytes() {
    let chunk = request(Signal::Traces, 3, 20);
    let (_, whole) = group_by(&chunk, |_| ()).unwrap().next().unwrap();
    assert_eq!(whole.to_bytes().as_ptr_range(), chunk.bytes().as_ptr_range());
}

/// Log records of two traces, taking turns in one scope, and then in another one of the same resource: each
/// trace has the resource once, and both scopes once.
#[test]
fn an_envelope_is_written_once() {
    let log = |trace: u8| [&[0x12, 18, 0x4a, 16][..], &[trace; 16]].concat();
    let scope = [log(1), log(2), log(1), log(2)].concat();
    let resource = [&[0x12, 80][..], &scope, &[0x12, 80], &scope].concat();
    let request = [&[0x0a, 164, 1][..], &resource].concat();
    let chunk = Chunk::validate(Signal::Logs, request.into(), &Limits::DEFAULT).unwrap();
    let groups: Vec<_> = group_by(&chunk, |log| log.trace_id().copied()).unwrap().collect();
    for (n, (trace, merged)) in (1_u8..).zip(groups) {
        assert_eq!(trace, Some([n; 16]));
        let scope = [&[0x12, 40][..], &log(n), &log(n)].concat();
        assert_eq!(merged.to_bytes(), [&[0x0a, 84][..], &scope, &scope].concat());
    }
}

/// Without items there are no keys, and nothing comes of a request that holds envelopes only.
#[test]
fn without_items_there_are_no_groups() {
    for request in [&b""[..], b"\x0a\x00", b"\x0a\x0a\x12\x00\x1a\x06schema\x52\x02ab"] {
        for signal in Signal::ALL {
            let chunk = Chunk::validate(signal, request.to_vec().into(), &Limits::DEFAULT).unwrap();
            let groups = group_by(&chunk, |_| panic!("there is no item")).unwrap();
            let none: Vec<((), _)> = groups.collect();
            assert!(none.is_empty());
        }
    }
}

/// Data that another kind replaced belongs to no key.
#[test]
fn replaced_data_is_in_no_group() {
    let mut key = 0;
    let number = |_: &aqueduct_wire::Item<'_>| {
        key += 1;
        key
    };
    let groups: Vec<_> = group_by(&replaced(), number).unwrap().collect();
    assert_eq!(groups.len(), 2);
    let sum = field(1, &field(2, &field(2, &field(7, &field(1, b"")))));
    assert!(groups.iter().all(|(_, group)| group.to_bytes() == sum));
}
