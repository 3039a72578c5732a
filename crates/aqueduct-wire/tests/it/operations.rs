//! What the tests of splitting, filtering, folding and grouping start from.

use crate::generate::Generator;
use crate::odd::odd;
use aqueduct_wire::{Chunk, Signal};
use proptest::prelude::*;

/// As many cases as `PROPTEST_CASES` says, 256 by default; nothing is written to disk.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

pub(crate) fn signals() -> impl Strategy<Value = Signal> {
    prop::sample::select(&Signal::ALL[..])
}

/// A valid request with so many items.
pub(crate) fn request(signal: Signal, seed: u64, items: usize) -> Chunk {
    aqueduct_testkit::Generator::new(seed).chunk(signal, items)
}

/// A number that depends on every byte of an item.
pub(crate) fn hash(item: &[u8]) -> u64 {
    item.iter().fold(7_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)) >> 20
}

/// One in so many items, by what they are.
pub(crate) fn chosen(item: &[u8], one_in: u64) -> bool {
    hash(item).is_multiple_of(one_in)
}

/// Requests in which bytes were flipped, cut out and inserted, given as valid with a wrong count.
pub(crate) fn mutants(signal: Signal, seed: u64) -> Vec<Chunk> {
    let mut generator = Generator(seed);
    let plain = request(signal, seed, 5).into_bytes();
    let odd = odd(signal, &plain, seed);
    let mut mutants = Vec::new();
    for valid in [&plain[..], &odd] {
        for _ in 0..8 {
            let mut bytes = valid.to_vec();
            for _ in 0..=generator.below(3) {
                // The envelopes are at the start; most of the rest is attributes.
                let near = if generator.below(2) == 0 { 40 } else { u64::MAX };
                let at = generator.below((bytes.len() as u64 + 1).min(near)) as usize;
                match generator.below(5) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, generator.next() as u8),
                    2 if at < bytes.len() => drop(bytes.remove(at)),
                    3 if at < bytes.len() => bytes[at] ^= 1 << generator.below(8),
                    _ if at < bytes.len() => bytes[at] = generator.next() as u8,
                    _ => {}
                }
            }
            mutants.push(Chunk::from_valid(signal, generator.below(9), bytes.into()));
        }
    }
    mutants
}

/// A field with its content, of any length.
pub(crate) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut len = content.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(content);
    out
}
