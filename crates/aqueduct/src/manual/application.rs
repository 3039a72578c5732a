//! In the application: `aqueduct::opentelemetry`.
//!
//! # Three lines
//!
//! The processor, and with it the exporter behind it, is another; instrumentation stays as it is.
//!
//! ```
//! use std::time::Duration;
//! use aqueduct::opentelemetry::Aqueduct;
//! # use opentelemetry::trace::{Tracer, TracerProvider};
//! # use opentelemetry_sdk::{logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider};
//! # let peer = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
//! # let server = peer.block_on(aqueduct_testkit::ScriptedPeer::start())?;
//! # let endpoint = server.http_endpoint();
//!
//! let telemetry = Aqueduct::from_env()?;
//! # let telemetry = Aqueduct::builder().variables(|_| None).endpoint(endpoint).build()?;
//! let tracers = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
//! let loggers = SdkLoggerProvider::builder().with_log_processor(telemetry.log_processor()).build();
//! let meters = SdkMeterProvider::builder().with_periodic_exporter(telemetry.metric_exporter()).build();
//!
//! tracers.tracer("shop").in_span("request", |_| ());
//!
//! let report = telemetry.shutdown(Duration::from_secs(5));
//! assert_eq!((report.delivered(), report.lost()), (1, 0));
//! # drop((loggers, meters));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It needs no runtime and blocks none: a thread of its own batches, sends and retries for all three signals.
//!
//! From `opentelemetry-otlp` the [migration guide](https://github.com/aqueduct-otlp/aqueduct/blob/HEAD/docs/migration.md) leads here.
//!
//! # What it reads
//!
//! [`Aqueduct::from_env`](crate::opentelemetry::Aqueduct::from_env) reads `OTEL_*` as the specification has it; what the program says to
//! [`Aqueduct::builder`](crate::opentelemetry::Aqueduct::builder) comes first. No variable is ignored in silence:
//!
//! ```
//! use aqueduct::opentelemetry::Aqueduct;
//!
//! let variable = |name: &str| match name {
//!     "OTEL_SERVICE_NAME" => Some("shop".to_owned()),
//!     "OTEL_BSP_SCHEDULE_DELAY" => Some("soon".to_owned()),
//!     _ => None,
//! };
//! let telemetry = Aqueduct::builder().variables(variable).build()?;
//! let wrong: Vec<&str> = telemetry.settings().warnings().map(|setting| setting.variable.as_str()).collect();
//! assert_eq!(wrong, ["OTEL_BSP_SCHEDULE_DELAY"]);
//! # Ok::<(), aqueduct::opentelemetry::BuildError>(())
//! ```
//!
//! The table of variables stands in the documentation of [`aqueduct::opentelemetry`](crate::opentelemetry).
//!
//! # Before the end
//!
//! | when | call |
//! |---|---|
//! | the program ends | [`shutdown`](crate::opentelemetry::Aqueduct::shutdown) with the time that is left, after the `shutdown` of a meter provider, which collects once more |
//! | a function ends and its process is frozen (FaaS) | [`flush`](crate::opentelemetry::Aqueduct::flush), or [`flush_async`](crate::opentelemetry::Aqueduct::flush_async), before the answer is given |
//! | a test wants to see what was sent | the same |
//! | nobody calls anything | what is held is delivered on drop, for at most [`drop_deadline`](crate::opentelemetry::Builder::drop_deadline) |
//!
//! Each returns by its deadline and gives a [`Report`](crate::opentelemetry::Report): complete or not, delivered, lost by reason.
//!
//! ```
//! use std::time::Duration;
//! use aqueduct::opentelemetry::Aqueduct;
//! # use opentelemetry::trace::{Tracer, TracerProvider};
//! # use opentelemetry_sdk::trace::SdkTracerProvider;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = aqueduct_testkit::ScriptedPeer::start().await?;
//! # let endpoint = server.http_endpoint();
//! # let telemetry = Aqueduct::builder().variables(|_| None).endpoint(endpoint).build()?;
//! # let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
//! # let tracer = provider.tracer("shop");
//! // A handler of a function as a service.
//! tracer.in_span("invocation", |_| ());
//! let report = telemetry.flush_async(Duration::from_secs(2)).await;
//! assert!(report.complete, "{report}");
//! # Ok(())
//! # }
//! ```
//!
//! # Sampling
//!
//! [`Aqueduct::sampler`](crate::opentelemetry::Aqueduct::sampler) is what `OTEL_TRACES_SAMPLER` names; [`Sampler`](crate::opentelemetry::Sampler) makes the SDK's of any sampler in
//! [`aqueduct::sampling`](crate::sampling), whose chapter says which. The choice can be made at run time:
//!
//! ```
//! use aqueduct::opentelemetry::Sampler;
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//!
//! let thrifty = std::env::args().count() > 100;
//! let share = if thrifty { 0.01 } else { 0.5 };
//! let provider = SdkTracerProvider::builder().with_sampler(Sampler::probability(share)?).build();
//! # Ok::<(), aqueduct::sampling::ProbabilityError>(())
//! ```
//!
//! Give the provider [`id_generator`](crate::opentelemetry::Aqueduct::id_generator), too: its ids are known to be random, so that `traceparent` and OTLP can say so, and
//! other ones in a forked child.
//!
//! # What leaves
//!
//! [`Limits`](crate::opentelemetry::Limits) cut what is too long or too much, filters leave items out, a redactor attributes:
//!
//! ```
//! use aqueduct::opentelemetry::{Aqueduct, Limits, Redaction, Verdict};
//!
//! let builder = Aqueduct::builder()
//!     .limits(Limits { span_value_length: Some(4_096), ..Limits::default() })
//!     .filter_spans(|span| if span.name == "/healthz" { Verdict::Drop } else { Verdict::Export })
//!     .redact(|key, _| if key == "user.email" { Redaction::Replace("****".into()) } else { Redaction::Keep });
//! # let _ = builder;
//! ```
//!
//! # Attributes with too many values
//!
//! A user's id in an attribute that is indexed makes an index of all users. A [`CardinalityLimiter`](crate::opentelemetry::CardinalityLimiter) keeps the frequent values and
//! makes one of all others, in whatever leaves through the handle:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use aqueduct::opentelemetry::{Aqueduct, CardinalityConfig, CardinalityLimiter};
//! use opentelemetry::KeyValue;
//! use opentelemetry::trace::{Tracer, TracerProvider};
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! # let peer = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
//! # let server = peer.block_on(aqueduct_testkit::ScriptedPeer::start())?;
//! # let endpoint = server.http_endpoint();
//!
//! let users = Arc::new(CardinalityLimiter::new(["user.id"], CardinalityConfig::default().with_max_values(100)));
//! let builder = Aqueduct::builder().limit_cardinality(Arc::clone(&users));
//! # let builder = builder.variables(|_| None).endpoint(endpoint);
//! let telemetry = builder.build()?;
//! let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
//! let tracer = provider.tracer("shop");
//! for user in 0..150 {
//!     let attributes = [KeyValue::new("user.id", format!("u{user}"))];
//!     drop(tracer.span_builder("request").with_attributes(attributes).start(&tracer));
//! }
//! assert_eq!(telemetry.shutdown(Duration::from_secs(5)).delivered(), 150);
//! assert_eq!((users.stats().kept, users.stats().overflowed), (100, 50));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Keeping the traces that went wrong
//!
//! Whether a trace failed is known at its end. [`Aqueduct::local_tail`](crate::opentelemetry::Aqueduct::local_tail) holds the spans of each trace in this process until their
//! local root ends, and passes on those with errors, slow ones, and a share of the others. What other processes do, it does not know: for that there is `tail_sampling` in a gateway.
//!
//! ```
//! use std::time::Duration;
//! use aqueduct::opentelemetry::{Aqueduct, LocalTailConfig};
//! use opentelemetry::trace::{Span, Status, Tracer, TracerProvider};
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! # let peer = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
//! # let server = peer.block_on(aqueduct_testkit::ScriptedPeer::start())?;
//! # let endpoint = server.http_endpoint();
//! # let telemetry = Aqueduct::builder().variables(|_| None).endpoint(endpoint).build()?;
//!
//! let keep = LocalTailConfig::new(Duration::from_secs(1), 0.0);
//! let provider = SdkTracerProvider::builder().with_span_processor(telemetry.local_tail(&keep)?).build();
//!
//! let tracer = provider.tracer("shop");
//! tracer.start("went well").end();
//! let mut failed = tracer.start("went wrong");
//! failed.set_status(Status::error("no such item"));
//! failed.end();
//! // The provider first: what the tail still holds is decided then.
//! provider.shutdown()?;
//! assert_eq!(telemetry.shutdown(Duration::from_secs(5)).delivered(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it goes
//!
//! | question | answer |
//! |---|---|
//! | would the collector take anything, and if not, why | [`self_test`](crate::opentelemetry::Aqueduct::self_test) |
//! | is something wrong now | [`health`](crate::opentelemetry::Aqueduct::health): last success, last error, how full |
//! | what became of each item | [`snapshot`](crate::opentelemetry::Aqueduct::snapshot), [`write_metrics`](crate::opentelemetry::Aqueduct::write_metrics) for Prometheus, [`observe`](crate::opentelemetry::Aqueduct::observe) for a meter |
//! | what just happened | [`notices`](crate::opentelemetry::Builder::notices) |
//!
//! ```
//! use std::time::Duration;
//! use aqueduct::opentelemetry::{Aqueduct, Finding};
//!
//! let telemetry = Aqueduct::builder().variables(|_| None).endpoint("http://127.0.0.1:1").build()?;
//! let found = telemetry.self_test(Duration::from_secs(5));
//! assert_eq!(found.checks[0].finding, Finding::Refused, "{found}");
//! assert!(telemetry.health().is_healthy(), "nothing was sent yet");
//! # Ok::<(), aqueduct::opentelemetry::BuildError>(())
//! ```
//!
//! # When something else is better
//!
//! For spans in types of one's own an [`EncodingIntake`](crate::pipeline::EncodingIntake) spares making them in the SDK's types first.
