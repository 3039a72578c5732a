//! How many requests may be in flight to one destination: a number that is found by trying.
//!
//! The model is adaptive request concurrency as Vector has it, additive increase and multiplicative decrease (Chiu and
//! Jain, 1989) on refusals and round-trip times. How the limit comes back after a decrease is BIC-TCP's way (Xu,
//! Harfoush and Rhee, 2004), because a plain saw-tooth wastes a quarter of what a rate-limited server gives:
//!
//! ```text
//!  limit
//!    |        x ceiling                     x: congestion, the limit there is the ceiling
//!    |      _/ \      ________/ x           start: doubles each round until congestion
//!    |    _/    \    /  hold   / \          climb: half of the way to just below the ceiling each round
//!    |  _/       \__/              \__      hold: stays there, then steps beyond by 1, 2, 4, .. a hold each;
//!    | / start  climb                       a step that fails doubles the next hold, up to a bound
//!    +------------------------------------> rounds
//! ```
//!
//! A *round* is as many answers as there are requests in flight, all to requests sent since the last decrease. The
//! limit grows only at the end of a round in which it was reached: an idle client learns nothing. A decrease starts an
//! epoch; answers to requests of an earlier one come from the load of before and change nothing.

mod gate;
mod latency;
mod search;

use std::time::Instant;

use crate::error::ConfigError;
use crate::failure::FailureKind;
use crate::outcome::Outcome;

pub use gate::{ConcurrencyGate, Slot};
use latency::{Latency, Times, Verdict};
use search::Search;

/// What refusals leave of the limit.
const AFTER_BACKPRESSURE: f64 = 0.5;
/// What a queue at the server leaves of it. Less is undone than for a refusal: waiting costs time, not attempts.
const AFTER_QUEUEING: f64 = 0.75;
/// A round of fewer answers than this says little about round-trip times that vary; only the start is in such a hurry.
const MIN_ROUND: usize = 8;

/// The bounds of a [`ConcurrencyLimit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitConfig {
    /// The limit never falls below this; at least 1. Default 1.
    pub min: usize,
    /// The limit never rises above this; at least `min`. It bounds what a destination can hold in memory: this many
    /// batches. Default 64.
    pub max: usize,
    /// Where the search starts, within the bounds. Default 1: the start doubles, so it is a few round trips away from
    /// any number.
    pub initial: usize,
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self { min: 1, max: 64, initial: 1 }
    }
}

/// How a request ended, as far as the number of requests in flight has to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feedback {
    /// Answered with the work done; its time counts.
    Success,
    /// Too much: refused for now, or not answered in time.
    Backpressure,
    /// An end that says nothing about load: rejected for good, no connection, cancelled.
    Failure,
}

impl From<&Outcome> for Feedback {
    /// Retryable answers and time-outs are back-pressure; a connection that failed or broke, or headers that could not be fetched, are not.
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Delivered | Outcome::Partial { .. } => Self::Success,
            Outcome::Retry { failure, .. } => failure.kind.into(),
            Outcome::Permanent(_) | Outcome::TooLarge(_) => Self::Failure,
        }
    }
}

/// Of an attempt that is to be made again.
impl From<FailureKind> for Feedback {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Connect
            | FailureKind::Tls
            | FailureKind::Credentials
            | FailureKind::Reset
            | FailureKind::Protocol
            | FailureKind::Io => Self::Failure,
            _ => Self::Backpressure,
        }
    }
}

/// The right to have one request in flight. Not to be dropped: [`ConcurrencyLimit::finished`] takes it back.
#[derive(Debug)]
#[must_use = "a permit that is not given back to `finished` is lost to the limit"]
pub struct Permit {
    sent: Instant,
    epoch: u64,
    /// Whether at least half of the limit was in flight, so that the end of this request says something about it.
    pressing: bool,
}

/// A limit on the requests in flight to one destination that adapts to what the destination can take.
///
/// Sans-I/O: the time is an argument, nothing waits. Both calls cost tens of nanoseconds and allocate nothing.
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_transport::{ConcurrencyLimit, Feedback};
///
/// let mut limit = ConcurrencyLimit::default();
/// let mut now = Instant::now();
/// for doubled in [1, 2, 4, 8, 16] {
///     assert_eq!(limit.limit(), doubled);
///     let permits: Vec<_> = std::iter::from_fn(|| limit.try_acquire(now)).collect();
///     now += Duration::from_millis(20);
///     for permit in permits {
///         limit.finished(permit, now, Feedback::Success);
///     }
/// }
/// // One refusal halves it.
/// let permits: Vec<_> = std::iter::from_fn(|| limit.try_acquire(now)).collect();
/// for permit in permits {
///     limit.finished(permit, now, Feedback::Backpressure);
/// }
/// assert_eq!(limit.limit(), 16);
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "adaptive_request_concurrency")]
#[doc(alias = "num_consumers")]
pub struct ConcurrencyLimit {
    min: usize,
    max: usize,
    limit: usize,
    in_flight: usize,
    epoch: u64,
    round: Round,
    search: Search,
    latency: Latency,
}

/// What the answers of this round add up to.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    answers: usize,
    times: Times,
    /// Whether as many requests were in flight as the limit allows.
    full: bool,
}

impl ConcurrencyLimit {
    /// A limit within the bounds of `config`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] for bounds that are zero or contradict each other.
    pub fn new(config: LimitConfig) -> Result<Self, ConfigError> {
        check_bounds(config.min, config.max)?;
        if !(config.min..=config.max).contains(&config.initial) {
            return Err(ConfigError::Range { field: "initial", reason: "must be from `min` to `max`" });
        }
        Ok(Self::within(config))
    }

    /// A limit that stays at `limit`, at least 1.
    #[must_use]
    pub fn fixed(limit: usize) -> Self {
        let limit = limit.max(1);
        Self::within(LimitConfig { min: limit, max: limit, initial: limit })
    }

    fn within(LimitConfig { min, max, initial }: LimitConfig) -> Self {
        Self {
            min,
            max,
            limit: initial,
            in_flight: 0,
            epoch: 0,
            round: Round::default(),
            search: Search::default(),
            latency: Latency::default(),
        }
    }

    /// Moves the bounds, and the limit with them if it is outside. Requests in flight beyond a lower limit go on; none
    /// is added until they are fewer.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] for bounds that are zero or contradict each other; nothing changes then.
    pub fn set_bounds(&mut self, min: usize, max: usize) -> Result<(), ConfigError> {
        check_bounds(min, max)?;
        (self.min, self.max) = (min, max);
        self.limit = self.limit.clamp(min, max);
        Ok(())
    }

    /// Begins anew at the lower bound, doubling from round to round: for a server that was away. What was learnt about it before says little, and
    /// it may come back with less than it had. Requests in flight change nothing.
    pub fn restart(&mut self) {
        self.limit = self.min;
        self.search = Search::default();
        self.epoch += 1;
        self.round = Round::default();
    }

    /// How many requests may be in flight at once now.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// How many are: permits given out and not taken back.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether no more may be sent now, which is noted: a limit that was reached may grow. For who has others to ask before he [acquires](Self::try_acquire).
    pub fn is_reached(&mut self) -> bool {
        let reached = self.in_flight >= self.limit;
        self.round.full |= reached;
        reached
    }

    /// The right to send one more request, if there is one.
    pub fn try_acquire(&mut self, now: Instant) -> Option<Permit> {
        if self.is_reached() {
            return None;
        }
        self.in_flight += 1;
        let full = self.in_flight == self.limit;
        self.round.full |= full;
        Some(Permit {
            sent: now,
            epoch: self.epoch,
            pressing: self.in_flight.saturating_mul(2) >= self.limit,
        })
    }

    /// Takes a permit back and learns from how its request ended.
    pub fn finished(&mut self, permit: Permit, now: Instant, feedback: Feedback) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if permit.epoch != self.epoch {
            return;
        }
        match feedback {
            Feedback::Success => {
                self.round.answers += 1;
                self.round.times.add(now.saturating_duration_since(permit.sent).as_secs_f64());
                if self.round.answers >= self.round_length() {
                    self.close_round(now);
                }
            }
            // A refusal of one among few is not for their number: a lone probe of a server that is down.
            Feedback::Backpressure if permit.pressing => self.decrease(AFTER_BACKPRESSURE),
            Feedback::Backpressure | Feedback::Failure => {}
        }
    }

    fn round_length(&self) -> usize {
        if self.search.is_starting() { self.limit } else { self.limit.max(MIN_ROUND) }
    }

    fn close_round(&mut self, now: Instant) {
        let Round { times, full, .. } = std::mem::take(&mut self.round);
        // At the lower bound nothing can be done about a queue, and one that others make is not ours to shorten.
        let avoidable = full && self.limit > self.min;
        match self.latency.judge(&times, avoidable) {
            Verdict::Queueing => self.decrease(AFTER_QUEUEING),
            // At the upper bound there is nothing to try, and no step to lengthen.
            Verdict::Calm if full && self.limit < self.max => {
                self.limit = self.search.next(self.limit, now).min(self.max);
            }
            Verdict::Calm | Verdict::Unclear => {}
        }
    }

    fn decrease(&mut self, factor: f64) {
        self.search.congested(self.limit);
        let lower = (self.limit as f64 * factor).ceil() as usize;
        self.limit = lower.min(self.limit - 1).max(self.min);
        self.epoch += 1;
        self.round = Round::default();
    }
}

impl Default for ConcurrencyLimit {
    /// From 1 to 64, starting at 1.
    fn default() -> Self {
        Self::within(LimitConfig::default())
    }
}

const fn check_bounds(min: usize, max: usize) -> Result<(), ConfigError> {
    if min == 0 {
        return Err(ConfigError::Range { field: "min", reason: "must be at least 1" });
    }
    if max < min {
        return Err(ConfigError::Range { field: "max", reason: "must not be below `min`" });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
