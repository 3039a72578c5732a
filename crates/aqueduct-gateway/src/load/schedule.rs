//! When requests are meant to be sent.
//!
//! In an open loop the schedule is arithmetic: request `k` of a run is due at `start + k / rate`, whether or not the ones before
//! it were answered. Latency counts from that moment, so a stall of the target shows up in every request that should have been
//! sent during it ("coordinated omission", Tene 2013), and a backlog needs no memory.

use std::time::{Duration, Instant};

/// The share of an open-loop schedule that one connection has: every `stride`-th request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    start: Instant,
    /// Seconds between two requests of the whole run.
    interval: f64,
    next: u64,
    stride: u64,
}

impl Schedule {
    /// The schedule of connection `index` out of `connections`, for `rate` requests a second over all of them.
    pub(crate) fn new(start: Instant, rate: f64, index: u64, connections: u64) -> Self {
        Self { start, interval: 1.0 / rate, next: index, stride: connections }
    }

    /// When the next request is due.
    pub(crate) fn due(&self) -> Instant {
        self.start + Duration::from_secs_f64(self.next as f64 * self.interval)
    }

    /// Moves on to the request after.
    pub(crate) fn advance(&mut self) {
        self.next += self.stride;
    }

    /// How many requests are due before `now` and were not taken.
    pub(crate) fn backlog(&self, now: Instant) -> u64 {
        let due = (now.saturating_duration_since(self.start).as_secs_f64() / self.interval).ceil() as u64;
        due.saturating_sub(self.next).div_ceil(self.stride)
    }
}

/// Exponential back-off with jitter: the specification asks for both and leaves the numbers open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The first pause.
    pub(crate) initial: Duration,
    /// The longest.
    pub(crate) cap: Duration,
}

impl Backoff {
    /// The pause after failure number `failures` (from 1): doubled each time, at least what the server asked for, then spread
    /// over 50 % to 100 % (or 100 % to 120 % of the server's wish, which must not be undercut).
    pub(crate) fn pause(&self, failures: u32, asked: Option<Duration>, unit_random: f64) -> Duration {
        let doubled = self.initial.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.cap);
        let own = doubled.mul_f64(0.5 + 0.5 * unit_random);
        match asked {
            Some(asked) => own.max(asked.mul_f64(1.0 + 0.2 * unit_random)),
            None => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the open loop: requests are due by the clock, interleaved over the connections, never by answers.
    #[test]
    fn requests_are_due_by_the_clock() {
        let start = Instant::now();
        let mut second = Schedule::new(start, 1000.0, 1, 4);
        assert_eq!(second.due(), start + Duration::from_millis(1));
        second.advance();
        assert_eq!(second.due(), start + Duration::from_millis(5));
        assert_eq!(second.backlog(start), 0);
        // Requests 5, 9, 13 and 17 of the run are due within 18 ms.
        assert_eq!(second.backlog(start + Duration::from_millis(18)), 4);
    }

    /// Guards the specification's rule that a server's delay is a lower bound, and the cap.
    #[test]
    fn pauses_grow_and_respect_the_server() {
        let backoff = Backoff { initial: Duration::from_millis(100), cap: Duration::from_secs(1) };
        assert_eq!(backoff.pause(1, None, 1.0), Duration::from_millis(100));
        assert_eq!(backoff.pause(1, None, 0.0), Duration::from_millis(50));
        assert_eq!(backoff.pause(3, None, 1.0), Duration::from_millis(400));
        assert_eq!(backoff.pause(40, None, 1.0), Duration::from_secs(1));
        for random in [0.0, 0.5, 1.0] {
            assert!(backoff.pause(1, Some(Duration::from_secs(2)), random) >= Duration::from_secs(2));
        }
    }
}
