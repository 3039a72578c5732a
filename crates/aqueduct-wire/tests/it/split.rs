//! Splitting, against prost and to the byte.

use crate::odd::{Flat, flat, odd};
use crate::operations::{config, field, mutants, request, signals};
use aqueduct_wire::{Chunk, Limits, Merged, Merger, Signal, TooLarge, fold_scopes, split};
use proptest::prelude::*;

/// Splits, and checks what must hold for whatever limits: no item is lost or doubled or out of order, and
/// each has the same bytes around it; no part is above a limit; counts and lengths are exact.
fn check(chunk: &Chunk, max_items: u64, max_bytes: usize) -> Result<Vec<Merged>, TestCaseError> {
    let signal = chunk.signal();
    let whole = flat(signal, chunk.bytes());
    let (mut at, mut parts) = (0, Vec::new());
    for part in split(chunk, max_items, max_bytes).expect("valid requests split") {
        match part {
            Ok(part) => {
                let bytes = part.to_bytes();
                prop_assert!(part.items() <= max_items && part.len() <= max_bytes && !part.is_empty());
                prop_assert_eq!(bytes.len(), part.len());
                let again =
                    Chunk::validate(signal, bytes.clone(), &Limits::DEFAULT).expect("parts are valid");
                prop_assert_eq!(again.items(), part.items());
                let items = flat(signal, &bytes);
                let next: Vec<Flat> = whole[at..].iter().take(items.len()).cloned().collect();
                prop_assert_eq!(items.len() as u64, part.items());
                prop_assert_eq!(items, next);
                at += part.items() as usize;
                parts.push(part);
            }
            Err(refused) => {
                prop_assert!(refused.bytes() > max_bytes || refused.items() > max_items, "{}", refused);
                prop_assert!(refused.items() <= 1);
                at += refused.items() as usize;
            }
        }
    }
    prop_assert_eq!(at, whole.len());
    Ok(parts)
}

proptest! {
    #![proptest_config(config())]

    /// By any limits, small ones that split every level and refuse items included, however the request is
    /// encoded.
    #[test]
    fn nothing_is_lost(
        signal in signals(),
        seed: u64,
        items in 0..40_usize,
        max_items in prop_oneof![0..10_u64, Just(u64::MAX)],
        max_bytes in prop_oneof![0..3_000_usize, 0..20_000_usize, Just(usize::MAX)],
    ) {
        let chunk = request(signal, seed, items);
        check(&chunk, max_items, max_bytes)?;
        let bytes = odd(signal, chunk.bytes(), seed);
        let chunk = Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap();
        check(&chunk, max_items, max_bytes)?;
    }

    /// Parts are full: with a limit on items alone there are no more of them than are needed.
    #[test]
    fn parts_are_full(signal in signals(), seed: u64, items in 1..40_usize, max_items in 1..10_u64) {
        let chunk = request(signal, seed, items);
        let mut parts = check(&chunk, max_items, usize::MAX)?;
        while parts.last().is_some_and(|part| part.items() == 0) {
            parts.pop();
        }
        let full = parts.iter().rev().skip(1).all(|part| part.items() == max_items);
        prop_assert!(full, "{:?}", parts.iter().map(Merged::items).collect::<Vec<_>>());
    }

    /// Splitting and then merging and folding gives the same request to whoever counts (resource, scope,
    /// item), in the same order.
    #[test]
    fn merging_undoes_it(signal in signals(), seed: u64, items in 0..40_usize, max_items in 1..10_u64) {
        let bytes = odd(signal, request(signal, seed, items).bytes(), seed);
        let chunk = Chunk::validate(signal, bytes.into(), &Limits::DEFAULT).unwrap();
        let mut merger = Merger::new(signal);
        for part in split(&chunk, max_items, usize::MAX).unwrap() {
            merger.push(Chunk::from(part.unwrap()));
        }
        let merged = Chunk::from(merger.finish());
        // The fields of the request itself are repeated too, and are there once for each part.
        let without_request = |bytes: &[u8]| -> Vec<Flat> {
            flat(signal, bytes).into_iter().map(|(around, item)| (around[1..].to_vec(), item)).collect()
        };
        let (mut before, mut after) = (without_request(chunk.bytes()), without_request(merged.bytes()));
        prop_assert_eq!(&before, &after);
        after = without_request(&fold_scopes(&merged).unwrap().to_bytes());
        before.sort();
        after.sort();
        prop_assert_eq!(before, after);
    }

    /// Bytes wrongly given as valid are refused or passed on, and never cause a panic or an endless number of
    /// parts.
    #[test]
    fn broken_bytes_do_no_harm(signal in signals(), seed: u64, max_items in 0..4_u64, max_bytes in 0..600_usize) {
        for chunk in mutants(signal, seed) {
            if let Ok(parts) = split(&chunk, max_items, max_bytes) {
                prop_assert!(parts.count() <= chunk.len());
            }
        }
    }
}

/// A request within the limits is the same memory, and an empty one has no parts.
#[test]
fn what_fits_is_the_same_bytes() {
    for signal in Signal::ALL {
        let chunk = request(signal, 1, 20);
        let parts: Vec<_> = split(&chunk, 20, chunk.len()).unwrap().collect();
        assert_eq!(parts.len(), 1);
        let part = parts[0].as_ref().unwrap();
        assert_eq!(part.to_bytes().as_ptr_range(), chunk.bytes().as_ptr_range());
        assert!(split(&Chunk::from_valid(signal, 0, Vec::new().into()), 0, 0).unwrap().next().is_none());
    }
}

/// Sizes in the refusal are those of the smallest request with the item; what is around it still arrives.
#[test]
fn too_large_says_how_large() {
    let small = b"\x12\x03\x1a\x01A";
    let large = [&[0x12, 102, 0x1a, 100][..], &[b'x'; 100]].concat();
    let scope = [&small[..], &large, small].concat();
    let request = [&[0x0a, 116, 0x12, 114][..], &scope].concat();
    let chunk = Chunk::validate(Signal::Logs, request.into(), &Limits::DEFAULT).unwrap();
    let parts: Vec<_> = split(&chunk, u64::MAX, 107).unwrap().collect();
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[0].as_ref().unwrap().items(), 1);
    let refused: TooLarge = parts[1].clone().unwrap_err();
    assert_eq!((refused.items(), refused.bytes(), refused.signal()), (1, 108, Signal::Logs));
    assert_eq!(refused.to_string(), "a log record of 108 bytes with its envelopes is too large");
    let alone = refused.into_request();
    assert_eq!((alone.items(), alone.len()), (1, 108));
    assert_eq!(alone.to_bytes(), [&[0x0a, 106, 0x12, 104][..], &large].concat());
    assert_eq!(parts[2].as_ref().unwrap().items(), 1);
    assert_eq!(split(&chunk, u64::MAX, 108).unwrap().filter(Result::is_err).count(), 0);
    // An envelope that holds nothing, and fields beside all records.
    for request in [&b"\x0a\x08\x1a\x06schema"[..], b"\x52\x02ab"] {
        let chunk = Chunk::validate(Signal::Logs, request.to_vec().into(), &Limits::DEFAULT).unwrap();
        let parts: Vec<_> = split(&chunk, 0, 3).unwrap().collect();
        let refused = parts[0].as_ref().unwrap_err();
        assert_eq!((parts.len(), refused.items(), refused.bytes()), (1, 0, request.len()));
        assert_eq!(
            refused.to_string(),
            format!("an envelope of {} bytes without log records is too large", request.len())
        );
    }
}

/// The time that a split takes grows with the request and not with its square, however it is nested: many
/// parts, many scopes, one metric of many points, many pieces of one metric's data. Quadratic, this would
/// take minutes.
#[test]
fn splitting_is_linear() {
    let wrap = |number: u8, body: Vec<u8>| field(number, &body);
    let n = 200_000;
    let requests = [
        (Signal::Logs, wrap(1, wrap(2, [0x12, 0].repeat(n)))),
        (Signal::Logs, wrap(1, [0x12, 2, 0x12, 0].repeat(n))),
        (Signal::Logs, [0x0a, 4, 0x12, 2, 0x12, 0].repeat(n)),
        (Signal::Logs, wrap(1, wrap(2, [0x12, 0, 0x58, 0].repeat(n)))),
        (Signal::Metrics, wrap(1, wrap(2, wrap(2, wrap(5, [0x0a, 0].repeat(n)))))),
        (Signal::Metrics, wrap(1, wrap(2, wrap(2, [0x2a, 2, 0x0a, 0].repeat(n))))),
        (Signal::Metrics, wrap(1, wrap(2, wrap(2, [0x2a, 2, 0x0a, 0, 0x3a, 0].repeat(n))))),
    ];
    for (signal, bytes) in requests {
        let limits = Limits::DEFAULT;
        let chunk = Chunk::validate(signal, bytes.into(), &limits).unwrap();
        for max_items in [1, 1_000] {
            if max_items == 1 && flat_header_is_large(&chunk) {
                continue;
            }
            let items: u64 =
                split(&chunk, max_items, usize::MAX).unwrap().map(|part| part.unwrap().items()).sum();
            assert_eq!(items, chunk.items());
        }
    }
}

/// Where the header alone makes every part large: the output itself is quadratic then.
fn flat_header_is_large(chunk: &Chunk) -> bool {
    chunk.signal() == Signal::Logs && chunk.bytes().ends_with(&[0x58, 0])
}

/// A metric whose gauge was replaced by a sum behind it, as `oneof`s go, with one point and with two.
pub(crate) fn replaced() -> Chunk {
    let metric = [field(5, &field(1, b"")), field(7, &field(1, b"").repeat(2))].concat();
    let request = field(1, &field(2, &field(2, &metric)));
    Chunk::validate(Signal::Metrics, request.into(), &Limits::DEFAULT).expect("a valid request")
}

/// Data that another kind replaced is kept where the metric stays whole, and left out where it is taken apart: nobody reads it.
#[test]
fn replaced_data_is_not_handed_on() {
    let chunk = replaced();
    assert_eq!(chunk.items(), 2);
    let whole = split(&chunk, 2, usize::MAX).unwrap().next().unwrap().unwrap();
    assert_eq!(whole.to_bytes(), chunk.bytes());
    let sum = field(1, &field(2, &field(2, &field(7, &field(1, b"")))));
    for part in split(&chunk, 1, usize::MAX).unwrap() {
        let part = part.unwrap();
        assert_eq!((part.items(), &part.to_bytes()[..]), (1, &sum[..]));
    }
}

/// Parts say that they hold their own length: together what they are made of, and not as often as there are parts.
#[test]
fn parts_hold_their_own_length() {
    let log = field(2, &field(3, &vec![b'x'; 20_000]));
    let request = field(1, &field(2, &log.repeat(10)));
    let chunk = Chunk::validate(Signal::Logs, request.into(), &Limits::DEFAULT).unwrap();
    for part in split(&chunk, 1, usize::MAX).unwrap() {
        let part = part.unwrap();
        assert_eq!(part.held_bytes(), part.len());
        assert!(part.pieces().len() > 1, "the item is a slice");
    }
}
