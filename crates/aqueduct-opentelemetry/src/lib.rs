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

mod aqueduct;
mod builder;
mod completion;
mod consignment;
mod counts;
mod encode;
mod env;
mod error;
mod health;
mod inner;
mod limits;
mod log;
mod metric;
mod outlet;
mod port;
mod redact;
mod report;
mod resource;
mod self_test;
mod span;
mod telemetry;
mod temporality;

pub use aqueduct::Aqueduct;
pub use builder::Builder;
pub use completion::Completion;
pub use counts::NotTaken;
pub use env::{PropagatorSetting, SamplerSetting, Setting, Settings};
pub use error::BuildError;
pub use health::Health;
pub use limits::Limits;
pub use log::{LogExporter, LogProcessor};
pub use metric::MetricExporter;
pub use redact::Redaction;
pub use report::{Report, SignalReport};
pub use self_test::{Check, Finding, SelfTest};
pub use span::{SpanExporter, SpanProcessor, Verdict};
pub use telemetry::{METRICS, SignalSnapshot, Snapshot, SpanCount};
pub use temporality::TemporalityPreference;
