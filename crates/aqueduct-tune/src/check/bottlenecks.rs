//! The seven places where telemetry gets stuck.

use std::fmt;
use std::time::Duration;

use aqueduct_metrics::{LeakReport, Verdict};

use crate::Snapshot;
use crate::check::{Check, Status, lines, percent, worst};

/// Seven places where telemetry gets stuck, looked at in one window of a running pipeline: CPU, memory, network, batching, sampling, queue, cardinality.
///
/// ```
/// use std::time::Duration;
/// use aqueduct_tune::{BottleneckChecklist, Snapshot, Status};
///
/// let mut snapshot = Snapshot::default();
/// snapshot.window = Duration::from_secs(10);
/// (snapshot.held_bytes, snapshot.queue_bytes) = (60 << 20, 64 << 20);
/// let checklist = BottleneckChecklist::of(&snapshot);
/// let queue = checklist.checks().iter().find(|check| check.id == "queue").expect("one of the seven");
/// assert_eq!(queue.status, Status::Fail);
/// println!("{checklist}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BottleneckChecklist {
    checks: [Check; 7],
}

impl BottleneckChecklist {
    /// Looks at a window. What it does not know becomes a warning that says so.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            checks: [
                cpu(snapshot),
                memory(snapshot),
                network(snapshot),
                batching(snapshot),
                sampling(snapshot),
                queue(snapshot),
                cardinality(snapshot),
            ],
        }
    }

    /// The seven, always in the same order.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The worst of the seven.
    #[must_use]
    pub fn status(&self) -> Status {
        worst(&self.checks)
    }
}

/// The seven-point checklist of a window: [`BottleneckChecklist::of`].
#[must_use]
pub fn checklist(snapshot: &Snapshot) -> BottleneckChecklist {
    BottleneckChecklist::of(snapshot)
}

impl fmt::Display for BottleneckChecklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lines(&self.checks, f)
    }
}

fn cpu(snapshot: &Snapshot) -> Check {
    let share = snapshot.cpu_share();
    let mut evidence = percent("CPU in use", share);
    if let Some(ns) = snapshot.cpu_ns_per_item() {
        evidence += &format!(", {ns:.0} ns for each delivered item");
    }
    Check {
        id: "cpu",
        what: "CPU time of the process, for which a profile shows the hot functions",
        status: Status::above(share, 0.75, 0.9),
        evidence,
        fix: "take a CPU profile; compress less or not at all; make batches larger; sample more; give it more cores",
    }
}

fn memory(snapshot: &Snapshot) -> Check {
    let share = snapshot.memory_share();
    let mut status = Status::above(share, 0.75, 0.9);
    let mut evidence = percent("memory in use", share);
    if let Some(leak) = snapshot.leak {
        evidence += &growth(&leak);
        status = status.max(if leak.is_leak() { Status::Warn } else { Status::Pass });
    }
    Check {
        id: "memory",
        what: "memory of the process against its limit, and whether it only grows",
        status,
        evidence,
        fix: "lower the byte budget of the queue, or raise the memory limit; a memory that only grows is a leak",
    }
}

/// What readings over some minutes say. That it is too early is nothing to be warned of.
fn growth(leak: &LeakReport) -> String {
    const MIB: f64 = 1_048_576.0;
    let mut text = match leak.memory.verdict {
        Verdict::TooEarly => ", too early to tell whether it grows".to_owned(),
        verdict => format!(", growth {} at {:+.2} MiB/min", verdict.as_str(), leak.memory.per_minute / MIB),
    };
    if leak.checked_out.verdict == Verdict::Leaking {
        text += ", objects do not come back to their pool";
    }
    text
}

/// The verdict's 100 ms, for the network and the destination behind it.
const SLOW: Duration = Duration::from_millis(100);
const VERY_SLOW: Duration = Duration::from_secs(1);

fn network(snapshot: &Snapshot) -> Check {
    let by_time = match snapshot.export_p99 {
        None => Status::Warn,
        Some(p99) if p99 > VERY_SLOW => Status::Fail,
        Some(p99) if p99 > SLOW => Status::Warn,
        Some(_) => Status::Pass,
    };
    // The capacity of a network is seldom known: not to know it is no warning.
    let by_use = snapshot.network_share().map_or(Status::Pass, |share| Status::above(Some(share), 0.75, 0.9));
    let by_success =
        snapshot.success_rate().map_or(Status::Pass, |rate| Status::above(Some(1.0 - rate), 0.01, 0.05));
    let mut evidence = snapshot
        .export_p99
        .map_or_else(|| "export duration not known".to_owned(), |p99| format!("export P99 {p99:.1?}"));
    if let Some(rate) = snapshot.success_rate() {
        evidence += &format!(", {:.1} % of {} requests succeeded", rate * 100.0, snapshot.requests);
    }
    if let Some(share) = snapshot.network_share() {
        evidence += &format!(", {:.1} % of the network's capacity", share * 100.0);
    }
    Check {
        id: "network",
        what: "how long exports take, how many succeed, how much the way carries",
        status: by_time.max(by_use).max(by_success),
        evidence,
        fix: "compress where bytes are the limit; allow more requests under way where round trips are; look at the destination where requests fail",
    }
}

fn batching(snapshot: &Snapshot) -> Check {
    let seconds = snapshot.window.as_secs_f64();
    let requests = if seconds > 0.0 { snapshot.requests as f64 / seconds } else { 0.0 };
    let size = snapshot.delivered_items as f64 / snapshot.requests_succeeded.max(1) as f64;
    let status = match (snapshot.requests, snapshot.wait_p99) {
        (0, _) => Status::Warn,
        (_, Some(wait)) if wait > VERY_SLOW * 5 => Status::Fail,
        _ if requests > 1_000.0 && size < 16.0 => Status::Fail,
        _ if requests > 100.0 && size < 64.0 => Status::Warn,
        (_, Some(wait)) if wait > VERY_SLOW => Status::Warn,
        _ => Status::Pass,
    };
    let mut evidence = format!(
        "{requests:.0} requests/s of {size:.0} items, {}",
        percent("batches full to", snapshot.batch_fill)
    );
    if let Some(wait) = snapshot.wait_p99 {
        evidence += &format!(", items waited {wait:.1?} (P99)");
    }
    Check {
        id: "batching",
        what: "size of batches, and how long items wait for them",
        status,
        evidence,
        fix: "many small requests: raise batch items or delay; items that wait for long: lower the delay, or see the queue",
    }
}

fn sampling(snapshot: &Snapshot) -> Check {
    let status = match snapshot.sampling_rate {
        Some(rate) if (0.01..=0.1).contains(&rate) => Status::Pass,
        _ => Status::Warn,
    };
    Check {
        id: "sampling",
        what: "the share of items that sampling really kept",
        status,
        evidence: percent("kept", snapshot.sampling_rate),
        fix: "1 to 10 % is usual for traces of busy services; keep all where loss is not tolerable and the cost is",
    }
}

fn queue(snapshot: &Snapshot) -> Check {
    let fill = (snapshot.queue_bytes > 0).then(|| snapshot.queue_fill());
    let lost = snapshot.lost_items();
    let by_loss = if lost > 0 { Status::Fail } else { Status::Pass };
    Check {
        id: "queue",
        what: "how full the queue is, and what was lost",
        status: Status::above(fill, 0.5, 0.8).max(by_loss),
        evidence: format!("{}, {lost} items lost", percent("queue full to", fill)),
        fix: "deliver faster (see network and batching), raise the byte budget, or sample more",
    }
}

fn cardinality(snapshot: &Snapshot) -> Check {
    let most = snapshot.cardinality.iter().max_by_key(|key| key.distinct);
    Check {
        id: "cardinality",
        what: "values of the attribute with the most",
        status: Status::above(most.map(|key| key.distinct as f64), 1_000.0, 10_000.0),
        evidence: most.map_or_else(
            || "values per key not counted".to_owned(),
            |key| format!("{} has {} values", key.key, key.distinct),
        ),
        fix: "drop or bucket the attribute: identifiers, addresses and times do not belong into attributes of metrics",
    }
}
