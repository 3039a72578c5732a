//! Integration tests of `aqueduct-opentelemetry`, one module per subject.

mod allocator;
mod attribute_pool;
mod cardinality;
mod ids;
mod propagator;
mod sampler;
//! Tests of the crate's public interface, with the SDK's own providers in front.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]
mod allocation;
mod collector;
mod end;
mod environment;
mod exits;
mod exporters;
mod flush;
mod generate;
mod hooks;
mod limits;
mod log_hooks;
mod metrics;
mod oracle;
mod own_traffic;
mod resource;
mod self_test;
mod telemetry;
mod unsampled;
mod span_factory;
mod tail;
