//! Round trips, lies and bombs, against the reference encoders.

use super::*;
use crate::ReceiveBudget;
use std::io::Write;
use std::time::Duration;

const MIB: usize = 1 << 20;

fn run(encoding: Encoding, input: &[u8], limit: usize, budget: &ReceiveBudget) -> Result<Bytes, Refusal> {
    let mut held = Held::new(budget, Duration::from_secs(1));
    let result = inflate(encoding, input, limit, &mut held);
    if let Ok(bytes) = &result {
        assert!(held.bytes() >= bytes.len(), "the result must be covered");
        assert!(held.bytes() <= bytes.len() + bytes.len() / 8 + 1, "and not by much more");
    }
    drop(held);
    assert_eq!(budget.used(), 0);
    result
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).expect("in memory");
    encoder.finish().expect("in memory")
}

/// Bytes that shrink like telemetry does.
fn telemetry(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n / 7) as u8 ^ (n % 13) as u8).collect()
}

type Compressor = fn(&[u8]) -> Vec<u8>;

fn compressors() -> Vec<(Encoding, Compressor)> {
    vec![
        (Encoding::Gzip, gzip),
        #[cfg(feature = "zstd")]
        (Encoding::Zstd, |data| zstd::encode_all(data, 1).expect("in memory")),
    ]
}

/// Guards the content at sizes around every step of growth, one part and several, context fresh and reused.
#[test]
fn what_was_compressed_comes_back() {
    let budget = ReceiveBudget::new(64 * MIB);
    for (encoding, compress) in compressors() {
        for len in [0, 1, 4095, 4096, 4097, 50_000, 300_000, 3_000_000] {
            let data = telemetry(len);
            let small = compress(&data);
            assert_eq!(run(encoding, &small, 4 * MIB, &budget).expect("valid"), data, "{encoding:?} {len}");
            let twice = [small.clone(), small].concat();
            assert_eq!(run(encoding, &twice, 8 * MIB, &budget).expect("valid").len(), 2 * len);
        }
    }
}

/// Guards the limit to the byte, on the sum of all parts.
#[test]
fn the_limit_is_exact() {
    let budget = ReceiveBudget::new(64 * MIB);
    for (encoding, compress) in compressors() {
        for data in [telemetry(100_000), vec![0; 100_000]] {
            let small = compress(&data);
            assert_eq!(run(encoding, &small, 100_000, &budget).expect("exactly the limit").len(), 100_000);
            let refusal = run(encoding, &small, 99_999, &budget).expect_err("one too many");
            assert_eq!(refusal.reason, RefuseReason::TooLarge);
            let twice = [small.clone(), small].concat();
            assert_eq!(
                run(encoding, &twice, 199_999, &budget).expect_err("sum").reason,
                RefuseReason::TooLarge
            );
        }
    }
}

/// Guards memory against bombs: 256 MiB of zeros cost the limit at most, and the budget before the limit.
#[test]
fn bombs_cost_no_more_than_the_limit() {
    for (encoding, compress) in compressors() {
        let bomb = compress(&vec![0; 256 * MIB]);
        let budget = ReceiveBudget::new(64 * MIB);
        let refusal = run(encoding, &bomb, 8 * MIB, &budget).expect_err("bomb");
        assert_eq!(refusal.reason, RefuseReason::TooLarge);
        assert!(budget.peak() <= 8 * MIB + 1, "{encoding:?}: {}", budget.peak());

        let budget = ReceiveBudget::new(4 * MIB);
        let others = budget.try_reserve(2 * MIB).expect("room");
        let mut held = Held::new(&budget, Duration::from_secs(1));
        let refusal = inflate(encoding, &bomb, 3 * MIB, &mut held).expect_err("no room");
        assert_eq!(refusal.reason, RefuseReason::Budget, "a full budget is overload");
        drop((held, others));
        assert_eq!(budget.used(), 0);
    }
}

/// Guards that every truncation, trailing garbage and a flipped byte are refused or harmless, never a panic.
#[test]
fn damaged_data_is_refused() {
    let budget = ReceiveBudget::new(64 * MIB);
    for (encoding, compress) in compressors() {
        let small = compress(&telemetry(3000));
        let reason = |input: &[u8]| run(encoding, input, MIB, &budget).map_err(|refusal| refusal.reason);
        for end in 0..small.len() {
            assert_eq!(reason(&small[..end]), Err(RefuseReason::Inflate), "{encoding:?} cut at {end}");
        }
        for garbage in [&b"\0"[..], b"garbage", &small[..5]] {
            let long = [&small[..], garbage].concat();
            assert_eq!(reason(&long), Err(RefuseReason::Inflate), "{encoding:?} + {garbage:?}");
        }
        for at in 0..small.len() {
            let mut bad = small.clone();
            bad[at] ^= 0x55;
            let _ = reason(&bad);
        }
        assert!(reason(&small).is_ok(), "the context survives all that");
    }
}

/// Guards that the size which the data announces is not believed.
#[test]
fn an_announced_size_is_no_promise() {
    let budget = ReceiveBudget::new(64 * MIB);
    let data = telemetry(100_000);
    for claim in [0, 1, 99_999, 100_001, u32::MAX] {
        let mut small = gzip(&data);
        let end = small.len();
        small[end - 4..].copy_from_slice(&claim.to_le_bytes());
        let refusal =
            run(Encoding::Gzip, &small, MIB, &budget).expect_err("the claim is part of the checksum");
        assert_eq!(refusal.reason, RefuseReason::Inflate);
    }
    assert!(budget.peak() <= MIB, "{}", budget.peak());
}

/// Guards RFC 9659: a frame that needs a window of more than 8 MiB is refused, one of 8 MiB is not.
#[cfg(feature = "zstd")]
#[test]
fn zstd_windows_are_bounded() {
    let budget = ReceiveBudget::new(64 * MIB);
    for (log, ok) in [(23, true), (24, false), (27, false)] {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("in memory");
        encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(log)).expect("valid");
        // Without a size in the header the window is what the decoder has to allocate.
        encoder.include_contentsize(false).expect("valid");
        encoder.write_all(&telemetry(100_000)).expect("in memory");
        let small = encoder.finish().expect("in memory");
        assert_eq!(run(Encoding::Zstd, &small, MIB, &budget).is_ok(), ok, "window 2^{log}");
    }
}

/// Guards that a thread does not keep the memory of a large window.
#[cfg(feature = "zstd")]
#[test]
fn large_contexts_are_not_kept() {
    let budget = ReceiveBudget::new(64 * MIB);
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("in memory");
    encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(23)).expect("valid");
    encoder.include_contentsize(false).expect("valid");
    encoder.write_all(&telemetry(100_000)).expect("in memory");
    let large = encoder.finish().expect("in memory");
    run(Encoding::Zstd, &large, MIB, &budget).expect("valid");
    assert!(UNZSTD.with(|kept| kept.borrow().is_none()));
    run(Encoding::Zstd, &zstd::encode_all(&b"small"[..], 1).expect("in memory"), MIB, &budget)
        .expect("valid");
    assert!(UNZSTD.with(|kept| kept.borrow().is_some()));
}
