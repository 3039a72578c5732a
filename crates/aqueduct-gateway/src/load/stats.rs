//! What a run adds up to.

use crate::ids::{Census, ItemId, ProducerRanges};
use aqueduct::metrics::LatencyHistogram;
use serde::Serialize;
use std::time::{Duration, Instant};

/// The counts of one generator thread. Requests, unless a name says items.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) offered: u64,
    pub(crate) acknowledged: u64,
    pub(crate) acknowledged_items: u64,
    pub(crate) rejected: u64,
    pub(crate) rejected_items: u64,
    pub(crate) partial: u64,
    pub(crate) refused: u64,
    pub(crate) unanswered: u64,
    pub(crate) unsent: u64,
    pub(crate) retries: u64,
    /// Attempts answered with "later", whatever became of the request.
    pub(crate) refusals: u64,
    pub(crate) connects: u64,
    pub(crate) last_acknowledged: Option<Instant>,
    /// When the thread began its last request, or was told to stop.
    pub(crate) ended: Option<Instant>,
    pub(crate) latency: LatencyHistogram,
    pub(crate) census: Census,
    /// Why the last attempt that was not acknowledged was not.
    pub(crate) last_problem: Option<String>,
}

impl Stats {
    pub(crate) fn acknowledged(&mut self, first: ItemId, items: u64, latency: Duration, now: Instant) {
        self.acknowledged += 1;
        self.acknowledged_items += items;
        self.latency.record(latency);
        self.last_acknowledged = Some(now);
        self.census.insert_run(first.producer, first.sequence, items);
    }

    pub(crate) fn partial(&mut self, items: u64, rejected: u64, latency: Duration, now: Instant) {
        let rejected = rejected.min(items);
        self.acknowledged += 1;
        self.partial += 1;
        self.acknowledged_items += items - rejected;
        self.rejected_items += rejected;
        self.latency.record(latency);
        self.last_acknowledged = Some(now);
    }

    /// Adds another thread's counts.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.offered += other.offered;
        self.acknowledged += other.acknowledged;
        self.acknowledged_items += other.acknowledged_items;
        self.rejected += other.rejected;
        self.rejected_items += other.rejected_items;
        self.partial += other.partial;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.unsent += other.unsent;
        self.retries += other.retries;
        self.refusals += other.refusals;
        self.connects += other.connects;
        self.last_acknowledged = self.last_acknowledged.max(other.last_acknowledged);
        self.latency.merge(&other.latency);
        self.census.merge(&other.census);
        if other.last_problem.is_some() {
            self.last_problem.clone_from(&other.last_problem);
        }
    }
}

/// What a run of the generator came to. `offered = acknowledged + refused + rejected + unanswered`, exactly, in items.
///
/// Not exhaustive: fields are only added.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct LoadReport {
    /// Items of all requests that were begun.
    pub offered: u64,
    /// Items the server took responsibility for.
    pub acknowledged: u64,
    /// Items the server asked to send later until their time was over. The sender still has them: they are not lost.
    pub refused: u64,
    /// Items the server will never take: permanent errors and partial success.
    pub rejected: u64,
    /// Items sent at least once whose time was over without an answer. The server may have them or not.
    pub unanswered: u64,
    /// Requests that were due in the open loop and never begun, because the connection was saturated. Not offered.
    pub unsent_requests: u64,
    /// Attempts after a first.
    pub retries: u64,
    /// Attempts answered with "later", including those whose retry succeeded.
    pub refusals: u64,
    /// Requests answered with partial success.
    pub partial_requests: u64,
    /// Requests begun.
    pub requests: u64,
    /// Requests acknowledged.
    pub acknowledged_requests: u64,
    /// Connections made, reconnections included.
    pub connects: u64,
    /// Items per request.
    pub items_per_request: u64,
    /// Bytes of a request's message before compression.
    pub request_bytes: u64,
    /// How long requests were begun, in seconds.
    pub seconds: f64,
    /// Acknowledged requests per second, over the time to the later of the run's end and the last acknowledgement.
    pub requests_per_second: f64,
    /// Latency to the acknowledgement in milliseconds: from the intended time in an open loop, from the first attempt in a closed one.
    pub p50_ms: f64,
    /// As `p50_ms`, the 90th percentile.
    pub p90_ms: f64,
    /// As `p50_ms`, the 99th percentile.
    pub p99_ms: f64,
    /// As `p50_ms`, the 99.9th percentile.
    pub p999_ms: f64,
    /// As `p50_ms`, the largest.
    pub max_ms: f64,
    /// Processor time of this process, user and system, in seconds.
    pub cpu_seconds: f64,
    /// Why the last attempt that was not acknowledged was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_problem: Option<String>,
    /// Sequences of the acknowledged items per producer, as inclusive ranges. Requests with partial success are left out: which
    /// of their items were taken is not known.
    pub acknowledged_ranges: ProducerRanges,
}

impl LoadReport {
    pub(crate) fn new(
        stats: &Stats,
        items: u64,
        request_bytes: u64,
        start: Instant,
        end: Instant,
        cpu: Duration,
    ) -> Self {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let quantile = |q: f64| if stats.acknowledged == 0 { 0.0 } else { ms(stats.latency.quantile(q)) };
        let span = stats.last_acknowledged.map_or(end, |last| last.max(end)) - start;
        Self {
            offered: stats.offered * items,
            acknowledged: stats.acknowledged_items,
            refused: stats.refused * items,
            rejected: stats.rejected * items + stats.rejected_items,
            unanswered: stats.unanswered * items,
            unsent_requests: stats.unsent,
            retries: stats.retries,
            refusals: stats.refusals,
            partial_requests: stats.partial,
            requests: stats.offered,
            acknowledged_requests: stats.acknowledged,
            connects: stats.connects,
            items_per_request: items,
            request_bytes,
            seconds: (end - start).as_secs_f64(),
            requests_per_second: stats.acknowledged as f64 / span.as_secs_f64().max(1e-9),
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            max_ms: if stats.acknowledged == 0 { 0.0 } else { ms(stats.latency.max()) },
            cpu_seconds: cpu.as_secs_f64(),
            last_problem: stats.last_problem.clone(),
            acknowledged_ranges: stats.census.ranges(),
        }
    }
}
