//! The SDK's providers with what stands behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aqueduct_opentelemetry::Aqueduct;
use aqueduct_pipeline::{Attempt, Destination, Exporter, Overflow, Preset};
use aqueduct_transport::{Outcome, Protocol, Request, RetryPolicy};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{self, BatchLogProcessor, LogBatch, SdkLoggerProvider};
use opentelemetry_sdk::trace::{self, BatchSpanProcessor, SdkTracerProvider, SpanData};
use tokio::runtime::Runtime;

use super::items::Maker;
use super::order::{Behind, Item, Load, Shape};
use crate::Failure;

const DEADLINE: Duration = Duration::from_secs(30);
/// Holds every flood.
const ROOM: u64 = 4 << 30;

/// Counts what it gets, and drops it.
#[derive(Clone, Debug, Default)]
struct Counter(Arc<AtomicU64>);

impl Counter {
    fn add(&self, items: usize) {
        // Relaxed: a sum that is read after a flush.
        self.0.fetch_add(items as u64, Ordering::Relaxed);
    }
}

impl Exporter for Counter {
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        self.add(request.items() as usize);
        Box::pin(std::future::ready(Outcome::Delivered))
    }
}

impl trace::SpanExporter for Counter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.add(batch.len());
        Ok(())
    }
}

impl logs::LogExporter for Counter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.add(batch.iter().count());
        Ok(())
    }
}

/// Providers of both signals, of which a load uses one.
pub(super) struct Providers {
    item: Item,
    tracers: SdkTracerProvider,
    loggers: SdkLoggerProvider,
    counter: Counter,
    /// In which the SDK's gRPC exporter has its connection.
    _runtime: Option<Runtime>,
}

impl Providers {
    pub(super) fn new(load: &Load) -> Result<Providers, Failure> {
        let (counter, mut runtime) = (Counter::default(), None);
        let resource = Resource::builder().with_service_name("checkout").build();
        let mut tracers = SdkTracerProvider::builder().with_resource(resource.clone());
        let mut loggers = SdkLoggerProvider::builder().with_resource(resource);
        match (load.behind, load.item) {
            (Behind::Nothing, _) => {}
            (Behind::Ours, Item::Span) => {
                tracers = tracers.with_span_processor(ours(load, &counter)?.span_processor())
            }
            (Behind::Ours, Item::Record) => {
                loggers = loggers.with_log_processor(ours(load, &counter)?.log_processor())
            }
            (Behind::Sdk, Item::Record) => {
                loggers = loggers.with_log_processor(BatchLogProcessor::builder(counter.clone()).build());
            }
            (Behind::Sdk, Item::Span) => {
                tracers = match &load.endpoint {
                    None => tracers.with_span_processor(batching(load, counter.clone())),
                    Some(endpoint) => {
                        let (exporter, entered) = stock_exporter(endpoint)?;
                        runtime = Some(entered);
                        tracers.with_batch_exporter(exporter)
                    }
                }
            }
        }
        Ok(Providers {
            item: load.item,
            tracers: tracers.build(),
            loggers: loggers.build(),
            counter,
            _runtime: runtime,
        })
    }

    pub(super) fn maker(&self) -> Maker {
        Maker::new(self.item, &self.tracers, &self.loggers)
    }

    pub(super) fn flush(&self) -> OTelSdkResult {
        match self.item {
            Item::Span => self.tracers.force_flush(),
            Item::Record => self.loggers.force_flush(),
        }
    }

    pub(super) fn shutdown(&self) -> OTelSdkResult {
        match self.item {
            Item::Span => self.tracers.shutdown_with_timeout(DEADLINE),
            Item::Record => self.loggers.shutdown_with_timeout(DEADLINE),
        }
    }

    /// What the exporter has got.
    pub(super) fn exported(&self) -> u64 {
        self.counter.0.load(Ordering::Relaxed)
    }
}

fn ours(load: &Load, counter: &Counter) -> Result<Aqueduct, Failure> {
    let mut builder = Aqueduct::builder().variables(|_| None);
    builder = match &load.endpoint {
        Some(endpoint) => builder.endpoint(endpoint.clone()).protocol(Protocol::Grpc),
        None => {
            let destination = Destination::new("nowhere", counter.clone(), RetryPolicy::default());
            builder.destination(Arc::new(destination))
        }
    };
    builder = match load.shape {
        Shape::Bursts(_) | Shape::Paced { .. } => builder,
        Shape::Flood { .. } => builder.memory_limit(ROOM),
        Shape::FlatOut(_) => {
            let mut preset = Preset::balanced();
            preset.pipeline.overflow = Overflow::Block(DEADLINE);
            builder.preset(preset)
        }
    };
    Ok(builder.build()?)
}

/// The SDK's gRPC exporter with its defaults, and the runtime in which it has its connection.
pub(crate) fn stock_exporter(endpoint: &str) -> Result<(opentelemetry_otlp::SpanExporter, Runtime), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let entered = runtime.enter();
    let exporter =
        opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    drop(entered);
    Ok((exporter, runtime))
}

/// With its defaults, but for the room in a flood.
fn batching(load: &Load, exporter: Counter) -> BatchSpanProcessor {
    let mut config = trace::BatchConfigBuilder::default();
    if let Shape::Flood { items, .. } = load.shape {
        config = config.with_max_queue_size((items * load.threads) as usize);
    }
    BatchSpanProcessor::builder(exporter).with_batch_config(config.build()).build()
}
