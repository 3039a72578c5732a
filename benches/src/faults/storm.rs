//! What a backend's return looks like, second by second.

use super::sink::Second;

/// How a backend that was away was met by those who had waited for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    /// Whole seconds from the return until the first in which 90 % of the capacity were used; all of them if there was none.
    pub seconds_to_recover: f64,
    /// The least share of the capacity that was used in any later second; without recovery the largest of all.
    pub worst_share: f64,
    /// Requests that arrived after the return for each one that was taken. Infinite if none was.
    pub amplification: f64,
}

/// The share of the capacity from which on it counts as used.
const USED: f64 = 0.9;

impl Recovery {
    /// Of the seconds since the return, each whole, with so many requests a second as could be taken.
    #[must_use]
    pub fn of(seconds: &[Second], capacity: f64) -> Recovery {
        let shares: Vec<_> = seconds.iter().map(|second| second.taken as f64 / capacity).collect();
        let recovered = shares.iter().position(|share| *share >= USED);
        let later = &shares[recovered.map_or(0, |place| place + 1)..];
        let least = later.iter().copied().fold(f64::INFINITY, f64::min);
        let most = shares.iter().copied().fold(0.0, f64::max);
        let sum = |count: fn(&Second) -> u64| seconds.iter().map(count).sum::<u64>() as f64;
        Recovery {
            seconds_to_recover: recovered.unwrap_or(shares.len()) as f64,
            worst_share: if least.is_finite() && recovered.is_some() { least } else { most },
            amplification: sum(|second| second.requests) / sum(|second| second.taken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: &[(u64, u64)]) -> Recovery {
        let seconds: Vec<_> =
            seconds.iter().map(|(requests, taken)| Second { requests: *requests, taken: *taken }).collect();
        Recovery::of(&seconds, 100.0)
    }

    /// Guards the verdict: a slow start is no collapse, falling back after it is one.
    #[test]
    fn a_collapse_is_told_from_a_slow_start() {
        let slow = of(&[(0, 0), (10, 10), (110, 100), (120, 99), (110, 95)]);
        assert_eq!((slow.seconds_to_recover, slow.worst_share), (2.0, 0.95));
        assert!((slow.amplification - 350.0 / 304.0).abs() < 1e-9);
        let collapsed = of(&[(100, 100), (900, 30), (100, 100)]);
        assert_eq!((collapsed.seconds_to_recover, collapsed.worst_share), (0.0, 0.3));
        assert!(collapsed.amplification > 4.0);
    }

    /// Guards the verdict without a recovery: it must not pass for one.
    #[test]
    fn nobody_coming_back_is_no_recovery() {
        let never = of(&[(50, 50), (400, 80), (70, 70)]);
        assert_eq!((never.seconds_to_recover, never.worst_share), (3.0, 0.8));
        assert!(of(&[(5, 0)]).amplification.is_infinite());
        assert_eq!(of(&[(5, 0)]).worst_share, 0.0);
        let late = of(&[(5, 5), (95, 95)]);
        assert_eq!((late.seconds_to_recover, late.worst_share), (1.0, 0.95));
    }
}
