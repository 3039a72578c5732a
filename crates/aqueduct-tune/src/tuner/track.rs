//! What was tried with one knob, and what is worth another try.

use std::time::{Duration, Instant};

/// The factors that a value is moved by, coarse to fine.
const STEPS: [f64; 3] = [4.0, 2.0, 1.4];

/// The longest that a knob is left alone after changes that did not help.
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// The search along one knob.
#[derive(Debug, Clone, Default)]
pub(crate) struct Track {
    /// Which of the steps is tried now.
    step: usize,
    /// Whether a step down, and one up, did not help from here.
    failed: [bool; 2],
    /// Changes that were reverted since the last one that helped.
    reverts: u32,
    /// Trials in a row that nobody can tell anything about.
    untold: u32,
    /// Not to be tried again before, once a search is over.
    until: Option<Instant>,
    /// Nobody but the user touches it.
    pub(crate) frozen: bool,
}

impl Track {
    pub(crate) fn factor(&self) -> f64 {
        STEPS[self.step]
    }

    pub(crate) fn allows(&self, up: bool) -> bool {
        !self.frozen && !self.failed[usize::from(up)]
    }

    /// A step helped: where it came from is worse, and the next one the same way may help as well.
    pub(crate) fn kept(&mut self, up: bool) {
        self.failed[usize::from(up)] = false;
        self.failed[usize::from(!up)] = true;
        self.reverts = 0;
        self.untold = 0;
        self.until = None;
    }

    /// A step did not help. Twice the time that it is left alone for each time in a row.
    pub(crate) fn reverted(&mut self, up: bool, now: Instant, backoff: Duration) {
        self.failed[usize::from(up)] = true;
        self.reverts = self.reverts.saturating_add(1);
        let wait = backoff.saturating_mul(1 << (self.reverts - 1).min(16)).min(LONGEST);
        self.until = now.checked_add(wait);
    }

    /// Nobody can tell whether a step helped. The first time it may be tried again at once; then it counts as one that did not, or a load that never stands
    /// still would have the same tried for ever.
    pub(crate) fn untold(&mut self, up: bool, now: Instant, backoff: Duration) {
        self.untold = self.untold.saturating_add(1);
        if self.untold > 1 {
            self.untold = 0;
            self.reverted(up, now, backoff);
        }
    }

    /// Goes on with a finer step, if there is one.
    pub(crate) fn refine(&mut self) -> bool {
        let finer = self.step + 1 < STEPS.len();
        if finer {
            self.step += 1;
            self.failed = [false; 2];
        }
        finer
    }

    /// Another search: with middling steps, and not at all if its time has not come.
    pub(crate) fn reopen(&mut self, now: Instant) {
        if self.until.is_none_or(|until| now >= until) {
            self.step = 1;
            self.failed = [false; 2];
        }
    }

    /// Another round, because others have moved.
    pub(crate) fn again(&mut self) {
        self.step = 1;
        self.failed = [false; 2];
    }
}
