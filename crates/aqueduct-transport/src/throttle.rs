//! How fast to send to a destination that refuses some of what it gets.

use std::time::{Duration, Instant};

/// What is sent for each request that is taken, while some are refused: enough to find out that more would be.
const MORE: f64 = 1.1;
/// And so many requests a second, so that a rate of next to nothing grows, too.
const STEP: f64 = 0.1;
/// The rate to begin with after a return, in requests a second. It doubles with each window.
const FIRST: f64 = 2.0;
/// So many requests taken in a row, and the rate doubles with each window, too.
const CLEAN: u32 = 50;
/// The lowest rate, in requests a second: seldom enough that many clients are no burden.
const LEAST: f64 = 1.0;
/// How often the rate is set anew.
const WINDOW: Duration = Duration::from_secs(1);
/// The same while it doubles after a return.
const FIRST_WINDOW: Duration = Duration::from_millis(500);
/// How much of the measured rate is the newest window's.
const NEWEST: f64 = 0.3;

/// The rate at which to send to a destination that has begun to refuse requests: a tenth more than it takes.
///
/// A server at the end of its capacity answers at once, so neither the number of requests in flight nor a pause tells a client how much is
/// its share: many clients with a backlog take turns at being refused, and their attempts are a multiple of what is taken. Held to 1.1
/// times what was taken from them, all of them together send 1.1 times the capacity. This is the client-side throttling of
/// the SRE book (Beyer et al., 2016, chapter 21, with K = 1.1), but it delays what that one rejects. Requests are spread evenly, as a
/// burst would take what others could have had.
///
/// A server that was away for a while ([`returned`](Throttle::returned)) gets two requests a second first, and twice as many every
/// half second until it refuses one or nothing waits any more.
///
/// Refusals that have nothing to do with the load slow it down as well, if they are more than one in eleven, down to one request a second. A caller
/// that has no room to wait does not ask.
///
/// Sans-I/O: the time is an argument.
///
/// ```
/// use std::time::{Duration, Instant};
/// use aqueduct_transport::Throttle;
///
/// let start = Instant::now();
/// let mut throttle = Throttle::new(start);
/// throttle.sent(start);
/// assert_eq!(throttle.wait(start), None, "nothing is held back until something is refused");
/// throttle.returned(start);
/// assert_eq!(throttle.wait(start), None);
/// throttle.sent(start);
/// assert_eq!(throttle.wait(start), Some(start + Duration::from_millis(500)));
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "adaptive throttling")]
pub struct Throttle {
    /// Requests a second; `None` while nothing is refused.
    rate: Option<f64>,
    /// Whether the rate doubles since a return.
    starting: bool,
    /// When the next request may be sent, while there is a rate.
    due: Instant,
    /// Requests taken in a second, over the last windows.
    taken_rate: f64,
    /// Requests taken since the last one that was refused.
    clean: u32,
    /// Whether one was refused in this window or the one before.
    suspect: bool,
    window: Window,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    taken: u32,
    refused: u32,
    /// Whether a request had to wait.
    held_back: bool,
}

impl Window {
    const fn new(began: Instant) -> Self {
        Self { began, taken: 0, refused: 0, held_back: false }
    }
}

impl Throttle {
    /// Without a rate: everything may be sent.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            rate: None,
            starting: false,
            due: now,
            taken_rate: 0.0,
            clean: 0,
            suspect: false,
            window: Window::new(now),
        }
    }

    /// Requests a second that may be sent now; `None` for as many as there are.
    #[must_use]
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// The instant before which nothing is to be sent; `None` if that is over.
    pub fn wait(&mut self, now: Instant) -> Option<Instant> {
        self.roll(now);
        let held_back = self.rate.is_some() && now < self.due;
        self.window.held_back |= held_back;
        held_back.then_some(self.due)
    }

    /// A request was sent.
    pub fn sent(&mut self, now: Instant) {
        if let Some(rate) = self.rate {
            // What was not sent is not made up for.
            self.due = now + Duration::from_secs_f64(1.0 / rate);
        }
    }

    /// A request was taken.
    pub fn taken(&mut self, now: Instant) {
        self.roll(now);
        self.window.taken += 1;
        self.clean = self.clean.saturating_add(1);
    }

    /// A request was refused by a destination that takes others. One alone, within a second or two, changes nothing.
    pub fn refused(&mut self, now: Instant) {
        self.roll(now);
        self.window.refused += 1;
        self.clean = 0;
        let alone = !std::mem::replace(&mut self.suspect, true);
        self.rate = Some(match self.rate {
            None if alone => return,
            None => Self::share(self.measure(now)),
            Some(rate) if self.starting => (rate / 2.0).max(LEAST),
            Some(rate) => rate,
        });
        self.starting = false;
    }

    /// A request was taken by a destination that was away.
    pub fn returned(&mut self, now: Instant) {
        *self = Self { rate: Some(FIRST), starting: true, ..Self::new(now) };
    }

    /// The rate for a destination that takes so many requests a second.
    fn share(taken: f64) -> f64 {
        (taken * MORE + STEP).max(LEAST)
    }

    /// Requests taken in a second, the window that is not over among them if it is long enough to tell.
    fn measure(&self, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.window.began);
        if elapsed * 2 < FIRST_WINDOW {
            return self.taken_rate;
        }
        let newest = f64::from(self.window.taken) / elapsed.as_secs_f64();
        let weight = if self.taken_rate == 0.0 { 1.0 } else { NEWEST };
        self.taken_rate + weight * (newest - self.taken_rate)
    }

    /// Ends a window that is over.
    fn roll(&mut self, now: Instant) {
        let length = if self.starting { FIRST_WINDOW } else { WINDOW };
        if now.saturating_duration_since(self.window.began) < length {
            return;
        }
        self.taken_rate = self.measure(now);
        let window = std::mem::replace(&mut self.window, Window::new(now));
        self.suspect = window.refused > 0;
        let Some(rate) = self.rate else { return };
        self.rate = match (window.refused, window.held_back) {
            (0, false) => None,
            (0, true) if self.starting || self.clean >= CLEAN => Some(rate * 2.0),
            (0, true) => Some(rate * MORE + STEP),
            (_, _) => Some(Self::share(self.taken_rate).min(rate)),
        };
        self.starting &= self.rate.is_some();
    }
}

#[cfg(test)]
#[path = "throttle/tests.rs"]
mod tests;
