//! What a detector found.

use std::fmt;

/// What readings say about growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// There are too few readings yet.
    #[default]
    TooEarly,
    /// No steady growth.
    Steady,
    /// Growth that fades out, as of caches that warm up.
    Fading,
    /// Steady growth.
    Leaking,
}

impl Verdict {
    /// The verdict in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::TooEarly => "too early",
            Verdict::Steady => "steady",
            Verdict::Fading => "fading",
            Verdict::Leaking => "leaking",
        }
    }
}

/// A verdict and its evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Trend {
    /// What it means.
    pub verdict: Verdict,
    /// By how much floors rise in a minute: the median over all pairs.
    pub per_minute: f64,
    /// How steadily, from -1 (each floor is below the one before) to 1 (above).
    pub order: f64,
    /// How many minutes it is judged by.
    pub minutes: f64,
    /// The oldest floor.
    pub first: u64,
    /// The newest floor.
    pub last: u64,
}

/// What a [`LeakDetector`](crate::LeakDetector) found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LeakReport {
    /// Of memory, in bytes.
    pub memory: Trend,
    /// Of the objects that are out of their pool.
    pub checked_out: Trend,
}

impl LeakReport {
    /// Whether anything leaks.
    pub fn is_leak(&self) -> bool {
        [self.memory, self.checked_out].iter().any(|trend| trend.verdict == Verdict::Leaking)
    }
}

/// Two lines, with verdict and evidence.
impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: f64 = 1_048_576.0;
        let Trend { verdict, per_minute, minutes, first, last, .. } = self.memory;
        let (slope, first, last) = (per_minute / MIB, first as f64 / MIB, last as f64 / MIB);
        let verdict = verdict.as_str();
        writeln!(
            f,
            "memory: {verdict}, {slope:+.2} MiB/min over {minutes:.1} min, floor {first:.1} to {last:.1} MiB"
        )?;
        let Trend { verdict, per_minute, minutes, first, last, .. } = self.checked_out;
        let verdict = verdict.as_str();
        write!(
            f,
            "checked out: {verdict}, {per_minute:+.2}/min over {minutes:.1} min, floor {first} to {last}"
        )
    }
}
