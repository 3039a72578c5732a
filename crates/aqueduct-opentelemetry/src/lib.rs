//! Spans, logs and metrics of the OpenTelemetry SDK through an Aqueduct pipeline: never hangs, loses nothing silently, costs less.
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
//!
//! # The problem
//!
//! The SDK's batch processors put items into a queue, from which one thread takes them, copies them into the types of a protobuf library, encodes those, and waits for
//! the collector, retries and all. While it waits the queue overflows; when it gives up the batch is gone; and when the exporter needs a runtime that its caller is
//! blocking, `force_flush` and `shutdown` hang, and deliver nothing. This crate stands in their place. An item is encoded as it ends, on the thread
//! that ends it, from where the SDK has it; from there on it is bytes in a pipeline with a thread, retries, a memory limit and a ledger of its own.
//!
//! # Example
//!
//! Three lines of a service change:
//!
//! ```
//! use std::time::Duration;
//!
//! use opentelemetry::trace::{Tracer, TracerProvider};
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//!
//! # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
//! # let peer = runtime.block_on(aqueduct_testkit::ScriptedPeer::start())?;
//! let telemetry = aqueduct_opentelemetry::Aqueduct::from_env()?;
//! # // To a collector that is there.
//! # let builder = aqueduct_opentelemetry::Aqueduct::builder().variables(|_| None);
//! # let telemetry = builder.endpoint(peer.http_endpoint()).build()?;
//! let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
//!
//! provider.tracer("till").in_span("sale", |_| ());
//!
//! let report = telemetry.shutdown(Duration::from_secs(5));
//! assert_eq!((report.delivered(), report.lost()), (1, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! From `opentelemetry-otlp`: the [migration guide](https://github.com/aqueduct-otlp/aqueduct/blob/HEAD/docs/migration.md). A whole service, with axum: the example
//! `axum_service`.
//!
//! # Concepts
//!
//! - [`Aqueduct`] is the handle: one for all signals, cheap to clone. It is built from the environment ([`Aqueduct::from_env`]) or by a [`Builder`], in which what the
//!   program says comes before what the environment says. [`Aqueduct::settings`] tells what became of each variable.
//! - [`SpanProcessor`] and [`LogProcessor`] take the place of the SDK's processors and exporters; [`MetricExporter`] stands behind its readers. Who
//!   keeps the SDK's processors has [`SpanExporter`] and [`LogExporter`], and chooses with [`Completion`] what they wait for.
//! - Before the processors: [`Sampler`] decides as any sampler of [`aqueduct_sampling`] does, [`RandomIds`] makes ids, [`Propagator`] reads and writes headers;
//!   [`LocalTailProcessor`] keeps the traces that went wrong; [`SpanFactory`] and [`AttributePool`] share what many spans have in common; [`CardinalityLimiter`] keeps values few.
//! - [`Limits`] cut what is too much of an item. Filters ([`Builder::filter_spans`], [`Builder::filter_logs`]) leave items out, a redactor
//!   ([`Builder::redact`]) attributes, and a limiter ([`Builder::limit_cardinality`]) values. Who uses none pays for none.
//! - [`Aqueduct::flush`], [`Aqueduct::flush_async`] and [`Aqueduct::shutdown`] give a [`Report`]: what was delivered, and what was not, by reason.
//! - [`Aqueduct::health`] says how it goes; [`Aqueduct::self_test`] whether the collector would take anything, and if not, what the mistake may be; [`Aqueduct::snapshot`],
//!   [`Aqueduct::write_metrics`] and [`Aqueduct::observe`] are the SDK metrics of the semantic conventions, by asking, as Prometheus text, and through a meter.
//! - The resource is the provider's, with what is configured here besides: its service's name, unless the provider has one, and the attributes of
//!   `OTEL_RESOURCE_ATTRIBUTES`, decoded.
//!
//! # Environment
//!
//! | variable | |
//! |---|---|
//! | `OTEL_SDK_DISABLED` | `true`: nothing is exported, no thread is started |
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | the resource; values are percent-decoded |
//! | `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER` | `otlp` or `none`; others are ignored |
//! | `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BLRP_SCHEDULE_DELAY` | how long an item waits for others, in milliseconds; by default 200 |
//! | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BLRP_..` | items in a request at most; by default 8,192 |
//! | `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BLRP_..` | the memory limit of the signal, at 1 KiB an item and 1 MiB at least; by default 32 MiB for spans, 24 MiB for logs |
//! | `OTEL_BSP_EXPORT_TIMEOUT`, `OTEL_BLRP_..` | how long `force_flush` and an export with [`Completion::OnDelivery`] take at most, in milliseconds; by default 30,000 |
//! | `OTEL_BSP_MAX_CONCURRENT_EXPORTS`, `OTEL_BLRP_..` | requests under way at most; by default 32 |
//! | `OTEL_ATTRIBUTE_*`, `OTEL_SPAN_*`, `OTEL_EVENT_*`, `OTEL_LINK_*`, `OTEL_LOGRECORD_*` | [`Limits`] |
//! | `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | [`Aqueduct::sampler`] |
//! | `OTEL_PROPAGATORS` | [`Aqueduct::propagators`] |
//! | `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` | [`TemporalityPreference`] |
//! | `OTEL_EXPORTER_OTLP_*`, also for single signals | [`ClientConfig::from_vars`](aqueduct_transport::ClientConfig::from_vars) |
//!
//! An empty variable counts as not set. One that makes no sense, or names a protocol or a codec that this build does not have, is ignored, and told; only an endpoint that is no URL, or a certificate that is not there, is an error.
//!
//! # Metrics about itself
//!
//! The [SDK metrics](https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/) of the semantic conventions, under these names
//! from [`Aqueduct::observe`], and under those of [`METRICS`] on the page of [`Aqueduct::write_metrics`]:
//!
//! | metric | counts |
//! |---|---|
//! | `otel.sdk.span.started`, `otel.sdk.span.live` | spans that are recorded, by the origin of their parent and what the sampler said |
//! | `otel.sdk.log.created` | log records that were emitted |
//! | `otel.sdk.processor.*.processed` | items that were handed over; `error.type` says why one was not taken |
//! | `otel.sdk.processor.*.queue.size`, `.queue.capacity` | items that wait for their first attempt, and how many may |
//! | `otel.sdk.exporter.*.inflight`, `.exported` | items without an outcome, and with one; `error.type` says why one was lost |
//! | `otel.sdk.exporter.operation.duration` | time of an attempt |
//!
//! As Prometheus text, with what the pipelines publish besides; limiters, pools and local tails have a `write_metrics` each:
//!
//! | family | for |
//! |---|---|
//! | `aqueduct_sdk_started_spans_total`, `aqueduct_sdk_live_spans`, `aqueduct_sdk_created_logs_total` | `otel.sdk.span.started`, `.live`, `otel.sdk.log.created` |
//! | `aqueduct_sdk_processed_items_total`, `aqueduct_sdk_left_out_items_total` | items that were handed over, taken or not; items that nobody wanted |
//! | `aqueduct_sdk_queue_items`, `aqueduct_sdk_queue_capacity_items` | the queue |
//! | `aqueduct_sdk_in_flight_items`, `aqueduct_sdk_exported_items_total` | what was sent |
//! | `aqueduct_cardinality_values_total`, `aqueduct_cardinality_admitted_values`, `aqueduct_cardinality_displaced_values_total` | a [`CardinalityLimiter`] |
//! | `aqueduct_attribute_pool_texts_total`, `aqueduct_attribute_pool_texts`, `aqueduct_attribute_pool_bytes` | an [`AttributePool`] |
//! | `aqueduct_tail_sampling_*` | a [`LocalTail`] |
//!
//! # Guarantees
//!
//! - **Deadlines.** Flushes and shutdowns return in time: without a runtime, within any, on a runtime's only thread, in a destructor, in a panic hook, in a forked child. With a
//!   collector that answers everything is delivered then (`tests/anywhere.rs`).
//! - **Accounting.** Each item that a processor or exporter was handed is in flight, delivered, rejected, dropped for a reason of the pipeline's
//!   ([`DropReason`](aqueduct_metrics::DropReason)), or was not taken ([`NotTaken`]).
//! - **Memory.** What waits, is retried and is under way has one limit of bytes for each signal ([`Builder::memory_limit`]). What finds no room is not taken.
//! - **Fidelity.** What is sent is what `opentelemetry-proto` makes of the same items, field by field (`tests/it/oracle.rs`); but that spans that are not sampled are not sent, and
//!   that integers too large for the protocol are the largest that it has.
//! - **Allocation.** None for a span or log record, after warm-up, unless a filter or redactor makes some.
//! - **Panics.** None on the threads of the program. A filter or redactor that panics costs the item.
//! - **Forks.** A forked child has threads, connections and counts of its own from its first item on, and leaves what it inherited to its parent.
//! - **Silence.** On the pipelines' thread the SDK's suppression is on, and `tracing` has no subscriber: sending makes nothing to send.
//!
//! # Limitations
//!
//! - The SDK makes each span on the heap and gives it by value: this crate begins where the SDK ends.
//! - Spans that a sampler drops are never seen here: `otel.sdk.span.started` is without them.
//! - Items whose scopes alternate on a thread repeat the head of the scope. More than some 256 scopes are encoded anew for each item.
//! - What the program hands over while it forks in another thread may be counted in both processes.
//! - Memory only: what is held when the process is killed is lost.
//!
//! # When not to use this crate
//!
//! For spans in types of one's own, which the SDK need not make first, use [`aqueduct_pipeline::EncodingIntake`]. To print telemetry, the SDK's own exporters do.
//!
//! # Features
//!
//! - `grpc`, `http`, `gzip` and `zstd` (all on by default): the protocols, and the codecs of requests.
//! - `json`: OTLP/HTTP in JSON, `OTEL_EXPORTER_OTLP_PROTOCOL=http/json`.
//! - `tls`: endpoints with `https://`.

mod aqueduct;
mod attribute_pool;
mod builder;
mod cardinality;
mod completion;
mod consignment;
mod counts;
mod encode;
mod env;
mod error;
mod health;
mod ids;
mod inner;
mod limits;
mod log;
mod metric;
mod outlet;
mod port;
mod propagator;
mod random;
mod redact;
mod report;
mod resource;
mod sampler;
mod self_test;
mod span;
mod span_factory;
mod tail;
mod telemetry;
mod temporality;
mod trace_state;

pub use aqueduct::Aqueduct;
pub use attribute_pool::{AttributePool, AttributePoolConfig, AttributePoolStats};
pub use builder::Builder;
pub use cardinality::{CardinalityConfig, CardinalityLimiter, CardinalityStats, KeyStats, Limited};
pub use completion::Completion;
pub use counts::NotTaken;
pub use env::{PropagatorSetting, Setting, Settings};
pub use error::BuildError;
pub use health::Health;
pub use ids::RandomIds;
pub use limits::Limits;
pub use log::{LogExporter, LogProcessor};
pub use metric::MetricExporter;
pub use propagator::{PropagationBatch, Propagator, random_flag};
pub use redact::Redaction;
pub use report::{Report, SignalReport};
pub use sampler::{Sampler, SamplerSetting, SamplerSettingError};
pub use self_test::{Check, Finding, SelfTest};
pub use span::{SpanExporter, SpanProcessor, Verdict};
pub use span_factory::SpanFactory;
pub use tail::{HeldSpan, LocalTail, LocalTailConfig, LocalTailError, LocalTailProcessor};
pub use telemetry::{METRICS, SignalSnapshot, Snapshot, SpanCount};
pub use temporality::TemporalityPreference;

/// Compiles the examples of the migration guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/migration.md")]
mod migration {}
