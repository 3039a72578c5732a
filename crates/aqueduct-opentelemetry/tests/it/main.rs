//! Tests of the crate's public interface, with the SDK's own providers in front.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod allocation;
mod allocator;
mod attribute_pool;
mod cardinality;
mod collector;
mod end;
mod environment;
mod exits;
mod exporters;
mod flush;
mod generate;
mod hooks;
mod ids;
mod limits;
mod log_hooks;
mod metrics;
mod oracle;
mod own_traffic;
mod propagator;
mod resource;
mod sampler;
mod self_test;
mod span_factory;
mod tail;
mod telemetry;
mod threads;
mod unsampled;
