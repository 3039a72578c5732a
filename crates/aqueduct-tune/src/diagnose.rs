//! Where a pipeline is held up.

use std::fmt;

use crate::Snapshot;

/// A place where a pipeline can be held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bottleneck {
    /// The process has no CPU time left.
    Cpu,
    /// It has no memory left.
    Memory,
    /// The way to the destination carries no more.
    Network,
    /// Batches are too small, or items wait for them too long.
    Batching,
    /// More is kept than can be carried.
    Sampling,
    /// The queue is full.
    Queue,
    /// An attribute has too many values.
    Cardinality,
    /// The destination is slow, refuses, or fails.
    BackEnd,
}

impl Bottleneck {
    /// Every place.
    pub const ALL: [Bottleneck; 8] = [
        Bottleneck::Cpu,
        Bottleneck::Memory,
        Bottleneck::Network,
        Bottleneck::Batching,
        Bottleneck::Sampling,
        Bottleneck::Queue,
        Bottleneck::Cardinality,
        Bottleneck::BackEnd,
    ];

    /// The name in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Bottleneck::Cpu => "cpu",
            Bottleneck::Memory => "memory",
            Bottleneck::Network => "network",
            Bottleneck::Batching => "batching",
            Bottleneck::Sampling => "sampling",
            Bottleneck::Queue => "queue",
            Bottleneck::Cardinality => "cardinality",
            Bottleneck::BackEnd => "back_end",
        }
    }
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A place where a pipeline is held up, and what says so.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// Which place.
    pub bottleneck: Bottleneck,
    /// How sure and how bad, above 0.5 and at most 1.
    pub severity: f64,
    /// What says so, in words.
    pub evidence: String,
    /// The figures it is concluded from, by name.
    pub figures: Vec<(&'static str, f64)>,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.bottleneck, self.evidence)
    }
}

/// Where a pipeline was held up in a window, the worst first; nothing if it was not.
///
/// ```
/// use std::time::Duration;
/// use aqueduct_tune::{Bottleneck, Snapshot, diagnose};
///
/// let mut snapshot = Snapshot::default();
/// snapshot.window = Duration::from_secs(1);
/// (snapshot.cpu_used, snapshot.cpu_available) = (Some(1.96), Some(2.0));
/// let found = diagnose(&snapshot);
/// assert_eq!(found[0].bottleneck, Bottleneck::Cpu);
/// assert_eq!(found[0].to_string(), "cpu: 98.0 % of 2.0 cores in use");
/// ```
#[must_use]
pub fn diagnose(snapshot: &Snapshot) -> Vec<Diagnosis> {
    let mut found: Vec<Diagnosis> = Bottleneck::ALL
        .into_iter()
        .filter_map(|bottleneck| {
            let (severity, figures) = weigh(bottleneck, snapshot)?;
            let figures: Vec<_> = figures.into_iter().filter(|(name, _)| !name.is_empty()).collect();
            let evidence = evidence(bottleneck, snapshot, &figures);
            (severity > 0.5).then_some(Diagnosis { bottleneck, severity, evidence, figures })
        })
        .collect();
    found.sort_by(|a, b| b.severity.total_cmp(&a.severity));
    found
}

type Figures = [(&'static str, f64); 3];

const NOTHING: (&str, f64) = ("", 0.0);

/// 0.5 at the limit, 1 at the worst, and straight in between.
fn severity(figure: f64, limit: f64, worst: f64) -> f64 {
    let severity = 0.5 + 0.5 * (figure - limit) / (worst - limit);
    if severity.is_nan() { 0.0 } else { severity.clamp(0.0, 1.0) }
}

/// How bad it is there, and by which figures; `None` if nothing is known.
fn weigh(bottleneck: Bottleneck, snapshot: &Snapshot) -> Option<(f64, Figures)> {
    let wanted = snapshot.wanted_items().max(1) as f64;
    let short = (1.0 - snapshot.delivered_items as f64 / wanted).max(0.0);
    let lost = snapshot.lost_items() as f64 / snapshot.offered_items.max(1) as f64;
    let p99 = snapshot.export_p99.map_or(0.0, |p99| p99.as_secs_f64());
    Some(match bottleneck {
        Bottleneck::Cpu => {
            let share = snapshot.cpu_share()?;
            let ns = snapshot.cpu_ns_per_item().unwrap_or(0.0);
            (severity(share, 0.8, 1.0), [("cpu_share", share), ("cpu_ns_per_item", ns), NOTHING])
        }
        Bottleneck::Memory => {
            let share = snapshot.memory_share()?;
            (severity(share, 0.8, 1.0), [("memory_share", share), NOTHING, NOTHING])
        }
        Bottleneck::Network => {
            let share = snapshot.network_share()?;
            let ratio = snapshot.compression_ratio.unwrap_or(1.0);
            (severity(share, 0.75, 1.0), [("network_share", share), ("compression_ratio", ratio), NOTHING])
        }
        Bottleneck::Batching => batching(snapshot)?,
        Bottleneck::Sampling => {
            let rate = snapshot.sampling_rate?;
            // Only where what was kept could not be carried: to keep everything is no fault in itself.
            let severe = if rate > 0.1 { severity(short.max(lost), 0.05, 0.5) } else { 0.0 };
            (severe, [("sampling_rate", rate), ("not_delivered", short), NOTHING])
        }
        Bottleneck::Queue => {
            let fill = snapshot.queue_fill();
            let severe =
                severity(fill, 0.7, 1.0).max(if lost > 0.0 { severity(lost, 0.0, 0.1) } else { 0.0 });
            (severe, [("queue_fill", fill), ("lost_share", lost), NOTHING])
        }
        Bottleneck::Cardinality => {
            let most = snapshot.cardinality.iter().map(|key| key.distinct).max()? as f64;
            (severity(most.max(1.0).log10(), 3.0, 5.0), [("distinct", most), NOTHING, NOTHING])
        }
        Bottleneck::BackEnd => {
            let success = snapshot.success_rate()?;
            let fill = snapshot.in_flight_fill();
            let failing = severity(1.0 - success, 0.05, 0.5);
            let slow = if fill > 0.8 { severity(p99, 0.1, 1.0) } else { 0.0 };
            (
                failing.max(slow),
                [("success_rate", success), ("export_p99_seconds", p99), ("in_flight_fill", fill)],
            )
        }
    })
}

/// Many requests of few items, or items that wait for a batch although it fills by time alone.
fn batching(snapshot: &Snapshot) -> Option<(f64, Figures)> {
    let seconds = snapshot.window.as_secs_f64();
    let requests = (seconds > 0.0).then(|| snapshot.requests as f64 / seconds)?;
    let size = snapshot.delivered_items as f64 / snapshot.requests_succeeded.max(1) as f64;
    let wait = snapshot.wait_p99.map_or(0.0, |wait| wait.as_secs_f64());
    let small = if snapshot.requests > 0 && size < 64.0 { severity(requests, 100.0, 2_000.0) } else { 0.0 };
    let late = if snapshot.sealed.by_age() > 0.5 && snapshot.queue_fill() < 0.5 {
        severity(wait, 0.5, 5.0)
    } else {
        0.0
    };
    Some((
        small.max(late),
        [("requests_per_second", requests), ("items_per_request", size), ("wait_p99_seconds", wait)],
    ))
}

fn evidence(bottleneck: Bottleneck, snapshot: &Snapshot, figures: &[(&'static str, f64)]) -> String {
    let figure = |index: usize| figures.get(index).map_or(0.0, |(_, value)| *value);
    let (first, second, third) = (figure(0), figure(1), figure(2));
    let percent = first * 100.0;
    match bottleneck {
        Bottleneck::Cpu => {
            format!("{percent:.1} % of {:.1} cores in use", snapshot.cpu_available.unwrap_or(0.0))
        }
        Bottleneck::Memory => {
            let limit = snapshot.memory_limit_bytes.unwrap_or(0) >> 20;
            format!("{percent:.1} % of {limit} MiB in use")
        }
        Bottleneck::Network => {
            format!("{percent:.1} % of the network's capacity in use, compressed {second:.1} to 1")
        }
        Bottleneck::Batching => {
            format!("{first:.0} requests/s of {second:.0} items, which waited {:.0} ms (P99)", third * 1e3)
        }
        Bottleneck::Sampling => {
            format!(
                "{percent:.1} % of the items are kept, and {:.1} % of these were not delivered",
                second * 100.0
            )
        }
        Bottleneck::Queue => {
            format!("queue full to {percent:.1} %, {:.2} % of the items lost", second * 100.0)
        }
        Bottleneck::Cardinality => format!("an attribute has {first:.0} values"),
        Bottleneck::BackEnd => format!(
            "{percent:.1} % of requests succeed, P99 {:.0} ms, {:.0} % of the requests that may be under way are",
            second * 1e3,
            third * 100.0
        ),
    }
}
