//! What the demo found: every item accounted for, latency, cost, and how that compares with the targets.

use std::fmt;
use std::io;
use std::time::Duration;

use aqueduct::metrics::Resources;
use serde::Serialize;
use serde_json::Value;

use super::DemoArgs;
use crate::ids::{ProducerRanges, ranges};

/// The measurements that a report is made of.
pub(crate) struct Facts<'a> {
    pub(crate) args: &'a DemoArgs,
    /// The generator's report.
    pub(crate) loaded: &'a Value,
    /// The sink's report.
    pub(crate) received: &'a Value,
    /// The gateway before and after the load.
    pub(crate) before: Resources,
    pub(crate) after: Resources,
    /// How long the load and the drain took.
    pub(crate) took: Duration,
    pub(crate) retries: u64,
}

/// The last line of `aqueduct demo --json`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Spans that the generator made.
    offered: u64,
    /// Spans that the sink has, each counted once.
    received: u64,
    /// Spans that were acknowledged and that the sink does not have 10 s after the end of the load.
    lost: u64,
    /// Spans that the sink received again.
    duplicated: u64,
    /// Spans that were refused until their time was over: the sender still has them.
    refused: u64,
    requests_per_second: f64,
    /// To the acknowledgement, from the moment a request was due.
    p50_ms: f64,
    p99_ms: f64,
    /// The gateway process, 100 is one core.
    cpu_percent: f64,
    /// The gateway process at its largest.
    rss_mb: f64,
    /// From the gateway to the sink.
    wire_mbit_per_s: f64,
    /// Attempts of the gateway that followed a failed one.
    retries: u64,
    #[serde(skip)]
    offered_rate: u32,
    #[serde(skip)]
    cores: usize,
}

impl Report {
    pub(crate) fn new(facts: &Facts<'_>) -> io::Result<Self> {
        let (loaded, received) = (facts.loaded, facts.received);
        let acknowledged = all_ranges(loaded, "acknowledged_ranges")?;
        let arrived = all_ranges(received, "received_ranges")?;
        let lost = acknowledged.iter().map(|(producer, acknowledged)| {
            let arrived = arrived.get(producer).map_or(&[][..], Vec::as_slice);
            ranges::count(&ranges::subtract(acknowledged, arrived))
        });
        let seconds = facts.took.as_secs_f64();
        let cpu = facts.after.cpu.saturating_sub(facts.before.cpu).as_secs_f64();
        Ok(Self {
            offered: number(loaded, "offered")?,
            received: number(received, "received")?,
            lost: lost.sum(),
            duplicated: number(received, "duplicates")?,
            refused: number(loaded, "refused")?,
            requests_per_second: float(loaded, "requests_per_second")?,
            p50_ms: float(loaded, "p50_ms")?,
            p99_ms: float(loaded, "p99_ms")?,
            cpu_percent: cpu / float(loaded, "seconds")? * 100.0,
            rss_mb: megabytes(facts.after.peak_rss_bytes),
            wire_mbit_per_s: number(received, "wire_bytes")? as f64 * 8.0 / 1e6 / seconds,
            retries: facts.retries,
            offered_rate: facts.args.rate(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        })
    }

    pub(crate) fn nothing_lost(&self) -> bool {
        self.lost == 0
    }

    pub(crate) fn to_json(&self) -> String {
        // Numbers and names only: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offered_rate = f64::from(self.offered_rate);
        let machine_share = self.cpu_percent / self.cores as f64;
        writeln!(f, "offered {} spans, received {}", self.offered, self.received)?;
        writeln!(f, "lost {}, duplicated {}, refused {}", self.lost, self.duplicated, self.refused)?;
        writeln!(f, "retries {}", self.retries)?;
        writeln!(f)?;
        writeln!(f, "{:<34}{:>12}  {:<14}", "", "measured", "target")?;
        let mut row = |name: &str, measured: String, target: &str, holds: bool| {
            writeln!(f, "{name:<34}{measured:>12}  {target:<14}{}", if holds { "holds" } else { "missed" })
        };
        let rate = self.requests_per_second;
        // The clock of the open loop may end a moment before its last request is acknowledged.
        row("requests per second", format!("{rate:.0}"), "as offered", rate >= offered_rate * 0.99)?;
        row("P99 to the acknowledgement, ms", format!("{:.2}", self.p99_ms), "< 50", self.p99_ms < 50.0)?;
        row("peak memory, MB", format!("{:.1}", self.rss_mb), "< 256", self.rss_mb < 256.0)?;
        row("CPU, % of the machine", format!("{machine_share:.1}"), "< 60", machine_share < 60.0)?;
        row("egress, Mbit/s", format!("{:.1}", self.wire_mbit_per_s), "< 50", self.wire_mbit_per_s < 50.0)?;
        row("lost spans", self.lost.to_string(), "0", self.lost == 0)?;
        write!(f, "(P50 {:.2} ms; CPU is {:.1} % of one core)", self.p50_ms, self.cpu_percent)
    }
}

/// Bytes as megabytes of a million.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn missing(field: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a process's report lacks `{field}`"))
}

fn number(report: &Value, field: &str) -> io::Result<u64> {
    report.get(field).and_then(Value::as_u64).ok_or_else(|| missing(field))
}

fn float(report: &Value, field: &str) -> io::Result<f64> {
    report.get(field).and_then(Value::as_f64).ok_or_else(|| missing(field))
}

fn all_ranges(report: &Value, field: &str) -> io::Result<ProducerRanges> {
    let value = report.get(field).cloned().ok_or_else(|| missing(field))?;
    serde_json::from_value(value).map_err(io::Error::from)
}
