//! A rate sampler that looks at the clock itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aqueduct_sampling::{ConfigError, Decision, RateConfig, RateHandle, RateSampler, Sampler, TraceFacts};
use rand::Rng;

/// As often as moving the threshold has an effect.
const TICK: Duration = Duration::from_millis(100);

/// Ticks when a trace begins or enters here: children of local spans, the many, cost no look at the clock.
#[derive(Debug)]
pub(super) struct Clocked {
    sampler: RateSampler,
    handle: RateHandle,
    origin: Instant,
    /// When the next tick is due, in nanoseconds since the origin. Written by whoever ticks, read by all; it guards no memory, and two who tick at
    /// once are told apart by the handle, so relaxed access is enough.
    due: AtomicU64,
}

impl Clocked {
    pub(super) fn new(config: &RateConfig) -> Result<Self, ConfigError> {
        let sampler = RateSampler::new(config)?;
        let handle = sampler.handle();
        Ok(Clocked { sampler, handle, origin: Instant::now(), due: AtomicU64::new(0) })
    }

    pub(super) fn handle(&self) -> RateHandle {
        self.handle.clone()
    }

    fn look(&self, now: Instant) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let since = nanos(now.saturating_duration_since(self.origin));
        if since >= self.due.load(Ordering::Relaxed) {
            self.due.store(since.saturating_add(nanos(TICK)), Ordering::Relaxed);
            self.handle.tick(now);
        }
    }
}

impl Sampler for Clocked {
    fn decide(&self, facts: &dyn TraceFacts, random: &mut dyn Rng) -> Decision {
        if facts.parent().is_none_or(|parent| parent.remote) {
            self.look(Instant::now());
        }
        self.sampler.decide(facts, random)
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_sampling::{ItemFacts, Parent, Target};

    use super::*;
    use crate::random::OfThisThread;

    struct Root(u64);

    impl ItemFacts for Root {
        fn trace_id(&self) -> [u8; 16] {
            u128::from(self.0).to_be_bytes()
        }
    }

    impl TraceFacts for Root {
        fn parent(&self) -> Option<Parent> {
            None
        }
    }

    /// Guards against a clock that is looked at and not told on, and against ticks at each look.
    #[test]
    fn the_threshold_moves_after_what_the_clock_says() {
        let clocked = Clocked::new(&RateConfig::new(Target::ItemsPerSecond(100.0))).expect("in range");
        let start = clocked.origin;
        for millisecond in 0..5_000 {
            clocked.look(start + Duration::from_millis(millisecond));
            let due = clocked.due.load(Ordering::Relaxed);
            assert!(due > millisecond * 1_000_000 && due <= (millisecond + 100) * 1_000_000);
            for _ in 0..10 {
                let root = Root(crate::random::with(Rng::next_u64));
                let _ = clocked.sampler.decide(&root, &mut OfThisThread);
            }
        }
        // 10,000 a second are offered.
        assert!((0.009..0.011).contains(&clocked.handle.probability()), "{}", clocked.handle.probability());
    }
}
