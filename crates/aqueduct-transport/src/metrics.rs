//! The metrics of clients: their descriptions, and how a reading is written.

use aqueduct_metrics::{Desc, Exposition};

use crate::client::Client;
use crate::compress::CompressionStats;
use crate::status::ClientStatus;

const DESTINATION: &[&str] = &["destination"];

const ATTEMPTS: Desc = Desc::counter(
    "aqueduct_export_attempts_total",
    "{attempt}",
    "Attempts to deliver a batch, by how they ended.",
)
.with_attributes(&["destination", "outcome"]);
const DELIVERED_BYTES: Desc = Desc::counter(
    "aqueduct_export_delivered_bytes_total",
    "By",
    "Bytes of request bodies that peers took, as compressed.",
)
.with_attributes(DESTINATION);
const CONNECTIONS: Desc =
    Desc::gauge("aqueduct_export_connections", "{connection}", "Connections to the peer that are up.")
        .with_attributes(DESTINATION);
const CONNECTS: Desc = Desc::counter(
    "aqueduct_export_connects_total",
    "{connection}",
    "Connections to the peer that came about.",
)
.with_attributes(DESTINATION);
const CONNECT_FAILURES: Desc = Desc::counter(
    "aqueduct_export_connect_failures_total",
    "{failure}",
    "Connections to the peer that did not come about.",
)
.with_attributes(DESTINATION);
const COMPRESSION_IN: Desc =
    Desc::counter("aqueduct_compression_input_bytes_total", "By", "Bytes that went into compression.")
        .with_attributes(DESTINATION);
const COMPRESSION_OUT: Desc =
    Desc::counter("aqueduct_compression_output_bytes_total", "By", "Bytes that came out of compression.")
        .with_attributes(DESTINATION);
const COMPRESSION_TIME: Desc =
    Desc::counter("aqueduct_compression_seconds_total", "s", "Time spent compressing.")
        .with_attributes(DESTINATION);

/// Descriptors of what [`ClientStatus`] and [`CompressionStats`] count. `outcome` is `delivered`, `partial`,
/// `retryable`, `permanent` or `too_large`; `destination` is the name that the caller knows the client by.
pub const METRICS: &[Desc] = &[
    ATTEMPTS,
    DELIVERED_BYTES,
    CONNECTIONS,
    CONNECTS,
    CONNECT_FAILURES,
    COMPRESSION_IN,
    COMPRESSION_OUT,
    COMPRESSION_TIME,
];

/// Writes the families of [`METRICS`] for these clients, each with the name of its destination.
pub fn write_metrics<'a>(clients: impl IntoIterator<Item = (&'a str, &'a Client)>, page: &mut Exposition) {
    let clients: Vec<(&str, ClientStatus, CompressionStats)> = clients
        .into_iter()
        .map(|(destination, client)| (destination, client.status(), client.compression()))
        .collect();
    let mut family = page.family(&ATTEMPTS);
    for (destination, status, _) in &clients {
        let outcomes = [
            ("delivered", status.delivered),
            ("partial", status.partial),
            ("retryable", status.retryable),
            ("permanent", status.permanent),
            ("too_large", status.too_large),
        ];
        for (outcome, attempts) in outcomes {
            family.sample(&[("destination", *destination), ("outcome", outcome)], attempts);
        }
    }
    type Reading = fn(&ClientStatus, &CompressionStats) -> u64;
    let counts: [(&Desc, Reading); 6] = [
        (&DELIVERED_BYTES, |status, _| status.delivered_bytes),
        (&CONNECTIONS, |status, _| status.connections as u64),
        (&CONNECTS, |status, _| status.connects),
        (&CONNECT_FAILURES, |status, _| status.connect_failures),
        (&COMPRESSION_IN, |_, compression| compression.bytes_in),
        (&COMPRESSION_OUT, |_, compression| compression.bytes_out),
    ];
    for (desc, value) in counts {
        let mut family = page.family(desc);
        for (destination, status, compression) in &clients {
            family.sample(&[("destination", *destination)], value(status, compression));
        }
    }
    let mut family = page.family(&COMPRESSION_TIME);
    for (destination, _, compression) in &clients {
        family.sample(&[("destination", *destination)], compression.time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ClientConfig;

    /// Guards that each description has samples, and each sample a description.
    #[cfg(feature = "grpc")]
    #[test]
    fn every_metric_is_written() {
        let client = Client::new(ClientConfig::default()).expect("the default is valid");
        let mut page = Exposition::new();
        write_metrics([("backend", &client)], &mut page);
        let text = page.prometheus_text();
        for desc in METRICS {
            assert!(text.lines().any(|line| line.starts_with(&format!("{}{{", desc.name))), "{}", desc.name);
        }
        assert_eq!(text.matches("# TYPE").count(), METRICS.len());
        assert!(
            text.contains("aqueduct_export_attempts_total{destination=\"backend\",outcome=\"partial\"} 0\n")
        );
    }
}
