//! Tests of the crate as its users see it, with prost and opentelemetry-proto as the oracle.

mod allocation;
mod generate;
#[cfg(feature = "prost")]
mod interop;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
mod json_lines;
mod limits;
mod merge;
mod oracle;
mod signal;
mod stream;
mod validate;
