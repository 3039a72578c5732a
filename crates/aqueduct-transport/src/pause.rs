//! One clock per destination that says who may send: everybody, nobody, or one.
//!
//! # States
//!
//! ```text
//!            failed                    the pause is over: next() -> Probe
//!   Open ------------> Paused(until) ----------------------------------> Probing(lease)
//!    ^                   ^   | failed: until = later of both                |  |
//!    |                   +---+                                              |  |
//!    |                   ^          failed                                  |  |
//!    |                   +--------------------------------------------------+  |
//!    |                              succeeded                                  |
//!    +-------------------------------------------------------------------------+
//! ```
//!
//! A success while paused is the late answer to a request that left before; it does not shorten the pause, because
//! a server that demanded the pause meant it for the requests to come. `abandoned`, or a lease that ran out, lets the
//! next caller probe at once.

use std::time::{Duration, Instant};

/// What a caller may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn {
    /// Send.
    Go,
    /// Send, as the only one: whether the others may follow depends on this attempt. Its result must be told with
    /// [`PauseClock::succeeded`], [`PauseClock::failed`] or [`PauseClock::abandoned`].
    Probe,
    /// Do not send. Ask again at this instant, or as soon as a result was told to the clock, whichever is first.
    Wait(Instant),
}

/// The pause clock of one destination, shared by everything that sends there.
///
/// When an attempt fails, all attempts pause: they would fail as well, and a server that is coming back needs quiet.
/// When the pause is over exactly one attempt probes the destination, while the others wait for its result. Sans-I/O:
/// a state machine that takes the time as an argument.
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_transport::{PauseClock, Turn};
///
/// let start = Instant::now();
/// let later = start + Duration::from_secs(1);
/// let mut clock = PauseClock::default();
/// assert_eq!(clock.next(start), Turn::Go);
/// clock.failed(start, Duration::from_secs(1));
/// assert_eq!(clock.next(start), Turn::Wait(later));
/// assert_eq!(clock.next(later), Turn::Probe);
/// assert!(matches!(clock.next(later), Turn::Wait(_)));
/// clock.succeeded(later);
/// assert_eq!(clock.next(later), Turn::Go);
/// ```
#[derive(Clone, Debug)]
pub struct PauseClock {
    state: State,
    lease: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Paused { until: Instant },
    Probing { lease_ends: Instant },
}

impl PauseClock {
    /// An open clock. A probe that was not heard of for `lease` is taken for lost, and the next caller probes: longer
    /// than an attempt can take, or there may be two.
    #[must_use]
    pub const fn new(lease: Duration) -> Self {
        Self { state: State::Open, lease }
    }

    /// What the caller may do now. Answers [`Turn::Probe`] to one caller only.
    #[must_use = "a probe that is granted and not made holds up everybody else"]
    pub fn next(&mut self, now: Instant) -> Turn {
        match self.state {
            State::Open => Turn::Go,
            State::Paused { until: end } | State::Probing { lease_ends: end } if now < end => Turn::Wait(end),
            State::Paused { .. } | State::Probing { .. } => {
                self.state = State::Probing { lease_ends: after(now, self.lease) };
                Turn::Probe
            }
        }
    }

    /// An attempt failed in a way that another attempt would share: nobody sends for `delay` from now on, and for as
    /// long as an earlier failure demanded.
    pub fn failed(&mut self, now: Instant, delay: Duration) {
        let until = after(now, delay);
        self.state = match self.state {
            State::Paused { until: earlier } => State::Paused { until: earlier.max(until) },
            State::Open | State::Probing { .. } => State::Paused { until },
        };
    }

    /// An attempt was answered. Ends the probing, for everybody; does not shorten a pause that is not over at `now`.
    pub fn succeeded(&mut self, now: Instant) {
        self.state = match self.state {
            State::Paused { until } if now < until => self.state,
            State::Open | State::Probing { .. } | State::Paused { .. } => State::Open,
        };
    }

    /// The probe was given up without a result (its future was dropped, its data expired): the next caller probes.
    pub fn abandoned(&mut self, now: Instant) {
        if let State::Probing { .. } = self.state {
            self.state = State::Paused { until: now };
        }
    }

    /// When the pause ends, if there is one.
    pub(crate) const fn paused_until(&self) -> Option<Instant> {
        match self.state {
            State::Paused { until } => Some(until),
            State::Open | State::Probing { .. } => None,
        }
    }

    /// Whether everybody may send.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }
}

impl Default for PauseClock {
    /// With a lease of 30 s.
    fn default() -> Self {
        Self::new(Duration::from_secs(30))
    }
}

/// An instant that far in the future, or as far as the clock can tell: a demand for `Duration::MAX` is one for a pause
/// of thirty years.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    now.checked_add(delay).or_else(|| now.checked_add(THIRTY_YEARS)).unwrap_or(now)
}

#[cfg(test)]
#[path = "pause/tests.rs"]
mod tests;
