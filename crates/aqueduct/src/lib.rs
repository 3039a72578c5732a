//! OpenTelemetry transport in layers: the umbrella over the Aqueduct crates.

#[cfg(feature = "batch")]
#[doc(inline)]
pub use aqueduct_batch as batch;
#[cfg(feature = "metrics")]
#[doc(inline)]
pub use aqueduct_metrics as metrics;
#[cfg(feature = "pipeline")]
#[doc(inline)]
pub use aqueduct_pipeline as pipeline;
#[cfg(feature = "receiver")]
#[doc(inline)]
pub use aqueduct_receiver as receiver;
#[cfg(feature = "transport")]
#[doc(inline)]
pub use aqueduct_transport as transport;
#[cfg(feature = "wire")]
#[doc(inline)]
pub use aqueduct_wire as wire;
