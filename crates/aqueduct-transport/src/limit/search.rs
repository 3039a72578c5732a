//! Where the limit goes after a round without congestion.

use std::time::{Duration, Instant};

/// The shortest time at a limit that is believed to be right before one beyond it is tried.
const SHORTEST_HOLD: Duration = Duration::from_secs(1);
/// The longest: how long capacity that appears at the server may go unnoticed. With the loss of a failed try, a few
/// round trips, it costs nothing that can be measured.
const LONGEST_HOLD: Duration = Duration::from_secs(16);
/// A hold is at least this many rounds, for servers so slow that a second is none.
const HOLD_ROUNDS: u32 = 4;

/// The search for the largest limit without congestion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// The limit at which congestion was met last; `None` until then.
    ceiling: Option<usize>,
    /// How far the next step beyond the ceiling goes.
    step: usize,
    hold: Duration,
    held: Option<Hold>,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    since: Instant,
    rounds: u32,
}

impl Default for Search {
    fn default() -> Self {
        Self { ceiling: None, step: 1, hold: SHORTEST_HOLD, held: None }
    }
}

impl Search {
    pub(super) const fn is_starting(&self) -> bool {
        self.ceiling.is_none()
    }

    /// The limit after a round at `limit` without congestion.
    pub(super) fn next(&mut self, limit: usize, now: Instant) -> usize {
        let Some(ceiling) = self.ceiling else {
            return limit.saturating_mul(2);
        };
        let safe = ceiling - (ceiling / 16).max(1).min(ceiling);
        if limit < safe {
            return limit + ((safe - limit) / 2).max(1);
        }
        let hold = self.held.get_or_insert(Hold { since: now, rounds: 0 });
        hold.rounds += 1;
        if hold.rounds < HOLD_ROUNDS || now.saturating_duration_since(hold.since) < self.hold {
            return limit;
        }
        if limit > ceiling {
            // The step before went well: there is more than there was.
            self.hold = SHORTEST_HOLD;
        }
        self.held = Some(Hold { since: now, rounds: 0 });
        let step = self.step;
        self.step = self.step.saturating_mul(2);
        limit.saturating_add(step)
    }

    /// There was congestion at `limit`.
    pub(super) fn congested(&mut self, limit: usize) {
        // A step beyond what was known failed: the ceiling is right, so wait longer before the next one. Congestion
        // below it is news.
        let known = self.ceiling.is_some_and(|ceiling| limit >= ceiling && self.step == 2);
        self.hold = if known { (self.hold * 2).min(LONGEST_HOLD) } else { SHORTEST_HOLD };
        self.ceiling = Some(limit);
        self.step = 1;
        self.held = None;
    }
}
