//! What a sink has seen, in numbers.

use super::recorder::Record;
use crate::ids::ProducerRanges;
use aqueduct::receiver::StatsSnapshot;
use aqueduct::wire::Signal;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What a sink has seen.
///
/// Not exhaustive: fields are only added.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SinkReport {
    /// Distinct items of the load generator.
    pub received: u64,
    /// Items of the load generator that had been received before.
    pub duplicates: u64,
    /// Items of anybody else.
    pub foreign: u64,
    /// Items per signal: received, duplicates and foreign together.
    pub items_per_signal: BTreeMap<&'static str, u64>,
    /// Requests whose items were recorded.
    pub requests: u64,
    /// Requests that were made to fail.
    pub failed_requests: u64,
    /// Requests that were left without an answer.
    pub hung_requests: u64,
    /// Requests that were no valid OTLP, by reason.
    pub invalid_requests: BTreeMap<&'static str, u64>,
    /// Connections accepted.
    pub connections: u64,
    /// Bytes of the recorded requests' messages, inflated, as protobuf.
    pub bytes: u64,
    /// Bytes of the recorded requests' bodies as they were sent, without HTTP's framing.
    pub wire_bytes: u64,
    /// `wire_bytes` in megabits per second, from the first request to the last.
    pub wire_mbit_per_s: f64,
    /// Recorded requests per second, from the first request to the last.
    pub requests_per_second: f64,
    /// Milliseconds from listening again after being down to the first request recorded.
    pub first_after_down_ms: Option<f64>,
    /// Milliseconds from listening again after being down to the last item that had not been here before.
    pub last_new_after_down_ms: Option<f64>,
    /// Milliseconds since an item arrived that had not been here before: how long it has been quiet.
    pub quiet_ms: Option<f64>,
    /// Processor time of this process, user and system, in seconds.
    pub cpu_seconds: f64,
    /// Sequences of the received items per producer, as inclusive ranges.
    pub received_ranges: ProducerRanges,
}

impl SinkReport {
    pub(crate) fn new(record: &Record, stats: &StatsSnapshot, cpu: Duration, now: Instant) -> Self {
        let ms = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
        let span = match (record.first, record.last) {
            (Some(first), Some(last)) => (last - first).as_secs_f64(),
            _ => 0.0,
        };
        let per_second = |amount: f64| if span > 0.0 { amount / span } else { 0.0 };
        Self {
            received: record.census.len(),
            duplicates: record.census.duplicates(),
            foreign: record.foreign,
            items_per_signal: Signal::ALL
                .iter()
                .map(|signal| (signal.as_str(), record.items[signal.index()]))
                .collect(),
            requests: record.requests,
            failed_requests: record.failed,
            hung_requests: record.hung,
            invalid_requests: super::server::refusals(stats),
            connections: stats.connections,
            bytes: record.bytes,
            wire_bytes: record.wire_bytes,
            wire_mbit_per_s: per_second(record.wire_bytes as f64 * 8.0 / 1e6),
            requests_per_second: per_second(record.requests as f64),
            first_after_down_ms: record
                .up_again
                .zip(record.first_after_down)
                .map(|(up, first)| ms(up, first)),
            last_new_after_down_ms: record
                .up_again
                .zip(record.last_new)
                .and_then(|(up, last)| (last >= up).then(|| ms(up, last))),
            quiet_ms: record.last_new.map(|last| ms(last, now)),
            cpu_seconds: cpu.as_secs_f64(),
            received_ranges: record.census.ranges(),
        }
    }
}
