//! Span ids that look random and stand for a number, and the count of those that have arrived.

use std::collections::BTreeMap;

/// A longer sequence than any run makes. Beyond it an id is not one of ours, and must not make a set of its size.
const MOST: u64 = 1 << 28;
/// Where the producer stands in the number.
const PRODUCER: u32 = 48;

/// Numbers that are random enough and the same for the same seed: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// The next number as a share of 1, below 1.
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// SplitMix64's last step: different numbers come out different.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// What `mix` made this of: each step backwards, by the inverses of the two odd factors.
fn unmix(mut x: u64) -> u64 {
    x = (x ^ (x >> 31) ^ (x >> 62)).wrapping_mul(0x3196_42B2_D24D_8EC3);
    x = (x ^ (x >> 27) ^ (x >> 54)).wrapping_mul(0x96DE_1B17_3F11_9089);
    x ^ (x >> 30) ^ (x >> 60)
}

/// The id of a producer's span with this number. Like a real one it has eight bytes that no codec makes shorter.
///
/// Producers count from 1: zero's span 0 would have the id of zeros, which is none.
#[must_use]
pub fn span_id(producer: u16, sequence: u64) -> [u8; 8] {
    mix(u64::from(producer) << PRODUCER | sequence).to_be_bytes()
}

/// The producer and the number that an id stands for.
#[must_use]
pub fn origin(id: [u8; 8]) -> (u16, u64) {
    let number = unmix(u64::from_be_bytes(id));
    ((number >> PRODUCER) as u16, number & ((1 << PRODUCER) - 1))
}

/// Counts spans by identity: which have come, and which have come before.
#[derive(Clone, Debug, Default)]
pub struct Uniques {
    /// One bit for each number, by producer.
    seen: BTreeMap<u16, Vec<u64>>,
    /// Different spans.
    pub unique: u64,
    /// Spans that had come before.
    pub duplicates: u64,
    /// Spans whose id no producer has made.
    pub foreign: u64,
}

impl Uniques {
    /// Counts a span; says whether it is new.
    pub fn note(&mut self, id: &[u8]) -> bool {
        let Some((producer, sequence)) = id.try_into().ok().map(origin).filter(|(_, number)| *number < MOST)
        else {
            self.foreign += 1;
            return false;
        };
        let seen = self.seen.entry(producer).or_default();
        let (word, bit) = ((sequence / 64) as usize, 1 << (sequence % 64));
        if word >= seen.len() {
            seen.resize(word + 1, 0);
        }
        let new = seen[word] & bit == 0;
        seen[word] |= bit;
        if new {
            self.unique += 1;
        } else {
            self.duplicates += 1;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that an id tells its number, at the ends of both ranges and in between.
    #[test]
    fn ids_are_read_back() {
        let mut random = Random::new(1);
        let some = (0..10_000).map(|_| (random.draw() as u16, random.draw() & ((1 << PRODUCER) - 1)));
        let ends = [(1, 0), (1, 1), (u16::MAX, (1 << PRODUCER) - 1), (0, 1)];
        for (producer, sequence) in some.chain(ends) {
            assert_eq!(origin(span_id(producer, sequence)), (producer, sequence));
        }
        assert_ne!(span_id(1, 0), [0; 8]);
    }

    /// Guards the counts on which every claim of losses and duplicates rests: by identity, per producer, in any order.
    #[test]
    fn spans_are_counted_by_identity() {
        let mut uniques = Uniques::default();
        for sequence in (0..1000).rev() {
            assert!(uniques.note(&span_id(1, sequence)));
        }
        assert!(uniques.note(&span_id(2, 5)), "another producer's span 5 is another span");
        assert!(!uniques.note(&span_id(1, 5)));
        assert!(!uniques.note(&span_id(1, 999)));
        assert_eq!((uniques.unique, uniques.duplicates, uniques.foreign), (1001, 2, 0));
    }

    /// Guards against ids that nobody made: they are told apart, and do not cost memory.
    #[test]
    fn foreign_ids_are_told_apart() {
        let mut uniques = Uniques::default();
        for id in [&[][..], &[1; 7], &[1; 9], &span_id(1, MOST), &span_id(1, u64::MAX >> 16)] {
            assert!(!uniques.note(id));
        }
        assert_eq!((uniques.unique, uniques.duplicates, uniques.foreign), (0, 0, 5));
        assert!(uniques.seen.is_empty());
    }
}
