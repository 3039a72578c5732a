//! What only rises, and what goes up and down.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use aqueduct_lockfree::{CachePadded, ShardedCounter};

/// A count that only rises. Clones count into the same; each thread has a cell of its own.
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::Counter;
///
/// let spans = Counter::new();
/// spans.add(3);
/// spans.clone().inc();
/// assert_eq!(spans.read(), 4);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Counter {
    cells: Arc<ShardedCounter>,
}

impl Counter {
    /// At zero, and of no recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.cells.inc();
    }

    /// Adds.
    #[inline]
    pub fn add(&self, count: u64) {
        self.cells.add(count);
    }

    /// Everything added so far, modulo 2^64.
    pub fn read(&self) -> u64 {
        self.cells.sum()
    }
}

/// A number that goes up and down: either set by one who knows it, or moved by many who know what they change. Clones are the same gauge.
///
/// Setting is one store into a line that all clones share. Moving is an addition to a cell of the thread's own. The reading is the last value set plus all
/// movements ever, so a gauge is best used in one of the two ways.
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::Gauge;
///
/// let open = Gauge::new();
/// open.add(3);
/// open.add(-1);
/// assert_eq!(open.read(), 2.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    /// The bits of the last value set.
    set: Arc<CachePadded<AtomicU64>>,
    /// Movements, as two's complement.
    moved: Arc<ShardedCounter>,
}

impl Gauge {
    /// At zero, and of no recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value. What is no number counts as zero.
    #[inline]
    pub fn set(&self, value: f64) {
        let value = if value.is_nan() { 0.0 } else { value };
        // Relaxed: nothing is read through it.
        self.set.store(value.to_bits(), Relaxed);
    }

    /// Moves the value.
    #[inline]
    pub fn add(&self, by: i64) {
        self.moved.add(by.cast_unsigned());
    }

    /// The value now.
    pub fn read(&self) -> f64 {
        f64::from_bits(self.set.load(Relaxed)) + self.moved.sum().cast_signed() as f64
    }
}
