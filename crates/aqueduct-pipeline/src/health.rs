//! How a pipeline is, at a glance.

use std::fmt;
use std::time::{Duration, Instant};

use aqueduct_metrics::DropReason;
use aqueduct_wire::Signal;

use crate::destination::Breaker;
use crate::pipeline::Pipeline;
use crate::report::LaneStatus;

/// How a pipeline is: one entry per destination. `Display` makes a line of each.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// The destinations, in the order in which the pipeline was given them.
    pub lanes: Vec<LaneHealth>,
}

/// How one destination is, seen from one pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaneHealth {
    /// The pipeline's signal.
    pub signal: Signal,
    /// The destination's name.
    pub destination: String,
    /// Whether requests are sent now.
    pub breaker: Breaker,
    /// How long ago something was delivered.
    pub last_success: Option<Duration>,
    /// How long ago an attempt failed, and why: the failure, and what caused it, after colons.
    pub last_error: Option<(Duration, String)>,
    /// The share of the byte budget that is used, from 0 to 1, or a little more.
    pub queue_fill: f64,
    /// Items that wait or are under way.
    pub held: u64,
    /// Items that were delivered.
    pub delivered: u64,
    /// Items that the destination rejected for good.
    pub rejected: u64,
    /// Items that were dropped, by reason; reasons without items are left out.
    pub dropped: Vec<(DropReason, u64)>,
    /// Items that were refused because there was no room, and stayed with whoever offered them.
    pub refused: u64,
}

impl Health {
    /// Whether nothing is wrong now: every destination is sent to, and its budget is not nearly full (95 %).
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.lanes.iter().all(|lane| lane.breaker == Breaker::Closed && lane.queue_fill < 0.95)
    }
}

impl Pipeline {
    /// How the pipeline is now. Takes some locks for moments; for pages and checks, not for each item.
    #[must_use]
    pub fn health(&self) -> Health {
        let now = Instant::now();
        let breakers = self.home.existing().map(|core| {
            core.shared.lanes.iter().map(|lane| lane.destination.breaker(now)).collect::<Vec<_>>()
        });
        let breakers = breakers.unwrap_or_default().into_iter().chain(std::iter::repeat(Breaker::Closed));
        Health {
            lanes: self.status().into_iter().zip(breakers).map(|(lane, breaker)| of(lane, breaker)).collect(),
        }
    }
}

fn of(lane: LaneStatus, breaker: Breaker) -> LaneHealth {
    let ledger = &lane.ledger;
    let dropped = DropReason::ALL.into_iter().map(|reason| (reason, ledger.dropped(reason)));
    LaneHealth {
        signal: lane.signal,
        breaker,
        last_success: lane.last_success,
        queue_fill: if lane.queue_bytes == 0 {
            0.0
        } else {
            lane.held_bytes as f64 / lane.queue_bytes as f64
        },
        held: ledger.held(),
        delivered: ledger.delivered,
        rejected: ledger.rejected,
        dropped: dropped.filter(|(_, items)| *items > 0).collect(),
        refused: lane.refused_items,
        destination: lane.destination,
        last_error: lane.last_failure,
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, lane) in self.lanes.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            write!(f, "{lane}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LaneHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, destination, breaker, delivered, held, rejected, refused, .. } = self;
        let fill = self.queue_fill * 100.0;
        write!(
            f,
            "{signal} to {destination}: {breaker}, {delivered} delivered, {held} held ({fill:.0} % of the budget)"
        )?;
        if *rejected > 0 {
            write!(f, ", {rejected} rejected")?;
        }
        for (reason, items) in &self.dropped {
            write!(f, ", {items} dropped ({reason})")?;
        }
        if *refused > 0 {
            write!(f, ", {refused} refused")?;
        }
        if let Some((ago, error)) = &self.last_error {
            write!(f, "; last error {:.0} s ago: {error}", ago.as_secs_f64())?;
        }
        Ok(())
    }
}
