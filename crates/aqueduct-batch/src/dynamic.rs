//! A batch size that follows the latency of the batches.
//!
//! # The rule
//!
//! Every 10 observations the 95th percentile (nearest rank) of the window is compared with the target: above it the size shrinks by a tenth,
//! below half of it the size grows by a tenth, at least by 1 either way. In between it stays.
//!
//! # Why it settles
//!
//! - *The window is emptied by each change.* Otherwise the percentile still speaks of sizes that are gone: after one observation too
//!   many a window of 100 would shrink the size ten times over, far below where it was right.
//! - *The band is a factor of 2 wide, a step a tenth.* Where latency grows in proportion to the size, no step leads from below the band to above
//!   it, not even that from 1 to 2.
//! - *A turn needs twice as many observations as a further step the same way.* Of 10 observations the percentile is the largest, so that one
//!   outlier would do; of 20 it is the second largest.
//! - *A size that was stepped down to is not left upwards* for 1,000 observations. A latency that jumps over the whole band at some size
//!   would otherwise be crossed back and forth for ever; so it is tried once in a while, in case the destination has changed.

use std::time::Duration;

use crate::ConfigError;

/// Observations that the percentile is taken of, at most.
const WINDOW: usize = 100;
/// Observations between two looks at the percentile.
const STEP: usize = 10;
/// How long a size that was stepped down to is not exceeded, in observations: ten windows.
const MEMORY: u64 = 1_000;

/// Which way the size went last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Adapts a batch size so that the 95th percentile of the batches' latency stays between half a target and the target.
///
/// Pure: latencies go in, sizes come out, no clock. In a [`BatchProcessor`](crate::BatchProcessor) it moves `max_items`
/// ([`ProcessorBuilder::with_dynamic`](crate::ProcessorBuilder::with_dynamic)).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_batch::DynamicBatch;
///
/// let mut dynamic = DynamicBatch::new(Duration::from_millis(100), 1, 10_000)?;
/// // A destination that takes 100 us an item: 500 to 1,000 items are half the target to the target.
/// for _ in 0..2_000 {
///     let latency = Duration::from_micros(100) * dynamic.size() as u32;
///     dynamic.observe(latency);
/// }
/// assert!((500..=1_000).contains(&dynamic.size()));
/// # Ok::<(), aqueduct_batch::ConfigError>(())
/// ```
#[doc(alias = "DynamicBatchOptimizer")]
#[derive(Clone, Debug)]
pub struct DynamicBatch {
    target: Duration,
    min: u64,
    max: u64,
    size: u64,
    /// Latencies at the present size: the last `WINDOW` of them, `next` is where the next one goes.
    window: Vec<Duration>,
    next: usize,
    /// Observations since the last change of the size.
    since: usize,
    /// Observations in all.
    seen: u64,
    /// A size that never changed counts as growing: one outlier at the start must not turn it either.
    last: Way,
    /// The size that was stepped down to last, and until which observation it is not exceeded.
    ceiling: Option<(u64, u64)>,
}

impl DynamicBatch {
    /// A size between `min` and `max`, which it begins with at `min`.
    ///
    /// # Errors
    ///
    /// The target is zero, `min` is zero, or `max` is less than `min`.
    pub fn new(target: Duration, min: u64, max: u64) -> Result<Self, ConfigError> {
        if target.is_zero() {
            return Err(ConfigError::ZeroTarget);
        }
        if min == 0 || max < min {
            return Err(ConfigError::DynamicBounds { min, max });
        }
        Ok(DynamicBatch {
            target,
            min,
            max,
            size: min,
            window: Vec::with_capacity(WINDOW),
            next: 0,
            since: 0,
            seen: 0,
            last: Way::Up,
            ceiling: None,
        })
    }

    /// The same beginning at another size, which the bounds hold for.
    #[must_use]
    pub fn starting_at(mut self, size: u64) -> Self {
        self.size = size.clamp(self.min, self.max);
        self
    }

    /// Takes note of how long a batch of the present size took, and returns the new size if that changes it.
    ///
    /// A batch that was sealed before it reached the size tells little: leave it out, unless it was too slow all the same.
    pub fn observe(&mut self, latency: Duration) -> Option<u64> {
        if self.window.len() < WINDOW {
            self.window.push(latency);
        } else {
            self.window[self.next] = latency;
        }
        self.next = (self.next + 1) % WINDOW;
        self.since += 1;
        self.seen = self.seen.saturating_add(1);
        if !self.since.is_multiple_of(STEP) {
            return None;
        }
        let way = self.way(self.p95())?;
        if self.last != way && self.since < 2 * STEP {
            return None;
        }
        let size = self.next_size(way);
        (size != self.size).then(|| {
            self.size = size;
            self.last = way;
            self.window.clear();
            self.next = 0;
            self.since = 0;
            size
        })
    }

    /// The present size.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The latency that the 95th percentile is kept below.
    pub fn target(&self) -> Duration {
        self.target
    }

    /// The bounds of the size, both included.
    pub fn bounds(&self) -> (u64, u64) {
        (self.min, self.max)
    }

    /// Nearest rank: the smallest latency that 95 of 100 do not exceed. The window is not empty.
    fn p95(&self) -> Duration {
        let mut sorted = self.window.clone();
        let rank = (sorted.len() * 95).div_ceil(100);
        *sorted.select_nth_unstable(rank - 1).1
    }

    fn way(&self, p95: Duration) -> Option<Way> {
        if p95 > self.target {
            Some(Way::Down)
        } else if p95 < self.target / 2 {
            Some(Way::Up)
        } else {
            None
        }
    }

    fn next_size(&mut self, way: Way) -> u64 {
        // A tenth of a small size is nothing: the step is at least 1, or a size of 1 would stay 1 for ever.
        let step = (self.size / 10).max(1);
        match way {
            Way::Down => {
                let size = self.size.saturating_sub(step).max(self.min);
                self.ceiling = Some((size, self.seen.saturating_add(MEMORY)));
                size
            }
            Way::Up => {
                let ceiling = match self.ceiling {
                    Some((size, until)) if self.seen < until => size,
                    _ => self.max,
                };
                self.size.saturating_add(step).min(ceiling)
            }
        }
    }
}
