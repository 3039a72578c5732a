//! The way down: connections first, then the pipelines, to one deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct::metrics::DropReason;
use aqueduct::pipeline::LaneStatus;

use super::periodic::Periodic;
use super::status::GatewayStatus;
use super::workers::Workers;

/// Requests under way may take at most this share of the time; the rest is for delivering.
const CONNECTIONS_SHARE: u32 = 2;
/// This share of the time is left for telling how it ended, where metrics are sent.
const METRICS_SHARE: u32 = 10;

pub(crate) struct Drain {
    pub(crate) status: Arc<GatewayStatus>,
    pub(crate) workers: Workers,
    pub(crate) periodic: Option<Arc<Periodic>>,
    pub(crate) deadline: Duration,
}

/// What the drain achieved.
pub(crate) struct DrainReport {
    pub(crate) complete: bool,
    took: Duration,
    lanes: Vec<LaneStatus>,
}

impl Drain {
    pub(crate) fn run(self) -> DrainReport {
        let start = Instant::now();
        let end = start + self.deadline;
        let deadline = match &self.periodic {
            Some(_) => end - self.deadline / METRICS_SHARE,
            None => end,
        };
        self.workers.wait(start + self.deadline / CONNECTIONS_SHARE);
        let pipelines = self.status.pipelines();
        // Side by side: each pipeline has the whole rest of the time.
        let reports: Vec<_> = std::thread::scope(|scope| {
            let drain = |pipeline| {
                scope.spawn(move || {
                    let left = deadline.saturating_duration_since(Instant::now());
                    aqueduct::pipeline::Pipeline::shutdown(pipeline, left)
                })
            };
            let draining: Vec<_> = pipelines.iter().map(drain).collect();
            draining.into_iter().filter_map(|thread| thread.join().ok()?.ok()).collect()
        });
        if let Some(periodic) = &self.periodic {
            periodic.finish(&self.status.exposition(), end);
        }
        let complete = reports.len() == pipelines.len() && reports.iter().all(|report| report.complete);
        let lanes = reports.into_iter().flat_map(|report| report.lanes).collect();
        DrainReport { complete, took: start.elapsed(), lanes }
    }
}

impl DrainReport {
    /// What was delivered and what was not, a line per pipeline and destination, and one more where something else happened.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.lanes.iter().flat_map(|lane| [Some(line(lane)), remark(lane)]).flatten().collect();
        let how = if self.complete { "everything was settled" } else { "the deadline passed" };
        lines.push(format!("stopped after {:.1} s: {how}", self.took.as_secs_f64()));
        lines
    }
}

fn line(lane: &LaneStatus) -> String {
    let ledger = &lane.ledger;
    let dropped: Vec<String> = DropReason::ALL
        .iter()
        .filter(|reason| ledger.dropped(**reason) > 0)
        .map(|reason| format!("{} {}", ledger.dropped(*reason), reason.as_str()))
        .collect();
    let dropped = if dropped.is_empty() { String::new() } else { format!(" ({})", dropped.join(", ")) };
    format!(
        "{} to {}: {} accepted, {} delivered, {} rejected, {} dropped{dropped}, {} held",
        lane.signal,
        lane.destination,
        ledger.accepted,
        ledger.delivered,
        ledger.rejected,
        ledger.dropped_total(),
        ledger.held()
    )
}

/// What is in no ledger and should not go unnoticed.
fn remark(lane: &LaneStatus) -> Option<String> {
    let mut parts = Vec::new();
    if lane.refused_items > 0 {
        parts.push(format!("{} items were refused for lack of room and left to clients", lane.refused_items));
    }
    if lane.restarts > 0 {
        parts.push(format!("{} times a failed task was begun again", lane.restarts));
    }
    (!parts.is_empty()).then(|| format!("{} to {}: {}", lane.signal, lane.destination, parts.join("; ")))
}
