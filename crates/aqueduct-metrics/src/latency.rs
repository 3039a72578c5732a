//! Latencies, counted over hdrhistogram.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::recorder::nanos;

/// The unit in which is counted. hdrhistogram keeps its digits from 2^11 units on; with a unit of 1 us, latencies below 2 ms would be
/// coarser than promised. The finer unit costs ten more buckets, 80 KiB.
const UNIT: Duration = Duration::from_nanos(1);
/// Values above this count as this: an hour.
const HIGHEST: Duration = Duration::from_secs(3600);
/// Decimal digits that a quantile keeps: 3 means an error of at most 0.1 %.
const DIGITS: u8 = 3;

/// A histogram of durations up to 1 h with a relative error of at most 0.1 %, exact to the nanosecond below 2 us.
///
/// For one writer: put one in each thread and [`merge`](LatencyHistogram::merge) them when reading.
///
/// # Allocation
///
/// 264 KiB when made, none afterwards.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_metrics::LatencyHistogram;
///
/// let mut latencies = LatencyHistogram::new();
/// (1..=1000).for_each(|ms| latencies.record(Duration::from_millis(ms)));
/// let p99 = latencies.quantile(0.99).as_secs_f64();
/// assert!((p99 / 0.990 - 1.0).abs() < 0.001);
/// assert_eq!(latencies.max(), Duration::from_secs(1));
/// ```
#[derive(Clone)]
pub struct LatencyHistogram {
    /// In nanoseconds.
    counts: Histogram<u64>,
    total: Duration,
    min: Duration,
    max: Duration,
}

impl LatencyHistogram {
    /// An empty histogram.
    pub fn new() -> Self {
        let counts = Histogram::new_with_bounds(nanos(UNIT), nanos(HIGHEST), DIGITS)
            .expect("1 ns to 1 h with 3 digits are bounds that hdrhistogram takes");
        LatencyHistogram { counts, total: Duration::ZERO, min: Duration::MAX, max: Duration::ZERO }
    }

    /// Counts one latency. Above an hour it counts as an hour in the quantiles, and in full in [`max`](Self::max) and [`mean`](Self::mean).
    pub fn record(&mut self, latency: Duration) {
        self.counts.saturating_record(nanos(latency.min(HIGHEST)));
        self.total = self.total.saturating_add(latency);
        self.min = self.min.min(latency);
        self.max = self.max.max(latency);
    }

    /// Adds all latencies of `other`.
    pub fn merge(&mut self, other: &LatencyHistogram) {
        self.counts.add(&other.counts).expect("all histograms of this type have the same bounds");
        self.total = self.total.saturating_add(other.total);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The latency that the share `q` (0.0 to 1.0) of all latencies does not exceed; zero if there are none.
    pub fn quantile(&self, q: f64) -> Duration {
        if self.is_empty() {
            return Duration::ZERO;
        }
        // A bucket answers with its upper end, which no recorded value may have reached.
        Duration::from_nanos(self.counts.value_at_quantile(q)).clamp(self.min, self.max)
    }

    /// How many latencies are at most `bound`, to the precision of the histogram.
    pub fn count_up_to(&self, bound: Duration) -> u64 {
        if bound >= self.max { self.len() } else { self.counts.count_between(0, nanos(bound.min(HIGHEST))) }
    }

    /// The smallest latency, exactly; zero if there are none.
    pub fn min(&self) -> Duration {
        if self.is_empty() { Duration::ZERO } else { self.min }
    }

    /// The largest latency, exactly; zero if there are none.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The arithmetic mean, exactly; zero if there are none.
    pub fn mean(&self) -> Duration {
        let nanos = self.total.as_nanos().checked_div(u128::from(self.len())).unwrap_or(0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The sum of all latencies, exactly.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// How many latencies were recorded.
    pub fn len(&self) -> u64 {
        self.counts.len()
    }

    /// Whether none was recorded.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.counts.reset();
        self.total = Duration::ZERO;
        self.min = Duration::MAX;
        self.max = Duration::ZERO;
    }
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LatencyHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatencyHistogram")
            .field("len", &self.len())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max)
            .finish()
    }
}
