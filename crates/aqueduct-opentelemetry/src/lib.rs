//! Spans, logs and metrics of the OpenTelemetry SDK through an Aqueduct pipeline.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct
//! L4 [aqueduct-opentelemetry]
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch   aqueduct-transport   aqueduct-receiver   aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
