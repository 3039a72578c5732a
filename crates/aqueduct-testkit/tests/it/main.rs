//! The tools that other tests rely on must themselves be able to find what they look for.

mod allocator;
mod clock;
#[cfg(feature = "otlp")]
mod content;
mod folder;
#[cfg(feature = "tls")]
mod fronts;
mod linearizability;
#[cfg(feature = "peer")]
mod network;
