//! Lists of things to look at, each with what was found.

mod bottlenecks;
mod production;

use std::fmt;

pub use bottlenecks::{BottleneckChecklist, checklist};
pub use production::{ProductionChecklist, ProductionFacts, ProductionItem};

/// How a check ended. Ordered from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// As it should be.
    Pass,
    /// Worth a look, or not known.
    Warn,
    /// To be put right.
    Fail,
}

impl Status {
    /// `pass`, `warn` or `fail`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Fail => "fail",
        }
    }

    /// From this limit on a warning, from that one on a failure; nothing known is a warning.
    fn above(figure: Option<f64>, warn: f64, fail: f64) -> Status {
        match figure {
            Some(figure) if figure >= fail => Status::Fail,
            Some(figure) if figure < warn => Status::Pass,
            _ => Status::Warn,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// A short name that does not change, for scripts.
    pub id: &'static str,
    /// What was looked at.
    pub what: &'static str,
    /// How it ended.
    pub status: Status,
    /// What was found, with figures.
    pub evidence: String,
    /// What to do about it, if it did not pass.
    pub fix: &'static str,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<4}  {:<14}  {}", self.status, self.id, self.evidence)?;
        match self.status {
            Status::Pass => Ok(()),
            _ => write!(f, "; {}", self.fix),
        }
    }
}

/// The worst of the checks.
fn worst(checks: &[Check]) -> Status {
    checks.iter().map(|check| check.status).max().unwrap_or(Status::Pass)
}

/// A line for each.
fn lines(checks: &[Check], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, check) in checks.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { "\n" })?;
        write!(f, "{check}")?;
    }
    Ok(())
}

/// A share in percent, or that it is not known.
fn percent(what: &str, share: Option<f64>) -> String {
    share.map_or_else(|| format!("{what} not known"), |share| format!("{what} {:.1} %", share * 100.0))
}
