//! Numbers that are random enough and the same for the same seed on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in `n`.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Between `from` and `to` of them, both included.
    pub(crate) fn some<T>(&mut self, from: u64, to: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = from + self.below(to - from + 1);
        (0..count).map(|_| make(self)).collect()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// A finite number of any magnitude.
    pub(crate) fn double(&mut self) -> f64 {
        (self.next() as i64 as f64) / [1.0, 1e3, 1e9, 1e18][self.below(4) as usize]
    }

    /// Text of any kind: empty, plain, with characters of every UTF-8 length, with what JSON escapes.
    pub(crate) fn text(&mut self) -> String {
        const LETTERS: [char; 16] =
            ['a', 'b', 'Z', '0', '.', '_', ' ', '"', '\\', '\n', '\u{1}', 'é', 'ß', '漢', '€', '🚰'];
        let len = match self.below(8) {
            0 => 0,
            1 => 130 + self.below(200),
            _ => 1 + self.below(24),
        };
        (0..len).map(|_| LETTERS[self.below(LETTERS.len() as u64) as usize]).collect()
    }
}
