//! The metrics of this crate's own types, and how they are written as Prometheus text.

use crate::{Desc, DropReason, Exposition, LedgerSnapshot, Resources};

const SIGNAL_AND_DESTINATION: &[&str] = &["signal", "destination"];

const ACCEPTED: Desc =
    Desc::counter("aqueduct_accepted_items_total", "{item}", "Items taken in; refusals are not among them.")
        .with_attributes(SIGNAL_AND_DESTINATION)
        .with_aliases(&["otlp.spans.created"]);
const RECOVERED: Desc =
    Desc::counter("aqueduct_recovered_items_total", "{item}", "Items found again after a restart.")
        .with_attributes(SIGNAL_AND_DESTINATION);
const DELIVERED: Desc =
    Desc::counter("aqueduct_delivered_items_total", "{item}", "Items that the destination took.")
        .with_attributes(SIGNAL_AND_DESTINATION)
        .with_convention("otel.sdk.exporter.{signal}.exported")
        .with_aliases(&["otlp.spans.exported"]);
const REJECTED: Desc =
    Desc::counter("aqueduct_rejected_items_total", "{item}", "Items that the destination refused for good.")
        .with_attributes(SIGNAL_AND_DESTINATION);
const DROPPED: Desc = Desc::counter("aqueduct_dropped_items_total", "{item}", "Items given up, by reason.")
    .with_attributes(&["signal", "destination", "reason"])
    .with_convention("otel.sdk.processor.{signal}.processed")
    .with_aliases(&["otlp.spans.dropped"]);
const HELD: Desc =
    Desc::gauge("aqueduct_held_items", "{item}", "Items taken in whose fate is not known yet.")
        .with_attributes(SIGNAL_AND_DESTINATION)
        .with_convention("otel.sdk.processor.{signal}.queue.size")
        .with_aliases(&["otlp.queue.size"]);

const CPU: Desc = Desc::counter(
    "aqueduct_process_cpu_seconds_total",
    "s",
    "CPU time of the process, user and system, since it started.",
)
.with_convention("process.cpu.time")
.with_aliases(&["otlp.cpu.usage"]);
const RSS: Desc = Desc::gauge("aqueduct_process_resident_memory_bytes", "By", "Memory in RAM.")
    .with_convention("process.memory.usage")
    .with_aliases(&["otlp.memory.usage"]);
const PEAK_RSS: Desc = Desc::gauge(
    "aqueduct_process_peak_resident_memory_bytes",
    "By",
    "The most memory that was in RAM at a time.",
);
const FDS: Desc = Desc::gauge("aqueduct_process_open_fds", "{descriptor}", "Open file descriptors.")
    .with_convention("process.open_file_descriptor.count");
const THREADS: Desc = Desc::gauge("aqueduct_process_threads", "{thread}", "Threads of the process.")
    .with_convention("process.thread.count");
const MEMORY_LIMIT: Desc = Desc::gauge(
    "aqueduct_process_memory_limit_bytes",
    "By",
    "The smallest memory limit of the process's control groups; absent without one.",
);
const CPU_LIMIT: Desc = Desc::gauge(
    "aqueduct_process_cpu_limit_cores",
    "{core}",
    "The smallest CPU quota of the process's control groups; absent without one.",
);

/// The metrics that this crate writes: those of the ledgers, with the labels `signal` and `destination`, and those of the process.
pub const METRICS: &[Desc] = &[
    ACCEPTED,
    RECOVERED,
    DELIVERED,
    REJECTED,
    DROPPED,
    HELD,
    CPU,
    RSS,
    PEAK_RSS,
    FDS,
    THREADS,
    MEMORY_LIMIT,
    CPU_LIMIT,
];

impl Exposition {
    /// Writes the metrics of ledgers, one row of labels each.
    ///
    /// Every [`DropReason`] is written, also those that never occurred: an alert on a series that appears with
    /// its first drop would miss that drop.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_metrics::{Ledger, Exposition};
    ///
    /// let ledger = Ledger::new();
    /// ledger.accept(3).delivered();
    /// let mut page = Exposition::new();
    /// page.ledgers(&[(&[("signal", "traces"), ("destination", "otlp")], ledger.snapshot())]);
    /// let line = "aqueduct_delivered_items_total{signal=\"traces\",destination=\"otlp\"} 3\n";
    /// assert!(page.prometheus_text().contains(line));
    /// ```
    pub fn ledgers(&mut self, rows: &[(&[(&str, &str)], LedgerSnapshot)]) {
        for (labels, row) in rows {
            self.family(&ACCEPTED).sample(labels, row.accepted);
            self.family(&RECOVERED).sample(labels, row.recovered);
            self.family(&DELIVERED).sample(labels, row.delivered);
            self.family(&REJECTED).sample(labels, row.rejected);
            self.family(&HELD).sample(labels, row.held());
            let mut family = self.family(&DROPPED);
            let mut labels = labels.to_vec();
            labels.push(("reason", ""));
            for reason in DropReason::ALL {
                if let Some(last) = labels.last_mut() {
                    last.1 = reason.as_str();
                }
                family.sample(&labels, row.dropped(reason));
            }
        }
    }

    /// Writes the metrics of this process.
    pub fn resources(&mut self, resources: &Resources) {
        self.family(&CPU).sample(&[], resources.cpu.as_secs_f64());
        self.family(&RSS).sample(&[], resources.rss_bytes);
        self.family(&PEAK_RSS).sample(&[], resources.peak_rss_bytes);
        self.family(&FDS).sample(&[], resources.open_fds);
        self.family(&THREADS).sample(&[], resources.threads);
        if let Some(limit) = resources.memory_limit_bytes {
            self.family(&MEMORY_LIMIT).sample(&[], limit);
        }
        if let Some(limit) = resources.cpu_limit {
            self.family(&CPU_LIMIT).sample(&[], limit);
        }
    }
}
