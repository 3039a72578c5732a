//! A token bucket.

/// Refilled all the time at its rate, full at the beginning. Exact: it counts in billionths of a token.
#[derive(Clone, Debug)]
pub(super) struct TokenBucket {
    rate: u64,
    burst: u128,
    level: u128,
    at: u64,
}

const NANOS: u128 = 1_000_000_000;

impl TokenBucket {
    pub(super) fn new(per_second: u64, burst: u64) -> Self {
        let burst = u128::from(burst) * NANOS;
        TokenBucket { rate: per_second, burst, level: burst, at: 0 }
    }

    /// Takes that many tokens, or none if there are fewer. `now` is in nanoseconds.
    pub(super) fn take(&mut self, tokens: u64, now: u64) -> bool {
        let gained = u128::from(now.saturating_sub(self.at)) * u128::from(self.rate);
        self.at = self.at.max(now);
        self.level = self.level.saturating_add(gained).min(self.burst);
        let wanted = u128::from(tokens) * NANOS;
        let enough = self.level >= wanted;
        if enough {
            self.level -= wanted;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_its_burst_at_once_and_its_rate_for_ever() {
        let mut bucket = TokenBucket::new(10, 20);
        assert!(bucket.take(20, 0));
        assert!(!bucket.take(1, 99_999_999));
        assert!(bucket.take(1, 100_000_000));
        assert!(!bucket.take(1, 100_000_000));
        assert!(!bucket.take(21, u64::MAX), "more than the burst never passes");
        assert!(bucket.take(20, u64::MAX));
    }

    #[test]
    fn time_that_goes_back_gives_nothing() {
        let mut bucket = TokenBucket::new(1, 1);
        assert!(bucket.take(1, 5_000_000_000));
        assert!(!bucket.take(1, 0));
        assert!(!bucket.take(1, 5_500_000_000));
        assert!(bucket.take(1, 6_000_000_000));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let mut bucket = TokenBucket::new(u64::MAX, u64::MAX);
        assert!(bucket.take(u64::MAX, 0));
        assert!(bucket.take(u64::MAX, u64::MAX));
    }
}
