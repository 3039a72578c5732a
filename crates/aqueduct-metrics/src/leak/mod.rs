//! Memory, or anything else, that only ever grows.

mod report;
mod trend;

use std::time::{Duration, Instant};

pub use report::{LeakReport, Trend, Verdict};
use trend::{Limits, Windows};

const MIB: f64 = 1_048_576.0;

/// Tells a leak from a sawtooth, from warming up, and from noise.
///
/// It is given readings of a size, as resident memory, at whatever pace, and keeps the *smallest* of each window of time: what is left after garbage was
/// collected, caches were swept and batches were sent. A leak is what makes these floors rise steadily: the median of the slopes between any two of
/// them (Theil–Sen) is above a limit, nearly all pairs rise (Kendall's tau), the rise is five times as large as the floors' deviation from a line, and
/// the second half of the time rises at least half as steeply as the first. Growth that fades out is taken for warming up.
/// The same is looked for with two and three windows taken together, for cycles that are longer than one.
///
/// Beside memory it watches how many objects of a pool are out ([`checked_out`](LeakDetector::checked_out)): objects that never come back
/// raise the floor in the same way.
///
/// Sources: H. Theil 1950 and P. K. Sen 1968 for the slope, M. G. Kendall 1938 for the order.
///
/// # Limits
///
/// An answer takes `windows` × `window`, 9 minutes unless told otherwise. A cycle that takes longer than a third of that can look like a
/// leak while it rises, and a leak under a cycle longer than three windows is not seen; give it longer windows. So do leaks that are small beside the noise. What leaks more slowly than the limit is not reported: lower the limit along with longer windows.
///
/// # Allocation
///
/// 16 bytes a window.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_metrics::{LeakDetector, Verdict};
///
/// let start = Instant::now();
/// let mut detector = LeakDetector::new();
/// for second in 0..=600 {
///     let batches = (second % 20) << 20;
///     let leaked = second * (1 << 20) / 60; // 1 MiB a minute
///     detector.observe(start + Duration::from_secs(second), (100 << 20) + batches + leaked);
/// }
/// let report = detector.report();
/// assert_eq!(report.memory.verdict, Verdict::Leaking);
/// assert!(report.is_leak() && report.to_string().contains("leaking"));
/// ```
#[derive(Clone, Debug)]
pub struct LeakDetector {
    memory: Windows,
    checked_out: Windows,
    memory_limits: Limits,
    checked_out_limits: Limits,
}

impl LeakDetector {
    /// Over 18 windows of 30 s; memory leaks from 0.5 MiB a minute on, a pool from one object a minute on.
    pub fn new() -> Self {
        Self::with_windows(Duration::from_secs(30), 18)
    }

    /// As [`new`](Self::new), over so many windows, 12 to 240, of this length, at least 1 ms.
    pub fn with_windows(window: Duration, windows: usize) -> Self {
        let windows = Windows::new(window.max(Duration::from_millis(1)), windows.clamp(12, 240));
        LeakDetector {
            memory: windows.clone(),
            checked_out: windows,
            memory_limits: Limits { per_minute: 0.5 * MIB },
            checked_out_limits: Limits { per_minute: 1.0 },
        }
    }

    /// With this limit for memory, in bytes a minute. What is not positive and finite is ignored.
    #[must_use]
    pub fn with_bytes_per_minute(mut self, limit: f64) -> Self {
        self.memory_limits.set(limit);
        self
    }

    /// With this limit for a pool, in objects a minute. What is not positive and finite is ignored.
    #[must_use]
    pub fn with_objects_per_minute(mut self, limit: f64) -> Self {
        self.checked_out_limits.set(limit);
        self
    }

    /// Takes a reading of memory. Readings of times before the last one count as of that.
    pub fn observe(&mut self, now: Instant, bytes: u64) {
        self.memory.observe(now, bytes);
    }

    /// Takes a reading of how many objects of a pool were taken and how many came back, both since the beginning.
    pub fn checked_out(&mut self, now: Instant, taken: u64, returned: u64) {
        self.checked_out.observe(now, taken.saturating_sub(returned));
    }

    /// What the readings say now. Compares each window with each other: some microseconds.
    pub fn report(&self) -> LeakReport {
        LeakReport {
            memory: self.memory.judge(self.memory_limits),
            checked_out: self.checked_out.judge(self.checked_out_limits),
        }
    }
}

impl Default for LeakDetector {
    fn default() -> Self {
        Self::new()
    }
}
