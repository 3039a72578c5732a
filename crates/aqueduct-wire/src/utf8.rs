//! Is it text? Tuned for what telemetry holds: short strings, nearly all of them ASCII.

/// The highest bit of each byte.
const HIGH: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;

/// From this length on SIMD pays for its start (measured with `examples/validate_speed.rs`).
const LONG: usize = 64;

/// Whether `bytes` are UTF-8.
#[inline(always)]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    if bytes.len() < LONG && is_ascii(bytes) { true } else { is_utf8_slow(bytes) }
}

#[inline(never)]
fn is_utf8_slow(bytes: &[u8]) -> bool {
    if bytes.len() < LONG {
        core::str::from_utf8(bytes).is_ok()
    } else {
        simdutf8::basic::from_utf8(bytes).is_ok()
    }
}

/// Whether no byte has its highest bit set. Collects the bits of all blocks and asks once: a branch for
/// each block would cost more than it saves. The last block overlaps the one before it, so that there is no
/// loop over single bytes.
#[inline(always)]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    if let Some(last) = bytes.last_chunk::<16>() {
        let mut bits = u128::from_le_bytes(*last);
        for block in bytes.as_chunks::<16>().0 {
            bits |= u128::from_le_bytes(*block);
        }
        bits & HIGH == 0
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (u64::from_le_bytes(*first) | u64::from_le_bytes(*last)) & HIGH as u64 == 0
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (u32::from_le_bytes(*first) | u32::from_le_bytes(*last)) & HIGH as u32 == 0
    } else {
        bytes.iter().fold(0, |bits, byte| bits | byte) < 0x80
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the overlapping words: a high bit at any place of any length is seen, by both functions.
    #[test]
    fn every_place_of_every_length() {
        for len in 0..200 {
            let mut bytes = vec![b'a'; len];
            assert!(is_ascii(&bytes) && is_utf8(&bytes));
            for at in 0..len {
                bytes[at] = 0xff;
                assert!(!is_ascii(&bytes) && !is_utf8(&bytes), "{at} of {len}");
                bytes[at] = b'a';
            }
        }
    }

    /// Guards the way from the fast path to the full check.
    #[test]
    fn text_beyond_ascii() {
        for len in 0..100 {
            let text = "a".repeat(len) + "Ä€\u{1F600}" + &"b".repeat(len);
            assert!(is_utf8(text.as_bytes()));
            assert!(!is_utf8(&text.as_bytes()[..len + 1]));
        }
        // A surrogate, an overlong slash, and beyond U+10FFFF.
        for wrong in [&[0xed, 0xa0, 0x80][..], &[0xc0, 0xaf], &[0xf4, 0x90, 0x80, 0x80]] {
            assert!(!is_utf8(wrong));
        }
    }
}
