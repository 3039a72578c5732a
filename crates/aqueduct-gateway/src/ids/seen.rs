//! An exact set of sequence numbers that stays small when they arrive nearly in order.

use std::collections::BTreeMap;

/// Sequences per page. 4096 bits are 512 bytes: eight cache lines, filled by 4096 one-span requests or eight of 512 spans.
const PAGE: u64 = 4096;
const WORDS: usize = (PAGE / 64) as usize;

/// A page that has holes.
#[derive(Clone)]
struct Bits {
    words: [u64; WORDS],
    set: u32,
}

impl Bits {
    fn empty() -> Box<Self> {
        Box::new(Self { words: [0; WORDS], set: 0 })
    }

    fn full() -> Box<Self> {
        Box::new(Self { words: [u64::MAX; WORDS], set: PAGE as u32 })
    }

    /// Sets the bits `from..to` and says how many of them were clear.
    fn set(&mut self, from: u64, to: u64) -> u64 {
        let mut added = 0;
        let mut at = from;
        while at < to {
            let word = &mut self.words[(at / 64) as usize];
            let end = (at / 64 + 1) * 64;
            let width = end.min(to) - at;
            let mask = (u64::MAX >> (64 - width)) << (at % 64);
            added += u64::from((mask & !*word).count_ones());
            *word |= mask;
            at += width;
        }
        self.set += added as u32;
        added
    }
}

/// A page that is not being written to right now.
#[derive(Clone)]
enum Page {
    Full,
    Partial(Box<Bits>),
}

/// An exact set of `u64` sequences.
///
/// Pages of 4096 bits; a page that is full keeps no bits. The page last written to is held outside the map, so that the usual
/// insertion is one comparison and one bit.
///
/// # Allocation
///
/// One page for each 4096 consecutive sequences begun; a full page shrinks to a map entry of a few bytes.
#[derive(Clone, Default)]
pub struct Seen {
    pages: BTreeMap<u64, Page>,
    current: Option<(u64, Box<Bits>)>,
    len: u64,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").field("len", &self.len).field("ranges", &self.ranges().len()).finish()
    }
}

impl Seen {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sequence; `false` if it was there already.
    #[inline]
    pub fn insert(&mut self, sequence: u64) -> bool {
        let bits = self.page(sequence / PAGE);
        let at = sequence % PAGE;
        let word = &mut bits.words[(at / 64) as usize];
        let mask = 1 << (at % 64);
        let new = *word & mask == 0;
        *word |= mask;
        bits.set += u32::from(new);
        self.len += u64::from(new);
        new
    }

    /// Adds `count` sequences from `first` on and says how many of them were new.
    pub fn insert_run(&mut self, first: u64, count: u64) -> u64 {
        let end = first.saturating_add(count);
        let mut at = first;
        let mut added = 0;
        while at < end {
            let index = at / PAGE;
            let stop = end.min((index + 1).saturating_mul(PAGE));
            added += self.page(index).set(at % PAGE, at % PAGE + (stop - at));
            at = stop;
        }
        self.len += added;
        added
    }

    /// How many distinct sequences were added.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The set as sorted inclusive ranges that neither touch nor overlap.
    pub fn ranges(&self) -> Vec<(u64, u64)> {
        let mut out: Vec<(u64, u64)> = Vec::new();
        let mut current = self.current.as_ref();
        for (&index, page) in &self.pages {
            if let Some((held, bits)) = current
                && *held < index
            {
                append_bits(&mut out, *held, bits);
                current = None;
            }
            match page {
                Page::Full => append(&mut out, index * PAGE, index * PAGE + (PAGE - 1)),
                Page::Partial(bits) => append_bits(&mut out, index, bits),
            }
        }
        if let Some((held, bits)) = current {
            append_bits(&mut out, *held, bits);
        }
        out
    }

    /// What this set holds and `other` does not, as sorted inclusive ranges.
    pub fn difference(&self, other: &Self) -> Vec<(u64, u64)> {
        super::subtract(&self.ranges(), &other.ranges())
    }

    /// The bits of a page, made current.
    #[inline]
    fn page(&mut self, index: u64) -> &mut Bits {
        if self.current.as_ref().is_none_or(|(held, _)| *held != index) {
            self.turn_to(index);
        }
        let (_, bits) = self.current.as_mut().expect("turn_to leaves a current page");
        bits
    }

    #[cold]
    fn turn_to(&mut self, index: u64) {
        let wanted = match self.pages.remove(&index) {
            Some(Page::Full) => Bits::full(),
            Some(Page::Partial(bits)) => bits,
            None => Bits::empty(),
        };
        if let Some((held, bits)) = self.current.replace((index, wanted)) {
            let page = if u64::from(bits.set) == PAGE { Page::Full } else { Page::Partial(bits) };
            self.pages.insert(held, page);
        }
    }
}

fn append(out: &mut Vec<(u64, u64)>, first: u64, last: u64) {
    match out.last_mut() {
        Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
        _ => out.push((first, last)),
    }
}

fn append_bits(out: &mut Vec<(u64, u64)>, index: u64, bits: &Bits) {
    for (number, &word) in bits.words.iter().enumerate() {
        let base = index * PAGE + number as u64 * 64;
        let mut rest = word;
        while rest != 0 {
            let from = rest.trailing_zeros();
            let run = (rest >> from).trailing_ones();
            append(out, base + u64::from(from), base + u64::from(from + run - 1));
            // A run that reaches bit 63 would shift by 64.
            rest = if from + run == 64 { 0 } else { rest & (u64::MAX << (from + run)) };
        }
    }
}
