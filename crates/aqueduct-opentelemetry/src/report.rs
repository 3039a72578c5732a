//! What a flush or a shutdown came to.

use std::fmt;
use std::time::Duration;

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::{LaneStatus, WaitError};
use aqueduct_wire::Signal;

use crate::counts::NotTaken;
use crate::outlet::Outlet;

/// What became of all that was handed over, when a flush or a shutdown returned. `Display` makes a line of each signal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Whether everything that was taken before the call had settled when it returned: delivered, rejected or dropped.
    pub complete: bool,
    /// How long the call took.
    pub took: Duration,
    /// The signals that were used.
    pub signals: Vec<SignalReport>,
    /// Spans that wait in the handle's local tails ([`Aqueduct::local_tail`](crate::Aqueduct::local_tail)) for their traces to end. The pipelines have not seen them, and after a shutdown of
    /// the handle will not take them: flush or end the provider before.
    pub held_in_tails: u64,
    /// Why the call did not wait, if it did not.
    pub error: Option<WaitError>,
}

/// One signal of a [`Report`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignalReport {
    /// The signal.
    pub signal: Signal,
    /// What its pipeline says.
    pub lane: LaneStatus,
    /// Items that never got into the pipeline, by reason; reasons without items are left out.
    pub not_taken: Vec<(NotTaken, u64)>,
}

impl Report {
    /// Items that the collector has taken, over all signals, since the start of this process.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.signals.iter().map(|signal| signal.lane.ledger.delivered).sum()
    }

    /// Items that somebody wanted and did not get: rejected by the collector, dropped by the pipeline, or not taken into it.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.signals.iter().map(SignalReport::lost).sum()
    }
}

impl SignalReport {
    pub(crate) fn of(outlet: &Outlet) -> Option<SignalReport> {
        let lane = outlet.existing()?.status().into_iter().next()?;
        let all = NotTaken::ALL.into_iter().map(|why| (why, outlet.counts().all_not_taken(why)));
        let not_taken = all.filter(|(_, items)| *items > 0).collect();
        Some(SignalReport { signal: outlet.signal(), lane, not_taken })
    }

    /// Items of the signal that somebody wanted and did not get.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let reasons = DropReason::ALL.into_iter().filter(|reason| reason.is_loss());
        let dropped: u64 = reasons.map(|reason| self.lane.ledger.dropped(reason)).sum();
        let not_taken = self.not_taken.iter().filter(|(why, _)| why.is_loss()).map(|(_, items)| items);
        self.lane.ledger.rejected + dropped + not_taken.sum::<u64>()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, took) = (if self.complete { "complete" } else { "not complete" }, self.took);
        write!(f, "{state} after {:.3} s", took.as_secs_f64())?;
        if let Some(error) = &self.error {
            write!(f, ", {error}")?;
        }
        if self.held_in_tails > 0 {
            write!(
                f,
                ", {} spans wait in local tails for their provider's flush or end",
                self.held_in_tails
            )?;
        }
        self.signals.iter().try_for_each(|signal| write!(f, "\n{signal}"))
    }
}

impl fmt::Display for SignalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, lane, not_taken } = self;
        let ledger = &lane.ledger;
        write!(
            f,
            "{signal} to {}: {} delivered, {} held",
            lane.destination,
            ledger.delivered,
            ledger.held()
        )?;
        if ledger.rejected > 0 {
            write!(f, ", {} rejected", ledger.rejected)?;
        }
        let dropped = DropReason::ALL.into_iter().map(|reason| (reason, ledger.dropped(reason)));
        for (reason, items) in dropped.filter(|(_, items)| *items > 0) {
            write!(f, ", {items} dropped ({reason})")?;
        }
        not_taken.iter().try_for_each(|(why, items)| write!(f, ", {items} not taken ({why})"))
    }
}
