//! OpenTelemetry transport in layers: the umbrella over the Aqueduct crates.
//!
//! ```text
//! L6  aqueduct-gateway
//! L5  aqueduct (umbrella)          <- this crate
//! L4  aqueduct-opentelemetry
//! L3  aqueduct-pipeline
//! L2  aqueduct-batch  aqueduct-transport  aqueduct-receiver  aqueduct-tune
//! L1  aqueduct-exec   aqueduct-wire   aqueduct-sampling   aqueduct-metrics
//! L0  aqueduct-pool   aqueduct-lockfree
//! ```
//!
//! Each layer is a crate that is useful alone, and a module here behind a feature of the same name. Depend on this
//! crate to compose them; depend on a single one when it is all you need.
//!
//! # Example
//!
//! A gateway in a dozen lines: what arrives over OTLP is validated, batched and sent on.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use aqueduct::pipeline::{Destination, LaneConfig, Pipeline};
//! use aqueduct::receiver::{Answer, Entry, Incoming, ReceiveBudget, ReceiverConfig, Server, Shutdown};
//! use aqueduct::transport::{Client, ClientConfig, Protocol, RetryPolicy};
//! use aqueduct::wire::Signal;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(ClientConfig::new("http://collector:4317", Protocol::Grpc))?;
//! let collector = Arc::new(Destination::new("collector", client, RetryPolicy::default()));
//! let pipeline = Pipeline::builder(Signal::Traces).destination(collector, LaneConfig::default()).build()?;
//! let intake = pipeline.intake();
//! let accept = move |incoming: Incoming| match intake.offer(incoming.chunk) {
//!     Ok(()) => Answer::Accepted.into(),
//!     Err(_) => Answer::Overloaded { retry_after: std::time::Duration::from_secs(1) }.into(),
//! };
//! let server = Server::new(ReceiverConfig::default(), ReceiveBudget::new(128 << 20), Arc::new(accept));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:4317").await?;
//! server.serve(listener, Entry::Grpc, Shutdown::never()).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! | module | for |
//! |---|---|
//! | `pool` | buffers that freeze into `Bytes` and come back, fixed blocks, objects |
//! | `lockfree` | queues between threads, a map for many readers, counters |
//! | `exec` | a work-stealing pool of threads, CPU affinity, detection of forks |
//! | `wire` | OTLP as bytes: validate, count, concatenate, answer; JSON with the feature `json`, hashes of attributes with `hash` |
//! | `sampling` | consistent probabilities, composable samplers, rules, rates that adapt to the load; regular expressions with the feature `regex` |
//! | `metrics` | the ledger and its receipts, a recorder of series, profiler, leak detector, Prometheus text, resource probe |
//! | `batch` | when a batch is full, as a state machine |
//! | `transport` | a client for OTLP over gRPC and HTTP, retry tables, back-off; TLS with the feature `tls` |
//! | `receiver` | a server for OTLP over gRPC and HTTP |
//! | `tune` | bottlenecks, checklists, and better settings while a pipeline runs |
//! | `pipeline` | intake to settlement, with every item accounted for |
//! | `opentelemetry` | processors, exporters, samplers, ids and propagators for the OpenTelemetry SDK, version 0.33 |
//!
//! The [`manual`] has a chapter for each layer that needs more than a page. A service that has the SDK begins with `manual::application`, and with the example
//! `full_stack`: from spans, logs and metrics to a server that counts them, in one program.
//!
//! # Guarantees
//!
//! Those of the crates: this one adds nothing but names. A feature only ever adds a module or a capability.
//!
//! # Limitations
//!
//! OTLP 1.x traces, metrics and logs; TLS for clients, not for servers yet; memory only.
//!
//! # When not to use this crate
//!
//! When you want one layer: every one of them has its own crate, with fewer dependencies.
//!
//! # Features
//!
//! `pipeline` and `receiver` are on by default and bring in what they stand on. `pool`, `lockfree`, `exec`, `wire`, `sampling`, `metrics`, `batch`,
//! `transport`, `receiver`, `tune`, `pipeline`, `opentelemetry`: the modules. `opentelemetry_0_33`: `opentelemetry`, for as long as it stands on that version of the
//! SDK. `json`: OTLP/JSON on all layers. `hash`: hashing
//! attributes in `wire`. `regex`: regular expressions in the rules of `sampling`. `tls`: `https://` endpoints in `transport` and `opentelemetry`, over rustls and ring (which needs a C compiler). `tokio`: a timer and a task of
//! tokio's for a processor of `batch`. `full`: everything.

pub mod manual;

#[cfg(feature = "batch")]
#[doc(inline)]
pub use aqueduct_batch as batch;
#[cfg(feature = "exec")]
#[doc(inline)]
pub use aqueduct_exec as exec;
#[cfg(feature = "lockfree")]
#[doc(inline)]
pub use aqueduct_lockfree as lockfree;
#[cfg(feature = "metrics")]
#[doc(inline)]
pub use aqueduct_metrics as metrics;
#[cfg(feature = "opentelemetry")]
#[doc(inline)]
pub use aqueduct_opentelemetry as opentelemetry;
#[cfg(feature = "pipeline")]
#[doc(inline)]
pub use aqueduct_pipeline as pipeline;
#[cfg(feature = "pool")]
#[doc(inline)]
pub use aqueduct_pool as pool;
#[cfg(feature = "receiver")]
#[doc(inline)]
pub use aqueduct_receiver as receiver;
#[cfg(feature = "sampling")]
#[doc(inline)]
pub use aqueduct_sampling as sampling;
#[cfg(feature = "transport")]
#[doc(inline)]
pub use aqueduct_transport as transport;
#[cfg(feature = "tune")]
#[doc(inline)]
pub use aqueduct_tune as tune;
#[cfg(feature = "wire")]
#[doc(inline)]
pub use aqueduct_wire as wire;
