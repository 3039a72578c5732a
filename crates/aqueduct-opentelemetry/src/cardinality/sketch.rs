//! Which hashes come often, in bounded memory.

use std::collections::HashMap;

/// Counts of hashes: Misra and Gries' frequent items (1982), with the median subtracted when it is full, as Anderson and others do (*A High-Performance Algorithm for Identifying Frequent
/// Items in Data Streams*, 2017), so that a count costs a lookup on average.
///
/// A count is never too high, and too low by no more than all counts divided by half of the capacity.
#[derive(Debug)]
pub(super) struct Sketch {
    counts: HashMap<u64, u64>,
    capacity: usize,
    /// For finding a median.
    scratch: Vec<u64>,
}

impl Sketch {
    /// Takes some 30 bytes for each hash that it may hold, when they come.
    pub(super) fn new(capacity: usize) -> Self {
        Sketch { counts: HashMap::new(), capacity: capacity.max(8), scratch: Vec::new() }
    }

    pub(super) fn count(&mut self, hash: u64) {
        *self.counts.entry(hash).or_default() += 1;
        if self.counts.len() > self.capacity {
            self.purge();
        }
    }

    /// Takes all counts, the highest first.
    pub(super) fn take(&mut self) -> Vec<(u64, u64)> {
        let mut all: Vec<_> = self.counts.drain().collect();
        all.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    fn purge(&mut self) {
        self.scratch.clear();
        self.scratch.extend(self.counts.values());
        let middle = self.scratch.len() / 2;
        let (_, median, _) = self.scratch.select_nth_unstable(middle);
        let median = *median;
        self.counts.retain(|_, count| {
            *count = count.saturating_sub(median);
            *count > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Guards both bounds of the counts, and that of the memory, against an exact count.
        #[test]
        fn counts_are_within_their_bounds(
            capacity in 8_usize..40,
            hashes in prop::collection::vec(prop_oneof![0..8_u64, 0..1_000_u64], 0..3_000),
        ) {
            let mut sketch = Sketch::new(capacity);
            let mut exact = HashMap::<u64, u64>::new();
            for hash in &hashes {
                sketch.count(*hash);
                *exact.entry(*hash).or_default() += 1;
                prop_assert!(sketch.counts.len() <= capacity);
            }
            let missed = hashes.len() as u64 / (capacity as u64 / 2);
            let counts = sketch.take();
            prop_assert!(counts.is_sorted_by_key(|(_, count)| std::cmp::Reverse(*count)));
            let counts: HashMap<u64, u64> = counts.into_iter().collect();
            for (hash, exact) in exact {
                let count = counts.get(&hash).copied().unwrap_or_default();
                prop_assert!(count <= exact && count + missed >= exact, "{hash}: {count} of {exact}");
            }
        }
    }
}
