//! Tests of compression.

use std::io::Read;

use aqueduct_wire::{Chunk, Merged, Merger, Signal};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// What is compressed need not be OTLP: the codecs see bytes.
fn batch(pieces: &[Vec<u8>]) -> Merged {
    // Nothing is copied together, so every piece stays one.
    let mut merger = Merger::new(Signal::Traces).with_copy_below(0);
    for piece in pieces {
        merger.push(Chunk::from_valid(Signal::Traces, 1, Bytes::from(piece.clone())));
    }
    merger.finish()
}

fn inflate(request: &Request) -> Vec<u8> {
    let joined = request.pieces().concat();
    match request.encoding() {
        Encoding::Identity => joined,
        Encoding::Gzip => {
            let mut out = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&joined[..]);
            decoder.read_to_end(&mut out).expect("valid gzip");
            assert!(decoder.into_inner().is_empty(), "one member and nothing after it");
            out
        }
        Encoding::Zstd => zstd::stream::decode_all(&joined[..]).expect("valid zstd"),
    }
}

/// Bytes that no codec makes smaller.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Text that compresses, and not to nothing.
fn text(len: usize) -> Vec<u8> {
    noise(len).into_iter().map(|byte| b'a' + byte % 8).collect()
}

const ALL: [Compression; 7] = [
    Compression::None,
    Compression::Gzip(0),
    Compression::Gzip(1),
    Compression::Gzip(9),
    Compression::Zstd(-7),
    Compression::Zstd(1),
    Compression::Zstd(19),
];

/// Guards the bytes: whatever the sizes of pieces and of output blocks, what is inflated is what was given.
#[test]
fn what_goes_in_comes_out() {
    for codec in ALL {
        let compressors = Compressor::new(codec).expect("valid level");
        // The same context again and again, so that one body's state would show in the next.
        for pieces in [
            vec![text(1)],
            vec![text(300_000)],
            vec![text(100_000), noise(10), text(65_536), text(1)],
            vec![vec![0; 4 << 20]],
            (0..500).map(|n| text(n * 7)).collect(),
            vec![noise(100_000), text(1_000_000)],
        ] {
            let batch = batch(&pieces);
            let request = compressors.compress(Request::plain(&batch));
            assert_eq!(inflate(&request), pieces.concat(), "{codec:?}");
            assert!(request.len() <= batch.len());
            assert_eq!(request.len(), request.pieces().iter().map(Bytes::len).sum::<usize>());
            assert_eq!(request.uncompressed_len(), batch.len());
            assert_eq!(request.items(), batch.items());
        }
    }
}

/// Guards the peer against inflating what was never deflated, and the wire against growth.
#[test]
fn what_does_not_get_smaller_goes_plain() {
    for codec in [Compression::Gzip(6), Compression::Zstd(3)] {
        let compressors = Compressor::new(codec).expect("valid level");
        for body in [noise(200_000), noise(1), vec![]] {
            let request = compressors.compress(Request::plain(&batch(std::slice::from_ref(&body))));
            assert_eq!(request.encoding(), Encoding::Identity);
            assert_eq!(request.pieces().concat(), body);
        }
        let stats = compressors.stats();
        // The empty body was not even tried.
        assert_eq!((stats.plain, stats.compressed), (2, 0));
        assert_eq!(stats.bytes_in, stats.bytes_out);
    }
}

/// Guards the figures that the compression report is made of.
#[test]
fn ratio_savings_and_time_are_counted() {
    let compressors = Compressor::new(Compression::Zstd(1)).expect("valid level");
    assert_eq!(compressors.stats().ratio(), 1.0);
    let batch = batch(&[vec![7; 1 << 20]]);
    let request = compressors.compress(Request::plain(&batch));
    let stats = compressors.stats();
    assert_eq!((stats.bytes_in, stats.bytes_out), (1 << 20, request.len() as u64));
    assert!(stats.ratio() > 100.0 && stats.savings_percent() > 99.0 && stats.ns_per_byte() > 0.0);
}

/// Guards the reuse of contexts, and the bound on how many stay.
#[test]
fn contexts_are_reused_and_bounded() {
    let compressors = Compressor::new(Compression::Gzip(1)).expect("valid level");
    let batch = batch(&[text(100_000)]);
    for _ in 0..3 {
        let _ = compressors.compress(Request::plain(&batch));
    }
    assert_eq!(compressors.idle.lock().expect("not poisoned").contexts.len(), 1);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| compressors.compress(Request::plain(&batch)));
        }
    });
    assert!(compressors.idle.lock().expect("not poisoned").contexts.len() <= MAX_IDLE);
}

/// Guards the range of levels.
#[test]
fn levels_out_of_range_are_refused() {
    for codec in [Compression::Gzip(10), Compression::Zstd(20), Compression::Zstd(-8)] {
        assert!(matches!(Compressor::new(codec), Err(ConfigError::Level { .. })), "{codec:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Guards the same as `what_goes_in_comes_out` over arbitrary lists of pieces.
    #[test]
    fn any_pieces_survive(pieces in proptest::collection::vec(proptest::collection::vec(0u8..20, 0..5000), 0..20)) {
        for codec in [Compression::Gzip(1), Compression::Zstd(1)] {
            let compressors = Compressor::new(codec).expect("valid level");
            let request = compressors.compress(Request::plain(&batch(&pieces)));
            prop_assert_eq!(inflate(&request), pieces.concat());
        }
    }
}

/// Guards what is held compressed: the batch that comes back is the batch that went in.
#[test]
fn a_request_turns_back_into_its_batch() {
    for codec in ALL {
        let compressor = Compressor::new(codec).expect("valid level");
        for pieces in [vec![], vec![text(10)], vec![noise(100), text(200_000), noise(70_000)]] {
            let batch = batch(&pieces);
            let request = compressor.compress(Request::plain(&batch));
            let again = request.to_batch().expect("nothing is damaged");
            assert_eq!(again.to_bytes(), batch.to_bytes(), "{codec:?}");
            assert_eq!((again.signal(), again.items()), (batch.signal(), batch.items()));
            let compact = request.compact();
            assert_eq!(compact.pieces(), [Bytes::from(request.pieces().concat())]);
            assert_eq!((compact.len(), compact.held_bytes()), (request.len(), request.len()));
            assert_eq!(
                compact.to_batch().expect("nothing is damaged").to_bytes(),
                batch.to_bytes(),
                "{codec:?}"
            );
        }
    }
}

/// Guards memory against lies: a body that inflates to more or to less than was said, or not at all.
#[test]
fn damaged_requests_are_told() {
    for codec in [Compression::Gzip(1), Compression::Zstd(1)] {
        let compressor = Compressor::new(codec).expect("valid level");
        let [request, longer] =
            [100_000, 200_000].map(|len| compressor.compress(Request::plain(&batch(&[text(len)]))));
        let with = |pieces: Vec<Bytes>| request.clone().compressed(request.encoding(), pieces, 0);
        let joined = request.pieces().concat();
        let cut = Bytes::copy_from_slice(&joined[..joined.len() / 2]);
        for damaged in [with(longer.pieces().to_vec()), with(vec![cut]), with(vec![text(500).into()])] {
            assert!(matches!(damaged.to_batch(), Err(InflateError::Damaged(_))), "{codec:?}");
        }
    }
}

/// Guards a change of codec while others compress: nothing is made with a context of the codec before.
#[test]
fn the_codec_changes_while_it_is_used() {
    let compressor = Compressor::new(Compression::None).expect("valid");
    let batch = batch(&[text(50_000)]);
    let encoding = || compressor.compress(Request::plain(&batch)).encoding();
    assert_eq!(encoding(), Encoding::Identity);
    compressor.set_codec(Compression::Gzip(1)).expect("valid");
    assert_eq!(encoding(), Encoding::Gzip);
    compressor.set_codec(Compression::Zstd(1)).expect("valid");
    assert_eq!(encoding(), Encoding::Zstd);
    assert!(compressor.set_codec(Compression::Gzip(99)).is_err());
    assert_eq!((encoding(), compressor.codec()), (Encoding::Zstd, Compression::Zstd(1)));
    let twice = compressor.compress(compressor.compress(Request::plain(&batch)));
    assert_eq!(inflate(&twice), text(50_000), "what is compressed stays as it is");
}
