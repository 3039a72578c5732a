//! How a tuner goes about it.

use std::time::Duration;

/// Whether changes are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Changes are made, observed, and taken back if they did not help.
    #[default]
    Apply,
    /// Dry run: nothing is changed; [`AutoTuner::suggestions`](crate::AutoTuner::suggestions) says what would be tried first.
    Suggest,
}

/// How a tuner goes about it. The defaults suit windows of 100 ms to 10 s.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TunerConfig {
    /// Whether changes are made. Default [`Mode::Apply`].
    pub mode: Mode,
    /// Windows after a change that are not looked at. Default 1: that in which it took effect.
    pub settle_windows: usize,
    /// Windows that a decision needs at least, 2 to 12. Default 3.
    pub min_windows: usize,
    /// Windows after which it is made in any case, up to 24. Default 12.
    pub max_windows: usize,
    /// The share by which the score must be better for a change to be kept, beside three standard errors. Default 0.02.
    pub min_gain: f64,
    /// How much the load may differ between before and after, as a share; past it nobody can tell what the change did. Default 0.15.
    pub max_load_shift: f64,
    /// How long a knob is left alone at first, after a search, when a change to it did not help; doubled each time in a row. Default 5 min.
    pub backoff: Duration,
    /// How long a rest between two searches lasts at least, from the second on. Doubled for searches close to each other. Default 1 min.
    pub min_rest: Duration,
    /// How long a rest lasts after which one change is tried although nothing is worse than it was, if there is a reason for it. Doubled each time that it
    /// was in vain, up to a day. Default 1 h.
    pub reprobe: Duration,
}

impl Default for TunerConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Apply,
            settle_windows: 1,
            min_windows: 3,
            max_windows: 12,
            min_gain: 0.02,
            max_load_shift: 0.15,
            backoff: Duration::from_secs(300),
            min_rest: Duration::from_secs(60),
            reprobe: Duration::from_secs(3_600),
        }
    }
}

impl TunerConfig {
    /// With what makes no sense put right.
    pub(crate) fn sanitised(self) -> Self {
        let share = |share: f64, default: f64| if share.is_nan() { default } else { share.clamp(0.0, 1.0) };
        let min_windows = self.min_windows.clamp(2, 12);
        Self {
            settle_windows: self.settle_windows.min(1_000),
            min_windows,
            max_windows: self.max_windows.clamp(min_windows, 24),
            min_gain: share(self.min_gain, 0.02).max(0.001),
            max_load_shift: share(self.max_load_shift, 0.15),
            ..self
        }
    }
}
