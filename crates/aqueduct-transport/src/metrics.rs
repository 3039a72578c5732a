//! The metrics a client counts.

use aqueduct_metrics::Desc;

/// Descriptors of what [`ClientStatus`](crate::ClientStatus) and [`CompressionStats`](crate::CompressionStats) count,
/// for whoever exposes them. `outcome` is `delivered`, `partial`, `retryable`, `permanent` or `too_large`;
/// `destination` is the exporter's name, which the caller knows.
pub const METRICS: &[Desc] = &[
    Desc::counter(
        "aqueduct_export_attempts_total",
        "{attempt}",
        "Attempts to deliver a batch, by how they ended.",
    )
    .with_attributes(&["destination", "outcome"]),
    Desc::counter(
        "aqueduct_export_delivered_bytes_total",
        "By",
        "Bytes of request bodies that peers took, as compressed.",
    )
    .with_attributes(&["destination"]),
    Desc::gauge("aqueduct_export_connections", "{connection}", "Connections to the peer that are up.")
        .with_attributes(&["destination"]),
    Desc::counter(
        "aqueduct_export_connects_total",
        "{connection}",
        "Connections to the peer that came about.",
    )
    .with_attributes(&["destination"]),
    Desc::counter(
        "aqueduct_export_connect_failures_total",
        "{failure}",
        "Connections to the peer that did not come about.",
    )
    .with_attributes(&["destination"]),
    Desc::counter("aqueduct_compression_input_bytes_total", "By", "Bytes that went into compression.")
        .with_attributes(&["destination"]),
    Desc::counter("aqueduct_compression_output_bytes_total", "By", "Bytes that came out of compression.")
        .with_attributes(&["destination"]),
    Desc::counter("aqueduct_compression_seconds_total", "s", "Time spent compressing.")
        .with_attributes(&["destination"]),
];
