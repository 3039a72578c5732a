//! The manual: a chapter for each layer, on what it is for, how it is used well, and when something else is better. Modules without code; every example
//! is compiled and run.

#[cfg(feature = "opentelemetry")]
pub mod application;
#[cfg(feature = "pipeline")]
pub mod delivery;
#[cfg(feature = "metrics")]
pub mod measuring;
#[cfg(feature = "pool")]
pub mod memory;
#[cfg(feature = "lockfree")]
pub mod queues;
#[cfg(feature = "sampling")]
pub mod sampling;
#[cfg(feature = "exec")]
pub mod threads;
#[cfg(feature = "tune")]
pub mod tuning;
