//! The breaker's decisions, with the time as an argument.

use std::time::{Duration, Instant};

use super::BreakerConfig;
use super::window::Window;
use crate::error::ConfigError;
use crate::pause::{PauseClock, Turn};

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are refused; from `retry_at` on, one may probe.
    Open {
        /// When the next call may probe.
        retry_at: Instant,
    },
    /// One call probes, the others are refused.
    HalfOpen,
}

/// What a breaker has counted. All counts are since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerStats {
    /// Calls that were let through.
    pub admitted: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Calls let through that succeeded.
    pub succeeded: u64,
    /// Calls let through that failed.
    pub failed: u64,
    /// Calls let through that ended without a result.
    pub abandoned: u64,
    /// How often it went from closed to open.
    pub opened: u64,
    /// How often a probe failed, which opened it again.
    pub reopened: u64,
    /// How often a probe succeeded, which closed it.
    pub closed: u64,
}

/// What a breaker says to a call.
#[derive(Debug)]
#[non_exhaustive]
pub enum Admission {
    /// Call, and tell the result with the ticket.
    Granted(Ticket),
    /// Do not call.
    Refused {
        /// When to ask again, unless something is reported before.
        retry_at: Instant,
    },
}

/// Stands for a call that was let through, and tells the results of different times apart.
#[derive(Debug)]
#[must_use = "the result of the call must be told to the circuit"]
pub struct Ticket {
    generation: u64,
    probe: bool,
}

/// The decisions of a circuit breaker, as a state machine that takes the time as an argument;
/// [`CircuitBreaker`](crate::CircuitBreaker) is this behind a lock, with a clock.
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_transport::breaker::{Admission, BreakerState, Circuit};
///
/// let mut circuit = Circuit::default();
/// let mut now = Instant::now();
/// for _ in 0..5 {
///     let Admission::Granted(ticket) = circuit.admit(now) else { panic!("closed") };
///     circuit.failed(ticket, now);
/// }
/// assert!(matches!(circuit.admit(now), Admission::Refused { .. }));
/// now += Duration::from_secs(30);
/// let Admission::Granted(probe) = circuit.admit(now) else { panic!("it is time") };
/// assert_eq!(circuit.state(), BreakerState::HalfOpen);
/// circuit.succeeded(probe, now);
/// assert_eq!(circuit.state(), BreakerState::Closed);
/// ```
#[derive(Clone, Debug)]
pub struct Circuit {
    config: BreakerConfig,
    /// Open for all as long as the circuit is closed.
    clock: PauseClock,
    /// When the open time ends; `None` while closed.
    retry_at: Option<Instant>,
    probing: bool,
    /// Raised when the circuit opens and when a probe starts: results with an older ticket come from another time.
    generation: u64,
    in_a_row: u32,
    window: Window,
    /// How long it was open last.
    open_for: Duration,
    stats: BreakerStats,
}

impl Circuit {
    /// A closed circuit.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] for a number outside its range.
    pub fn new(config: BreakerConfig) -> Result<Self, ConfigError> {
        Ok(Self::closed(config.check()?))
    }

    fn closed(config: BreakerConfig) -> Self {
        Self {
            config,
            clock: PauseClock::new(config.lease),
            retry_at: None,
            probing: false,
            generation: 0,
            in_a_row: 0,
            window: Window::default(),
            open_for: config.open_for,
            stats: BreakerStats::default(),
        }
    }

    /// Whether a call may be made now.
    #[must_use = "a probe that is granted and not made holds up everybody else"]
    pub fn admit(&mut self, now: Instant) -> Admission {
        let probe = match self.clock.next(now) {
            Turn::Wait(retry_at) => {
                self.stats.refused += 1;
                return Admission::Refused { retry_at };
            }
            Turn::Go => false,
            Turn::Probe => {
                self.generation += 1;
                self.probing = true;
                true
            }
        };
        self.stats.admitted += 1;
        Admission::Granted(Ticket { generation: self.generation, probe })
    }

    /// The call of this ticket succeeded.
    pub fn succeeded(&mut self, ticket: Ticket, now: Instant) {
        self.stats.succeeded += 1;
        if ticket.generation != self.generation {
            return;
        }
        self.in_a_row = 0;
        if ticket.probe {
            self.stats.closed += 1;
            self.clock.succeeded(now);
            self.window = Window::default();
            (self.probing, self.retry_at, self.open_for) = (false, None, self.config.open_for);
        } else if let Some(ratio) = &self.config.ratio {
            self.window.count(now, ratio.window, false);
        }
    }

    /// The call of this ticket failed.
    pub fn failed(&mut self, ticket: Ticket, now: Instant) {
        self.stats.failed += 1;
        if ticket.generation != self.generation {
            return;
        }
        if ticket.probe {
            self.stats.reopened += 1;
            let longer = self.open_for.as_secs_f64() * self.config.growth;
            let longer = Duration::try_from_secs_f64(longer).unwrap_or(Duration::MAX);
            self.open_for = longer.min(self.config.max_open).max(self.config.open_for);
            return self.open(now);
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let mut trips = self.in_a_row >= self.config.failures;
        if let Some(ratio) = &self.config.ratio {
            self.window.count(now, ratio.window, true);
            trips |= self.window.exceeds(ratio.ratio, ratio.min_calls);
        }
        if trips {
            self.stats.opened += 1;
            self.open(now);
        }
    }

    /// The call of this ticket ended without a result: its future was dropped, or it panicked.
    pub fn abandoned(&mut self, ticket: Ticket, now: Instant) {
        self.stats.abandoned += 1;
        if ticket.probe && ticket.generation == self.generation {
            self.probing = false;
            self.retry_at = Some(now);
            self.clock.abandoned(now);
        }
    }

    fn open(&mut self, now: Instant) {
        self.generation += 1;
        (self.probing, self.in_a_row) = (false, 0);
        self.clock.failed(now, self.open_for);
        self.retry_at = self.clock.paused_until();
    }

    /// Where it stands. Open remains open until a call asks, even if its time is over.
    #[must_use]
    pub const fn state(&self) -> BreakerState {
        match self.retry_at {
            None => BreakerState::Closed,
            Some(_) if self.probing => BreakerState::HalfOpen,
            Some(retry_at) => BreakerState::Open { retry_at },
        }
    }

    /// What it has counted.
    #[must_use]
    pub const fn stats(&self) -> BreakerStats {
        self.stats
    }
}

impl Default for Circuit {
    /// Opens after five failures in a row, for 30 s.
    fn default() -> Self {
        Self::closed(BreakerConfig::default())
    }
}
