//! Calls and failures of the last while.

use std::time::{Duration, Instant};

/// In how many parts the window slides.
const SLOTS: usize = 10;

/// Counts of a time that slides by a tenth of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    slots: [Slot; SLOTS],
    /// The slot that is counted in, and when it began.
    current: usize,
    began: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    calls: u32,
    failures: u32,
}

impl Window {
    pub(super) fn count(&mut self, now: Instant, length: Duration, failed: bool) {
        self.slide(now, length);
        let slot = &mut self.slots[self.current];
        slot.calls = slot.calls.saturating_add(1);
        slot.failures = slot.failures.saturating_add(u32::from(failed));
    }

    /// Whether at least this share of at least so many calls failed, as of the last count.
    pub(super) fn exceeds(&self, ratio: f64, min_calls: u32) -> bool {
        let sum = |of: fn(&Slot) -> u32| self.slots.iter().map(|slot| u64::from(of(slot))).sum::<u64>();
        let (calls, failures) = (sum(|slot| slot.calls), sum(|slot| slot.failures));
        calls > 0 && calls >= min_calls.into() && failures as f64 >= ratio * calls as f64
    }

    fn slide(&mut self, now: Instant, length: Duration) {
        let began = *self.began.get_or_insert(now);
        let slot = (length / SLOTS as u32).max(Duration::from_nanos(1));
        let passed = now.saturating_duration_since(began).as_nanos() / slot.as_nanos();
        let Ok(passed @ ..SLOTS) = usize::try_from(passed) else {
            *self = Self { began: Some(now), ..Self::default() };
            return;
        };
        for _ in 0..passed {
            self.current = (self.current + 1) % SLOTS;
            self.slots[self.current] = Slot::default();
        }
        self.began = Some(began + slot * passed as u32);
    }
}
