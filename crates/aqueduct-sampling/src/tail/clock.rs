//! Time that only goes forward, as a number.

use std::time::{Duration, Instant};

/// Nanoseconds since the first time that it was told. A time before one that it was told already counts as that.
#[derive(Debug, Default)]
pub(super) struct Clock {
    origin: Option<Instant>,
    nanos: u64,
}

impl Clock {
    pub(super) fn advance(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(*self.origin.get_or_insert(now));
        self.nanos = self.nanos.max(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn nanos(&self) -> u64 {
        self.nanos
    }

    /// `None` if it was never told a time, or if this is further away than an [`Instant`] reaches.
    pub(super) fn instant(&self, nanos: u64) -> Option<Instant> {
        self.origin?.checked_add(Duration::from_nanos(nanos))
    }
}
