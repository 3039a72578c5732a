//! The metrics of a server: their descriptions, and how a reading is written.

use crate::stats::{RefuseReason, SignalSnapshot, StatsSnapshot};
use aqueduct_metrics::{Desc, Exposition};
use aqueduct_wire::Signal;

const SIGNAL: &[&str] = &["signal"];

const REQUESTS: Desc = Desc::counter(
    "aqueduct_receiver_accepted_requests_total",
    "{request}",
    "Requests answered with success.",
)
.with_attributes(SIGNAL);
const ITEMS: Desc = Desc::counter(
    "aqueduct_receiver_accepted_items_total",
    "{item}",
    "Spans, data points and log records in requests answered with success.",
)
.with_attributes(SIGNAL);
const REJECTED: Desc = Desc::counter(
    "aqueduct_receiver_rejected_items_total",
    "{item}",
    "Items of accepted requests that a partial success told the client to be rejected.",
)
.with_attributes(SIGNAL);
const WIRE_BYTES: Desc = Desc::counter(
    "aqueduct_receiver_wire_bytes_total",
    "By",
    "Bodies of accepted requests as they were sent, compressed or not.",
)
.with_attributes(SIGNAL);
const BYTES: Desc = Desc::counter(
    "aqueduct_receiver_bytes_total",
    "By",
    "Bodies of accepted requests, inflated and as protobuf.",
)
.with_attributes(SIGNAL);
const REFUSED: Desc = Desc::counter(
    "aqueduct_receiver_refused_requests_total",
    "{request}",
    "Requests that were not accepted, and connections that were not served, by reason.",
)
.with_attributes(&["reason"]);
const CONNECTIONS: Desc =
    Desc::counter("aqueduct_receiver_connections_total", "{connection}", "Connections opened.");
const OPEN: Desc = Desc::gauge("aqueduct_receiver_open_connections", "{connection}", "Connections open now.");

/// Every metric of this crate.
pub const METRICS: &[Desc] = &[REQUESTS, ITEMS, REJECTED, WIRE_BYTES, BYTES, REFUSED, CONNECTIONS, OPEN];

pub(crate) fn write(snapshot: &StatsSnapshot, page: &mut Exposition) {
    type Column = fn(&SignalSnapshot) -> u64;
    let rows: [(&Desc, Column); 5] = [
        (&REQUESTS, |row| row.requests),
        (&ITEMS, |row| row.items),
        (&REJECTED, |row| row.rejected_items),
        (&WIRE_BYTES, |row| row.wire_bytes),
        (&BYTES, |row| row.bytes),
    ];
    for (desc, value) in rows {
        let mut family = page.family(desc);
        for signal in Signal::ALL {
            family.sample(&[("signal", signal.as_str())], value(&snapshot.of(signal)));
        }
    }
    let mut family = page.family(&REFUSED);
    for reason in RefuseReason::ALL {
        family.sample(&[("reason", reason.as_str())], snapshot.refused(reason));
    }
    page.family(&CONNECTIONS).sample(&[], snapshot.connections);
    page.family(&OPEN).sample(&[], snapshot.open_connections as u64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::ReceiverStats;

    /// Guards that each description has samples, and each sample a description.
    #[test]
    fn every_metric_is_written() {
        let stats = ReceiverStats::default();
        stats.refuse(RefuseReason::TooLarge);
        let mut page = Exposition::new();
        stats.write_metrics(&mut page);
        let text = page.prometheus_text();
        for desc in METRICS {
            let sample =
                |line: &str| line.starts_with(desc.name) && line[desc.name.len()..].starts_with(['{', ' ']);
            assert!(text.lines().any(sample), "{}", desc.name);
        }
        assert_eq!(text.matches("# TYPE").count(), METRICS.len());
        assert!(text.contains("aqueduct_receiver_refused_requests_total{reason=\"too_large\"} 1\n"));
    }
}
