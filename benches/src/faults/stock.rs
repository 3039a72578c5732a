//! The application with the stock SDK: `BatchSpanProcessor` and the gRPC exporter, both with their defaults.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::trace::{Span, SpanId, SpanKind, TraceId, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracerProvider};

use super::ids::span_id;
use super::job::{Content, Job, Told};
use super::ours::TICK;
use super::pace::Pace;
use super::sample::Path;
use crate::Failure;
use crate::process::Usage;

/// Random traces, and spans that can be told apart.
#[derive(Debug, Default)]
struct Numbered {
    traces: RandomIdGenerator,
    spans: AtomicU64,
}

impl IdGenerator for Numbered {
    fn new_trace_id(&self) -> TraceId {
        self.traces.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        // Relaxed: numbers are drawn, nothing hangs on their order.
        SpanId::from_bytes(span_id(1, self.spans.fetch_add(1, Ordering::Relaxed)))
    }
}

pub(super) fn run(job: &Job) -> Result<Told, Failure> {
    if job.content != Content::Plain || job.http || job.clients > 1 {
        return Err("the stock SDK sends plain spans over gRPC, from one client".into());
    }
    // The gRPC exporter connects in the runtime that it finds itself in.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(job.endpoint.clone()).build()?;
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("checkout").build())
        .with_id_generator(Numbered::default())
        .with_batch_exporter(exporter)
        .build();
    let tracer = provider.tracer("http-server");
    let root = Context::new();
    let mut generated = 0;
    super::say(&"started")?;
    let start = Instant::now();
    let seconds = Duration::from_secs_f64(job.seconds);
    let mut pace = Pace::new(job.rate);
    while start.elapsed() < seconds {
        for _ in 0..pace.due(start.elapsed()) {
            let builder = tracer.span_builder("GET /api/v1/customers/orders/{id}");
            let mut span = builder.with_kind(SpanKind::Server).start_with_context(&tracer, &root);
            span.set_attribute(KeyValue::new("http.request.method", "GET"));
            span.set_attribute(KeyValue::new("http.route", "/api/v1/customers/orders/{id}"));
            span.set_attribute(KeyValue::new("url.path", Path(generated).to_string()));
            span.set_attribute(KeyValue::new("http.response.status_code", 200));
            span.end();
            generated += 1;
        }
        std::thread::sleep(TICK);
    }
    let ended = Instant::now();
    if let Err(error) = provider.shutdown_with_timeout(Duration::from_secs_f64(job.shutdown_seconds)) {
        // What it could not send is missing in the sink, which is where losses are counted.
        eprintln!("stock: {error}");
    }
    Ok(Told {
        generated,
        peak_rss: Usage::of(std::process::id())?.peak_rss,
        shutdown_seconds: ended.elapsed().as_secs_f64(),
        ..Told::default()
    })
}
