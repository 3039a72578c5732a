//! One [`Seen`] per producer.

use super::{ItemId, Seen};
use std::collections::BTreeMap;

/// Sorted inclusive ranges of sequences per producer: the exchange form of a [`Census`].
pub type ProducerRanges = BTreeMap<u32, Vec<(u64, u64)>>;

/// Which items were seen, exactly, for any number of producers.
#[derive(Clone, Debug, Default)]
pub struct Census {
    // Few producers (one per generator thread) and long runs of the same one: a linear list with the last hit remembered beats
    // any map.
    producers: Vec<(u32, Seen)>,
    last: usize,
    duplicates: u64,
}

impl Census {
    /// An empty census.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts an item; `false` if it had been counted before.
    #[inline]
    pub fn insert(&mut self, id: ItemId) -> bool {
        let new = self.seen(id.producer).insert(id.sequence);
        self.duplicates += u64::from(!new);
        new
    }

    /// Counts `count` items of one producer from sequence `first` on and says how many were new.
    pub fn insert_run(&mut self, producer: u32, first: u64, count: u64) -> u64 {
        let new = self.seen(producer).insert_run(first, count);
        self.duplicates += count - new;
        new
    }

    /// Distinct items.
    pub fn len(&self) -> u64 {
        self.producers.iter().map(|(_, seen)| seen.len()).sum()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Items that had been counted before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// The ranges of every producer.
    pub fn ranges(&self) -> ProducerRanges {
        self.producers.iter().map(|(producer, seen)| (*producer, seen.ranges())).collect()
    }

    /// Adds what another census saw; what both saw counts as a duplicate.
    pub fn merge(&mut self, other: &Self) {
        for (producer, seen) in &other.producers {
            for (first, last) in seen.ranges() {
                self.insert_run(*producer, first, last - first + 1);
            }
        }
        self.duplicates += other.duplicates;
    }

    #[inline]
    fn seen(&mut self, producer: u32) -> &mut Seen {
        if self.producers.get(self.last).is_none_or(|(held, _)| *held != producer) {
            self.turn_to(producer);
        }
        &mut self.producers[self.last].1
    }

    #[cold]
    fn turn_to(&mut self, producer: u32) {
        self.last = self.producers.iter().position(|(held, _)| *held == producer).unwrap_or_else(|| {
            self.producers.push((producer, Seen::new()));
            self.producers.len() - 1
        });
    }
}
