//! The knobs of `Lanes`.

use std::fmt;
use std::sync::Arc;

use super::{Consumer, Lanes, shared::Shared};

/// What to call when an armed consumer has to be woken.
pub(super) type Notify = Arc<dyn Fn() + Send + Sync>;

/// How a [`Lanes`] is made. The default is right for production.
///
/// # Examples
/// ```
/// use aqueduct_lockfree::LanesConfig;
///
/// let (lanes, consumer) = LanesConfig::default().with_capacity(4096).with_threshold(512).build::<u64>()?;
/// assert_eq!((lanes.capacity(), consumer.threshold()), (4096, 512));
/// # Ok::<(), aqueduct_lockfree::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct LanesConfig {
    capacity: usize,
    threshold: Option<usize>,
    segment: Option<usize>,
    notify: Option<Notify>,
}

/// A configuration that was checked, with every default filled in.
pub(super) struct Resolved {
    pub(super) capacity: usize,
    pub(super) threshold: usize,
    pub(super) segment: Option<usize>,
    pub(super) notify: Option<Notify>,
}

impl LanesConfig {
    /// The largest capacity: a quarter of what a signed 32-bit number holds. More is not a queue but a leak.
    pub const MAX_CAPACITY: usize = 1 << 29;

    /// For how many items there is room, over all producers; 1 to [`MAX_CAPACITY`](Self::MAX_CAPACITY), by default 2,048. Nothing is
    /// allocated for it in advance.
    #[must_use]
    pub fn with_capacity(mut self, items: usize) -> Self {
        self.capacity = items;
        self
    }

    /// How many waiting items wake a sleeping consumer; 1 to the capacity, by default half of the capacity.
    ///
    /// Producers look at it only when they take credit, and they take at most half of it in advance, shared among them. So the consumer is woken
    /// when between half of the threshold and the threshold waits. A low threshold makes grants small and wakes frequent: a wake costs
    /// as much as some thousand pushes.
    #[must_use]
    pub fn with_threshold(mut self, items: usize) -> Self {
        self.threshold = Some(items);
        self
    }

    /// For how many items a new lane has room before it grows, rounded up to a power of two; at least 1, by default as many as fit into
    /// 4 KiB, but 16 to 256. A lane grows in steps of two up to the capacity, by an allocation on the push that needs it.
    #[must_use]
    pub fn with_segment(mut self, items: usize) -> Self {
        self.segment = Some(items);
        self
    }

    /// What to call when an armed consumer is to be woken: see [`Consumer::arm`]. Called at most once for each arming, on the thread of the
    /// producer that passed the threshold (or that closed or nudged the queue), which waits for it: it should only wake something. It must not panic.
    #[must_use]
    pub fn with_notifier(mut self, notify: impl Fn() + Send + Sync + 'static) -> Self {
        self.notify = Some(Arc::new(notify));
        self
    }

    /// Makes the queue.
    ///
    /// # Errors
    /// A value is out of its range.
    pub fn build<T>(self) -> Result<(Lanes<T>, Consumer<T>), ConfigError> {
        Ok(Lanes::from_shared(Shared::new(self.resolved()?)))
    }

    pub(super) fn resolved(self) -> Result<Resolved, ConfigError> {
        let LanesConfig { capacity, threshold, segment, notify } = self;
        let threshold = threshold.unwrap_or(capacity.div_ceil(2));
        if capacity == 0 || capacity > LanesConfig::MAX_CAPACITY {
            return Err(ConfigError::Capacity);
        }
        if threshold == 0 || threshold > capacity {
            return Err(ConfigError::Threshold);
        }
        if segment == Some(0) {
            return Err(ConfigError::Segment);
        }
        Ok(Resolved { capacity, threshold, segment, notify })
    }
}

impl Default for LanesConfig {
    fn default() -> Self {
        LanesConfig { capacity: 2048, threshold: None, segment: None, notify: None }
    }
}

impl fmt::Debug for LanesConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LanesConfig")
            .field("capacity", &self.capacity)
            .field("threshold", &self.threshold)
            .field("segment", &self.segment)
            .field("notify", &self.notify.is_some())
            .finish()
    }
}

/// A [`LanesConfig`] has a value out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The capacity is zero or above [`LanesConfig::MAX_CAPACITY`].
    Capacity,
    /// The threshold is zero or above the capacity.
    Threshold,
    /// The segment is zero.
    Segment,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConfigError::Capacity => "the capacity is zero or too large",
            ConfigError::Threshold => "the threshold is zero or above the capacity",
            ConfigError::Segment => "the segment is zero",
        })
    }
}

impl std::error::Error for ConfigError {}
