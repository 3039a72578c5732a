//! How it goes, at a glance.

use std::fmt;

use aqueduct_pipeline::{Breaker, LaneHealth};

/// How the pipelines are: one entry for each signal that was used. `Display` makes a line of each.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// What each pipeline says of its destination: last success, last error with its causes, how full it is, what was delivered and dropped.
    pub lanes: Vec<LaneHealth>,
}

impl Health {
    /// Whether nothing is wrong now: every destination is sent to, and no memory limit is nearly reached (95 %).
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.lanes.iter().all(|lane| lane.breaker == Breaker::Closed && lane.queue_fill < 0.95)
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lanes.is_empty() {
            return f.write_str("nothing was used yet");
        }
        for (index, lane) in self.lanes.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            write!(f, "{lane}")?;
        }
        Ok(())
    }
}
