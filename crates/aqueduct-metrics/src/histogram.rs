//! What a distribution was when it was read: counts in buckets, plain data.

use std::fmt;

use crate::buckets;

/// The values that were recorded, as counts in buckets: what a [`Distribution`](crate::Distribution) is read as.
///
/// Quantiles are within 0.8 % of the exact ones, for all values of `u64`; the smallest and the largest value, the number and the sum are exact
/// in a lifetime snapshot. In the difference of two snapshots, extremes are exact if they were set in between, and within 0.8 % otherwise.
///
/// Values are in the unit in which they were recorded: nanoseconds for durations.
///
/// # Allocation
///
/// 16 bytes for each bucket that is not empty, of 3776.
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::Histogram;
///
/// let latencies: Histogram = (1..=1000_u64).collect();
/// assert_eq!((latencies.count(), latencies.min(), latencies.max()), (1000, 1, 1000));
/// assert_eq!(latencies.mean(), 500.5);
/// assert!((latencies.quantile(0.99) as f64 / 990.0 - 1.0).abs() < 0.01);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Buckets that are not empty, in rising order, with their counts.
    counts: Vec<(u16, u64)>,
    count: u64,
    sum: u128,
    /// Zero if there are no values; otherwise not above `max`.
    min: u64,
    max: u64,
}

impl Histogram {
    /// Without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// From counts for all buckets, and what else was kept of the values. Extremes that cannot be, because they were read while values were being
    /// recorded, are replaced by those of the buckets.
    pub(crate) fn from_counts(counts: &[u64], sum: u128, low: u64, high: u64) -> Self {
        let counts: Vec<_> = counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(index, count)| (index as u16, *count))
            .collect();
        Self::from_sparse(counts, sum, low, high)
    }

    fn from_sparse(counts: Vec<(u16, u64)>, sum: u128, low: u64, high: u64) -> Self {
        let (Some(&(first, _)), Some(&(last, _))) = (counts.first(), counts.last()) else {
            return Self::default();
        };
        let within = |bucket: u16, value: u64| {
            value.clamp(buckets::lowest(bucket.into()), buckets::highest(bucket.into()))
        };
        let (min, max) = (within(first, low), within(last, high));
        let count = counts.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        Histogram { counts, count, sum, min, max: max.max(min) }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The sum of all values, as far as each thread's fitted into 64 bits.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The smallest value; zero if there are none.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The largest value; zero if there are none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The arithmetic mean; zero if there are no values.
    pub fn mean(&self) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        (self.sum as f64 / self.count as f64).clamp(self.min as f64, self.max as f64)
    }

    /// The value that the share `q` (0.0 to 1.0) of all values does not exceed, within 0.8 %; zero if there are none. A `q` outside of the range counts
    /// as its nearer end.
    pub fn quantile(&self, q: f64) -> u64 {
        // Without the factor, rounding would lift 0.07 of 100 values to the 8th. The cast turns what is no number into zero.
        let rank = (q.clamp(0.0, 1.0) * self.count as f64 * (1.0 - 2.0 * f64::EPSILON)).ceil() as u64;
        if rank >= self.count {
            return self.max;
        }
        let mut below = 0;
        for &(bucket, count) in &self.counts {
            below += count;
            if below >= rank.max(1) {
                return buckets::middle(bucket.into()).clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// How many values are at most `bound`, to the precision of the buckets.
    pub fn count_up_to(&self, bound: u64) -> u64 {
        if bound >= self.max {
            return self.count;
        }
        let below = self.counts.iter().take_while(|(bucket, _)| buckets::middle((*bucket).into()) <= bound);
        below.map(|(_, count)| count).sum()
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Histogram) {
        if other.is_empty() {
            return;
        }
        let (low, high) = match self.is_empty() {
            true => (other.min, other.max),
            false => (self.min.min(other.min), self.max.max(other.max)),
        };
        let mut counts = std::mem::take(&mut self.counts);
        counts.extend_from_slice(&other.counts);
        // Two rising runs, which this sort merges.
        counts.sort_by_key(|(bucket, _)| *bucket);
        counts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        *self = Self::from_sparse(counts, self.sum.saturating_add(other.sum), low, high);
    }

    /// The values that came after `earlier`, a reading of the same distribution.
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        let mut before = earlier.counts.iter().peekable();
        let left = self.counts.iter().filter_map(|&(bucket, count)| {
            while before.next_if(|(other, _)| *other < bucket).is_some() {}
            let gone = before.next_if(|(other, _)| *other == bucket).map_or(0, |(_, count)| *count);
            (count > gone).then(|| (bucket, count - gone))
        });
        let left: Vec<_> = left.collect();
        // An extreme that has moved was set since. One that has not may be older: then the outermost bucket has it.
        let low = if earlier.is_empty() || self.min < earlier.min { self.min } else { 0 };
        let high = if earlier.is_empty() || self.max > earlier.max { self.max } else { u64::MAX };
        let mut since = Self::from_sparse(left, self.sum.saturating_sub(earlier.sum), low, high);
        if !since.is_empty() {
            since.min = since.min.clamp(self.min, self.max);
            since.max = since.max.clamp(since.min, self.max);
        }
        since
    }

    /// The middle of each bucket that is not empty, within the extremes, and its count; in rising order.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts
            .iter()
            .map(|&(bucket, count)| (buckets::middle(bucket.into()).clamp(self.min, self.max), count))
    }
}

impl FromIterator<u64> for Histogram {
    fn from_iter<I: IntoIterator<Item = u64>>(values: I) -> Self {
        let mut counts = vec![0_u64; buckets::COUNT];
        let (mut sum, mut low, mut high) = (0_u128, u64::MAX, 0);
        for value in values {
            counts[buckets::index(value)] += 1;
            sum = sum.saturating_add(value.into());
            (low, high) = (low.min(value), high.max(value));
        }
        Self::from_counts(&counts, sum, low, high)
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count)
            .field("min", &self.min)
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max)
            .finish()
    }
}
