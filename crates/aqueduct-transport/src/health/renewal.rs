//! When a watch that has ended begins again. No I/O.

use std::time::Duration;

use crate::retry::{Backoff, RetryPolicy};

/// How a watch was when it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// Whether the server said anything.
    pub(super) heard: bool,
    /// Whether it was we who ended it, because of its silence.
    pub(super) silent: bool,
    pub(super) lasted: Duration,
}

/// A row of watches.
///
/// One that has told something and lasted for longer than the first delay is begun again at once, and its end is no
/// news: servers end streams that have become old, and close connections, without being ill. Every other one is a failure;
/// the delays after a row of them grow.
#[derive(Debug)]
pub(super) struct Renewal {
    backoff: Backoff,
}

impl Renewal {
    pub(super) const fn new(policy: RetryPolicy) -> Self {
        Self { backoff: Backoff::new(policy) }
    }

    /// How long to wait before the next watch; none if at once. `random` is from 0 to 1.
    pub(super) fn ended(&mut self, life: Life, random: f64) -> Option<Duration> {
        if life.silent || (life.heard && life.lasted >= self.backoff.policy().initial) {
            self.backoff.succeeded();
            return None;
        }
        Some(self.backoff.failed(None, random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Jitter;

    const FIRST: Duration = Duration::from_secs(1);

    fn renewal() -> Renewal {
        Renewal::new(RetryPolicy { initial: FIRST, jitter: Jitter::None, ..RetryPolicy::default() })
    }

    /// Guards against a storm of watches at a server that ends each at once, whether it says something first or not.
    #[test]
    fn short_lives_are_failures() {
        for heard in [false, true] {
            let mut renewal = renewal();
            let life = Life { heard, silent: false, lasted: FIRST / 2 };
            let waits: Vec<_> = (0..4).map(|_| renewal.ended(life, 0.5)).collect();
            assert_eq!(waits, [1, 2, 4, 8].map(|n| Some(FIRST * n)));
        }
    }

    /// Guards a server that does not answer: it is a failure however long that took.
    #[test]
    fn a_long_wait_is_no_life() {
        let life = Life { heard: false, silent: false, lasted: FIRST * 100 };
        assert_eq!(renewal().ended(life, 0.5), Some(FIRST));
    }

    /// Guards against news of an illness where there is none: streams that have served end, silent ones are renewed.
    #[test]
    fn full_lives_go_on_at_once() {
        let mut renewal = renewal();
        let failure = Life { heard: false, silent: false, lasted: FIRST };
        for life in [
            Life { heard: true, silent: false, lasted: FIRST },
            Life { heard: true, silent: true, lasted: Duration::ZERO },
        ] {
            assert_eq!(renewal.ended(failure, 0.5), Some(FIRST));
            assert_eq!(renewal.ended(failure, 0.5), Some(FIRST * 2));
            // And the next failure is the first again.
            assert_eq!(renewal.ended(life, 0.5), None);
        }
    }
}
