//! Tests of the crate as its users see it, with prost and opentelemetry-proto as the oracle.

mod allocation;
mod amplification;
mod apart;
mod edit;
mod edit_trace_state;
mod encode;
mod filter;
mod fold;
mod generate;
#[cfg(feature = "json")]
mod golden;
mod group;
#[cfg(feature = "prost")]
mod interop;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
mod json_lines;
#[cfg(feature = "json")]
mod json_oracle;
mod limits;
mod merge;
mod odd;
mod odd_items;
mod operations;
mod oracle;
mod signal;
mod split;
mod stream;
mod validate;
mod view;
