//! How full a queue is: two watermarks that are crossed, not reported at each item.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::ConfigError;

/// A watermark was crossed.
///
/// Complete: a queue fills or drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The queue has reached its high watermark. The next edge is [`Edge::Low`].
    High,
    /// The queue has come down to its low watermark. The next edge is [`Edge::High`].
    Low,
}

/// At which share of a capacity a queue counts as filling up, and at which as drained again, in percent.
///
/// The distance between them is what keeps a queue that hovers at one level from reporting at each item.
///
/// # Examples
///
/// ```
/// use aqueduct_batch::Watermarks;
///
/// assert_eq!(Watermarks::default(), Watermarks { high: 80, low: 60 });
/// assert!(Watermarks { high: 50, low: 50 }.validate().is_err());
/// ```
///
/// Complete: a watermark is a share and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// Percent of the capacity from which on the queue is high, 1 to 100. Default 80.
    pub high: u8,
    /// Percent of the capacity down to which the queue stays high, less than `high`. Default 60.
    pub low: u8,
}

impl Default for Watermarks {
    fn default() -> Self {
        Watermarks { high: 80, low: 60 }
    }
}

impl Watermarks {
    /// Checks that they mean something.
    ///
    /// # Errors
    ///
    /// `high` is above 100, or `low` is not below `high`.
    pub fn validate(self) -> Result<(), ConfigError> {
        if self.high > 100 || self.low >= self.high {
            return Err(ConfigError::Watermarks { high: self.high, low: self.low });
        }
        Ok(())
    }
}

/// Watches the length of a queue and tells when it crosses a watermark: once when it gets high, once when it is low again.
///
/// It looks at nothing by itself: whoever changes the queue tells the new length, from any thread. The unit is the caller's, items or bytes.
///
/// # Examples
///
/// ```
/// use aqueduct_batch::{Edge, QueueMonitor};
///
/// let monitor = QueueMonitor::new(100);
/// assert_eq!(monitor.observe(79), None);
/// assert_eq!(monitor.observe(80), Some(Edge::High));
/// assert_eq!(monitor.observe(100), None);
/// assert_eq!(monitor.observe(61), None);
/// assert_eq!(monitor.observe(60), Some(Edge::Low));
/// assert_eq!((monitor.peak(), monitor.utilisation()), (100, 0.6));
/// ```
///
/// # Progress
///
/// Wait-free: a store, a load, and a read-modify-write at a new peak or a crossing. When several threads tell lengths at the same time, each
/// crossing is still told to exactly one of them, and edges alternate; which length was the last is for the caller to order.
#[derive(Debug)]
pub struct QueueMonitor {
    capacity: u64,
    high: u64,
    low: u64,
    /// Written by `observe`, read for reports. It guards nothing.
    len: AtomicU64,
    /// The largest length; only ever raised.
    peak: AtomicU64,
    /// Which edge was the last. Whoever changes it, and nobody else, has the edge.
    is_high: AtomicBool,
}

impl QueueMonitor {
    /// A monitor of an empty queue, with the watermarks at 80 and 60 percent. A capacity of zero is never high.
    pub fn new(capacity: u64) -> Self {
        QueueMonitor::at(capacity, Watermarks::default())
    }

    /// A monitor of an empty queue with these watermarks.
    ///
    /// # Errors
    ///
    /// Those of [`Watermarks::validate`].
    pub fn with_watermarks(capacity: u64, watermarks: Watermarks) -> Result<Self, ConfigError> {
        watermarks.validate()?;
        Ok(QueueMonitor::at(capacity, watermarks))
    }

    /// `watermarks` are known to be valid.
    pub(crate) fn at(capacity: u64, watermarks: Watermarks) -> Self {
        let share = |percent: u8| u128::from(capacity) * u128::from(percent);
        let whole = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
        QueueMonitor {
            capacity,
            // Rounded away from each other, so that one item more or less does not cross both.
            high: whole(share(watermarks.high).div_ceil(100)).max(1),
            low: whole(share(watermarks.low) / 100),
            len: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            is_high: AtomicBool::new(false),
        }
    }

    /// Takes note of a new length, and returns the watermark that it crosses, if any.
    pub fn observe(&self, len: u64) -> Option<Edge> {
        // Relaxed throughout: the flag is changed by one swap that one thread wins, and no other memory depends on any of the three.
        self.len.store(len, Ordering::Relaxed);
        if len > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(len, Ordering::Relaxed);
        }
        let was_high = self.is_high.load(Ordering::Relaxed);
        let (is_high, edge) = match was_high {
            false if len >= self.high => (true, Edge::High),
            true if len <= self.low => (false, Edge::Low),
            _ => return None,
        };
        (self.is_high.swap(is_high, Ordering::Relaxed) == was_high).then_some(edge)
    }

    /// Whether the last edge was [`Edge::High`].
    pub fn is_high(&self) -> bool {
        self.is_high.load(Ordering::Relaxed)
    }

    /// The length told last.
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether the length told last is zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The largest length that was told.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// The capacity that the watermarks are shares of.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The length told last as a share of the capacity: 0 is empty, 1 is full, more is over it. 0 if the capacity is zero.
    pub fn utilisation(&self) -> f64 {
        if self.capacity == 0 { 0.0 } else { self.len() as f64 / self.capacity as f64 }
    }
}
