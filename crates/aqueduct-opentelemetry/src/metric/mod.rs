//! Metrics.

mod exporter;
mod number;
mod points;
mod source;

pub use exporter::MetricExporter;
