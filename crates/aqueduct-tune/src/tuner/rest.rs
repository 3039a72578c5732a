//! When nothing more is to be gained: how to notice that this has changed.

use std::time::{Duration, Instant};

use crate::series::{Noise, Series};

/// Windows that are looked at together.
const RECENT: usize = 8;

/// The longest time between two searches that nothing came of.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// By how much a score is worse than it was, as a logarithm: a tenth.
const WORSE: f64 = 0.1;

/// What is normal at one level of load.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    score: f64,
    windows: u32,
    /// Something was bad at this load, and it was looked into.
    tried: bool,
}

/// Why to search again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// It is worse than it was at this load.
    Worse,
    /// Something is plainly bad at this load, or a long time has passed.
    Reasons,
}

/// Scores at rest, kept apart by load: a quiet night is not compared with a busy day.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    /// By load, half an octave each.
    levels: [Level; 64],
    recent: Series,
    level: usize,
    bad: usize,
    /// When the rest began; `None` while searching.
    since: Option<Instant>,
    /// How long the next rest lasts at least.
    gap: Duration,
    /// Searches in a row that found nothing.
    vain: u32,
}

impl Rest {
    pub(crate) fn new() -> Self {
        Self {
            levels: [Level::default(); 64],
            recent: Series::default(),
            level: 0,
            bad: 0,
            since: None,
            gap: Duration::ZERO,
            vain: 0,
        }
    }

    pub(crate) fn is_resting(&self) -> bool {
        self.since.is_some()
    }

    /// The search is over.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.recent.clear();
        self.bad = 0;
        self.since = Some(now);
    }

    /// There is something to search for.
    pub(crate) fn interrupt(&mut self) {
        self.since = None;
    }

    /// Something was changed for the better: what was normal is no longer.
    pub(crate) fn forget(&mut self) {
        self.vain = 0;
        for level in &mut self.levels {
            *level = Level { tried: level.tried, ..Level::default() };
        }
    }

    /// Takes in a window at rest.
    pub(crate) fn observe(
        &mut self,
        now: Instant,
        score: f64,
        load: f64,
        bad: bool,
        noise: &Noise,
        (shortest, reprobe): (Duration, Duration),
    ) -> Option<Wake> {
        let index = (load * 2.0 / std::f64::consts::LN_2).clamp(0.0, 63.0) as usize;
        if index != self.level {
            self.level = index;
            self.recent.clear();
            self.bad = 0;
        }
        self.recent.push(score, load);
        self.bad = if bad { self.bad + 1 } else { 0 };
        let rested = now.saturating_duration_since(self.since?);
        let level = &mut self.levels[index];
        if self.recent.len() < RECENT {
            return None;
        }
        let recent = self.recent.tail(RECENT);
        let error = noise.deviation(recent.scores(), &[]) / (RECENT as f64).sqrt();
        let wake = if level.windows >= 2 && recent.mean() < level.score - WORSE - 3.0 * error {
            Some(Wake::Worse)
        } else if (self.bad >= RECENT && !level.tried)
            || rested >= reprobe.saturating_mul(1 << self.vain.min(8)).min(LONGEST)
        {
            Some(Wake::Reasons)
        } else {
            None
        };
        // What is normal may rise quickly but falls hardly: else a slow decline would never be seen.
        level.windows = level.windows.saturating_add(1);
        let weight = if level.windows < 8 || recent.mean() > level.score { 0.3 } else { 0.002 };
        level.score +=
            if level.windows == 1 { recent.mean() } else { weight * (recent.mean() - level.score) };
        if wake.is_none() || rested < self.gap {
            return None;
        }
        level.tried = true;
        self.vain = self.vain.saturating_add(1);
        // Who woke in vain shall sleep longer; who slept long has forgotten.
        self.gap = if rested > self.gap.saturating_mul(8) {
            shortest
        } else {
            self.gap.saturating_mul(2).clamp(shortest, LONGEST)
        };
        self.since = None;
        if wake == Some(Wake::Worse) {
            self.forget();
        }
        wake
    }
}
