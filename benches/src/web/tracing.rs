//! The spans of a service.

use std::time::Duration;

use aqueduct_opentelemetry::{Aqueduct, Propagator, Sampler};
use aqueduct_sampling::{RateConfig, Target};
use aqueduct_transport::Protocol;
use axum::http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span as _, SpanKind, Tracer, TracerProvider};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler as SdkSampler, SdkTracer, SdkTracerProvider, Span,
};
use serde::{Deserialize, Serialize};

use crate::Failure;

// The case's settings, for both; the SDK's processor exports one batch at a time.
const QUEUE: usize = 4_096;
const BATCH: usize = 512;
const DELAY: Duration = Duration::from_millis(200);
const EXPORTS: usize = 4;

/// Whose telemetry a service has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Telemetry {
    /// None: no span is made.
    Off,
    /// The SDK's, with `opentelemetry-otlp` over gRPC.
    Stock(Keep),
    /// The SDK's tracer with our sampler, propagator and processor.
    Ours(Keep),
}

/// Which traces are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Keep {
    /// All of them.
    All,
    /// A hundredth: ours by the sampler that adapts to the load, the SDK's by the ratio.
    Hundredth,
}

/// Makes the spans of requests.
pub(super) struct Tracing {
    tracer: SdkTracer,
    propagator: Box<dyn TextMapPropagator + Send + Sync>,
    _provider: SdkTracerProvider,
}

impl Tracing {
    /// In a runtime, which the SDK's exporter needs.
    pub(super) fn new(telemetry: Telemetry, endpoint: &str) -> Result<Option<Tracing>, Failure> {
        let builder =
            SdkTracerProvider::builder().with_resource(Resource::builder().with_service_name("shop").build());
        let (builder, propagator): (_, Box<dyn TextMapPropagator + Send + Sync>) = match telemetry {
            Telemetry::Off => return Ok(None),
            Telemetry::Stock(keep) => {
                let exporter = opentelemetry_otlp::SpanExporter::builder()
                    .with_tonic()
                    .with_endpoint(endpoint)
                    .build()?;
                let config = BatchConfigBuilder::default()
                    .with_max_queue_size(QUEUE)
                    .with_max_export_batch_size(BATCH)
                    .with_scheduled_delay(DELAY);
                let processor =
                    BatchSpanProcessor::builder(exporter).with_batch_config(config.build()).build();
                let share = match keep {
                    Keep::All => SdkSampler::AlwaysOn,
                    Keep::Hundredth => SdkSampler::TraceIdRatioBased(0.01),
                };
                let builder = builder.with_sampler(SdkSampler::ParentBased(Box::new(share)));
                (builder.with_span_processor(processor), Box::new(TraceContextPropagator::new()))
            }
            Telemetry::Ours(keep) => {
                let telemetry = Aqueduct::builder()
                    .variables(setting)
                    .endpoint(endpoint)
                    .protocol(Protocol::Grpc)
                    .build()?;
                let builder = builder.with_id_generator(telemetry.id_generator()).with_sampler(match keep {
                    Keep::All => telemetry.sampler(),
                    Keep::Hundredth => Sampler::rate(&RateConfig::new(Target::Ratio(0.01)))?.0,
                });
                (builder.with_span_processor(telemetry.span_processor()), Box::new(Propagator::new()))
            }
        };
        let provider = builder.build();
        Ok(Some(Tracing { tracer: provider.tracer("http-server"), propagator, _provider: provider }))
    }

    pub(super) fn begin(&self, path: &str, headers: &HeaderMap) -> Span {
        let parent = self.propagator.extract(&Headers(headers));
        let builder = self.tracer.span_builder("GET /orders/{id}").with_kind(SpanKind::Server);
        let mut span = builder.start_with_context(&self.tracer, &parent);
        if span.is_recording() {
            span.set_attribute(KeyValue::new("http.request.method", "GET"));
            span.set_attribute(KeyValue::new("http.route", "/orders/{id}"));
            span.set_attribute(KeyValue::new("url.path", path.to_owned()));
        }
        span
    }
}

/// Ends the span of a request.
pub(super) fn end(mut span: Span, status: u16) {
    if span.is_recording() {
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    }
    span.end();
}

fn setting(name: &str) -> Option<String> {
    match name {
        "OTEL_BSP_MAX_QUEUE_SIZE" => Some(QUEUE.to_string()),
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" => Some(BATCH.to_string()),
        "OTEL_BSP_SCHEDULE_DELAY" => Some(DELAY.as_millis().to_string()),
        "OTEL_BSP_MAX_CONCURRENT_EXPORTS" => Some(EXPORTS.to_string()),
        _ => None,
    }
}

/// What a request carries.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|key| key.as_str()).collect()
    }
}
