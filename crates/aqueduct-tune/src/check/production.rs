//! Ten things that should be settled before an installation carries what matters.

use std::fmt;
use std::time::Duration;

use crate::check::{Check, Status, lines, percent, worst};

/// What is known about an installation. What is `None` is not known, and becomes a warning.
///
/// ```
/// use std::time::Duration;
/// use aqueduct_tune::{ProductionChecklist, ProductionFacts, Status};
///
/// let mut facts = ProductionFacts::default();
/// facts.batch_items = Some(8_192);
/// facts.batch_delay = Some(Duration::from_millis(200));
/// let checklist = ProductionChecklist::of(&facts);
/// assert_eq!(checklist.checks()[1].status, Status::Pass);
/// assert_eq!(checklist.status(), Status::Warn, "the rest is not known");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ProductionFacts {
    /// The share of traces that is kept, from 0 to 1.
    pub sampling_rate: Option<f64>,
    /// Items in a batch at most.
    pub batch_items: Option<u64>,
    /// How long an item may wait for its batch.
    pub batch_delay: Option<Duration>,
    /// The byte budget of the queue.
    pub queue_bytes: Option<u64>,
    /// Memory that the process may have, in bytes.
    pub memory_limit_bytes: Option<u64>,
    /// How long one attempt may take.
    pub export_timeout: Option<Duration>,
    /// Connections to each destination.
    pub connections: Option<u64>,
    /// How often an idle connection is probed.
    pub keepalive: Option<Duration>,
    /// Whether batches are compressed.
    pub compressed: Option<bool>,
    /// Whether every destination is on this machine or in this rack.
    pub destination_is_near: Option<bool>,
    /// The most values that any attribute has.
    pub most_distinct_values: Option<u64>,
    /// Whether the process's metrics are scraped or sent somewhere.
    pub monitored: Option<bool>,
    /// Whether somebody is told when items are lost.
    pub alerts: Option<bool>,
    /// The load that was tested, over the load that is expected.
    pub tested_load: Option<f64>,
    /// Whether a circuit breaker keeps a destination that is down from being hammered.
    pub breaker: Option<bool>,
    /// Whether failed requests are tried again.
    pub retry: Option<bool>,
    /// Whether the configuration says why it is as it is.
    pub documented: Option<bool>,
}

/// What one point of the [`ProductionChecklist`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProductionItem {
    /// A short name that does not change, for scripts.
    pub id: &'static str,
    /// What should be the case.
    pub what: &'static str,
    /// What to do if it is not.
    pub fix: &'static str,
}

/// Ten things that should be settled before an installation carries what matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductionChecklist {
    checks: Vec<Check>,
}

const fn item(id: &'static str, what: &'static str, fix: &'static str) -> ProductionItem {
    ProductionItem { id, what, fix }
}

impl ProductionChecklist {
    /// The ten points, in their order.
    pub const ITEMS: [ProductionItem; 10] = [
        item(
            "sampling",
            "1 to 10 % of traces are kept",
            "set a sampling rate, or write down why all are kept",
        ),
        item(
            "batching",
            "batches hold 256 to 16,384 items and wait 10 ms to 5 s",
            "set batch items and delay; 8,192 and 200 ms are a good start",
        ),
        item(
            "queue",
            "the queue is bounded well below the memory limit, and attempts end",
            "set the byte budget to at most half of the memory limit, and an export time-out of 1 to 60 s",
        ),
        item(
            "connections",
            "connections are few, reused and kept alive",
            "1 to 16 connections per destination, keepalive of 10 to 60 s",
        ),
        item(
            "compression",
            "batches are compressed where the network is the bottleneck",
            "compress with zstd or gzip at level 1 towards destinations that are far",
        ),
        item(
            "cardinality",
            "no attribute has many values",
            "drop or bucket attributes with 1,000 values or more",
        ),
        item(
            "monitoring",
            "metrics are collected and alerts are set",
            "scrape the metrics and load the alert rules",
        ),
        item(
            "load_test",
            "twice the expected load was tested",
            "test with a load generator, and compare what was sent with what arrived",
        ),
        item(
            "degradation",
            "failures are retried, and a destination that is down is left alone",
            "switch retry and circuit breaker on",
        ),
        item(
            "documentation",
            "the configuration says why it is as it is",
            "write the reasons beside the settings",
        ),
    ];

    /// Looks at an installation.
    #[must_use]
    pub fn of(facts: &ProductionFacts) -> Self {
        let found = [
            sampling(facts),
            batching(facts),
            queue(facts),
            connections(facts),
            compression(facts),
            cardinality(facts),
            all(&[("monitored", facts.monitored), ("alerts", facts.alerts)]),
            load_test(facts),
            all(&[("retry", facts.retry), ("circuit breaker", facts.breaker)]),
            all(&[("documented", facts.documented)]),
        ];
        let checks = Self::ITEMS.iter().zip(found).map(|(item, (status, evidence))| Check {
            id: item.id,
            what: item.what,
            status,
            evidence,
            fix: item.fix,
        });
        Self { checks: checks.collect() }
    }

    /// The ten, always in the same order.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The worst of the ten.
    #[must_use]
    pub fn status(&self) -> Status {
        worst(&self.checks)
    }
}

impl fmt::Display for ProductionChecklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lines(&self.checks, f)
    }
}

type Found = (Status, String);

/// Fails if something is not so, warns if it is not known.
fn all(facts: &[(&str, Option<bool>)]) -> Found {
    let status = |fact: &Option<bool>| match fact {
        Some(true) => Status::Pass,
        Some(false) => Status::Fail,
        None => Status::Warn,
    };
    let text = |(name, fact): &(&str, Option<bool>)| match fact {
        Some(true) => format!("{name}: yes"),
        Some(false) => format!("{name}: no"),
        None => format!("{name}: not known"),
    };
    let worst = facts.iter().map(|(_, fact)| status(fact)).max().unwrap_or(Status::Pass);
    (worst, facts.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// Passes inside of a range, fails outside of it, warns if nothing is known.
fn inside<T: PartialOrd>(figure: Option<T>, low: T, high: T) -> Status {
    match figure {
        None => Status::Warn,
        Some(figure) if figure >= low && figure <= high => Status::Pass,
        Some(_) => Status::Fail,
    }
}

fn shown<T: fmt::Debug>(what: &str, figure: Option<T>) -> String {
    figure.map_or_else(|| format!("{what} not known"), |figure| format!("{what} {figure:?}"))
}

fn sampling(facts: &ProductionFacts) -> Found {
    let status = match facts.sampling_rate {
        Some(rate) if (0.01..=0.1).contains(&rate) => Status::Pass,
        // To keep everything is a decision, nothing a mistake.
        Some(rate) if rate > 0.0 && rate <= 1.0 => Status::Warn,
        Some(_) => Status::Fail,
        None => Status::Warn,
    };
    (status, percent("kept", facts.sampling_rate))
}

fn batching(facts: &ProductionFacts) -> Found {
    let items = inside(facts.batch_items, 256, 16_384);
    let delay = inside(facts.batch_delay, Duration::from_millis(10), Duration::from_secs(5));
    let evidence = format!("{}, {}", shown("items", facts.batch_items), shown("delay", facts.batch_delay));
    (items.max(delay), evidence)
}

fn queue(facts: &ProductionFacts) -> Found {
    let share = match (facts.queue_bytes, facts.memory_limit_bytes) {
        (Some(queue), Some(limit)) if limit > 0 => Some(queue as f64 / limit as f64),
        _ => None,
    };
    let bounded = if facts.queue_bytes == Some(0) { Status::Fail } else { Status::above(share, 0.5, 0.8) };
    let timeout = inside(facts.export_timeout, Duration::from_secs(1), Duration::from_secs(60));
    let evidence = format!(
        "{}, {}, {}",
        shown("bytes", facts.queue_bytes),
        percent("of the memory limit", share),
        shown("time-out", facts.export_timeout)
    );
    (bounded.max(timeout), evidence)
}

fn connections(facts: &ProductionFacts) -> Found {
    let count = inside(facts.connections, 1, 16);
    let keepalive = match facts.keepalive {
        Some(every) if every < Duration::from_secs(1) => Status::Fail,
        Some(every) if every <= Duration::from_secs(60) && every >= Duration::from_secs(10) => Status::Pass,
        _ => Status::Warn,
    };
    let evidence =
        format!("{}, {}", shown("connections", facts.connections), shown("keepalive", facts.keepalive));
    (count.max(keepalive), evidence)
}

fn compression(facts: &ProductionFacts) -> Found {
    let status = match (facts.compressed, facts.destination_is_near) {
        (Some(true), _) | (_, Some(true)) => Status::Pass,
        (Some(false), Some(false)) => Status::Fail,
        _ => Status::Warn,
    };
    let text = |yes: Option<bool>| yes.map_or("not known", |yes| if yes { "yes" } else { "no" });
    (
        status,
        format!(
            "compressed: {}, destination near: {}",
            text(facts.compressed),
            text(facts.destination_is_near)
        ),
    )
}

fn cardinality(facts: &ProductionFacts) -> Found {
    let most = facts.most_distinct_values;
    (
        Status::above(most.map(|values| values as f64), 1_000.0, 10_000.0),
        shown("most values of an attribute", most),
    )
}

fn load_test(facts: &ProductionFacts) -> Found {
    let status = match facts.tested_load {
        Some(times) if times >= 2.0 => Status::Pass,
        Some(times) if times >= 1.0 => Status::Warn,
        Some(_) => Status::Fail,
        None => Status::Warn,
    };
    let evidence = facts.tested_load.map_or_else(
        || "tested load not known".to_owned(),
        |times| format!("tested with {times:.1} times the load"),
    );
    (status, evidence)
}
