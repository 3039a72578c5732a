//! The suites: one per published crate, `gateway` and `targets` for the whole, `case-faults` for an application in bad times,
//! `case-web-service` and `case-cardinality` for what telemetry adds to services, and `soak` outside the default run.

mod aqueduct;
mod batch;
mod case_cardinality;
mod case_faults;
mod case_web_service;
pub mod exec;
mod gateway;
pub mod lockfree;
mod loopback;
pub mod metrics;
mod opentelemetry;
pub mod pipeline;
pub mod pool;
mod receiver;
pub mod sampling;
mod soak;
mod targets;
mod throughput;
mod transport;
mod tune;
pub mod wire;

use crate::harness::Suite;

/// All suites, in the order of the report.
pub const ALL: &[&Suite] = &[
    &targets::SUITE,
    &gateway::SUITE,
    &aqueduct::SUITE,
    &case_web_service::SUITE,
    &case_cardinality::SUITE,
    &case_faults::SUITE,
    &opentelemetry::SUITE,
    &pipeline::SUITE,
    &receiver::SUITE,
    &transport::SUITE,
    &batch::SUITE,
    &tune::SUITE,
    &metrics::SUITE,
    &sampling::SUITE,
    &wire::SUITE,
    &exec::SUITE,
    &pool::SUITE,
    &lockfree::SUITE,
];

/// Minutes of load and overload; asked for by `--soak`.
pub const SOAK: Suite = soak::SUITE;

/// The suite of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Suite> {
    ALL.iter().find(|suite| suite.name == name).copied()
}
