//! Time by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that moves only when [`advance`](Self::advance)d. Clones show the same time.
#[derive(Clone, Debug)]
pub struct FakeClock {
    origin: Instant,
    // Written by `advance`, read by `now`; it guards no other memory, so relaxed access is enough.
    nanos: Arc<AtomicU64>,
}

impl FakeClock {
    /// A clock that starts at the present.
    pub fn new() -> Self {
        Self { origin: Instant::now(), nanos: Arc::new(AtomicU64::new(0)) }
    }

    /// The time it shows.
    pub fn now(&self) -> Instant {
        self.origin + self.elapsed()
    }

    /// How far it was advanced.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    /// Moves it forward and returns the new time.
    pub fn advance(&self, by: Duration) -> Instant {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.now()
    }

    /// Moves it forward to a moment; a moment in its past leaves it where it is.
    pub fn advance_to(&self, at: Instant) -> Instant {
        self.advance(at.saturating_duration_since(self.now()))
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}
