//! An application whose spans come by the clock, and leave it through our processor and compressed, to a sink that knows each of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_metrics::LatencyHistogram;
use aqueduct_opentelemetry::{Aqueduct, RandomIds};
use aqueduct_transport::{ClientConfig, Compression, Protocol};
use opentelemetry::trace::{Span, SpanId, SpanKind, TraceId, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{IdGenerator, SdkTracer, SdkTracerProvider};
use serde::{Deserialize, Serialize};

use super::load::process_time;
use crate::Failure;
use crate::faults::Random;
use crate::process::Usage;

const DEADLINE: Duration = Duration::from_secs(30);
/// How long the application sleeps where no span is due.
const NAP: Duration = Duration::from_millis(1);
/// How traces begin that `aqueduct sink` tells apart.
const MARK: [u8; 4] = [0xA9, 0x0E, 0xDC, 0x7E];
const PRODUCER: u32 = 1;

/// Root spans at a rate, each due at a time of its own, whatever became of those before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clocked {
    /// Where the sink is, `http://host:port`.
    pub endpoint: String,
    /// Spans a second.
    pub rate: f64,
    /// For so long.
    pub seconds: f64,
}

/// What the application has measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Spans ended.
    pub made: u64,
    /// From the first span to the last.
    pub seconds: f64,
    /// Milliseconds from when a span was due to when it was ended and its thread could go on.
    pub p99_ms: f64,
    /// Seconds of CPU of the whole process, its shutdown included.
    pub cpu_seconds: f64,
    /// The most resident bytes.
    pub peak_rss: u64,
}

pub(super) fn run(clocked: &Clocked) -> Result<Timed, Failure> {
    let mut client = ClientConfig::new(clocked.endpoint.clone(), Protocol::Grpc);
    client.compression = Compression::Zstd(1);
    let telemetry = Aqueduct::builder().variables(|_| None).client(client).build()?;
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("checkout").build())
        .with_id_generator(Numbered(AtomicU64::new(0)))
        .with_span_processor(telemetry.span_processor())
        .build();
    let mut shop = Shop::new(provider.tracer("http-server"));
    let mut late = LatencyHistogram::new();
    let (before, start, mut made) = (process_time(), Instant::now(), 0_u64);
    let all = (clocked.rate * clocked.seconds) as u64;
    while made < all {
        let due = Duration::from_secs_f64(made as f64 / clocked.rate);
        if start.elapsed() < due {
            thread::sleep(NAP);
            continue;
        }
        shop.serve();
        late.record(start.elapsed().saturating_sub(due));
        made += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let report = telemetry.shutdown(DEADLINE);
    let cpu_seconds = (process_time() - before).as_secs_f64();
    if report.delivered() != made {
        // What is missing is missing in the sink, too, which is where it is counted.
        eprintln!("{} of {made} spans were delivered", report.delivered());
    }
    Ok(Timed {
        made,
        seconds,
        p99_ms: late.quantile(0.99).as_secs_f64() * 1e3,
        cpu_seconds,
        peak_rss: Usage::of(std::process::id())?.peak_rss,
    })
}

/// Makes spans of requests that are not alike.
struct Shop {
    tracer: SdkTracer,
    root: Context,
    random: Random,
}

impl Shop {
    fn new(tracer: SdkTracer) -> Shop {
        Shop { tracer, root: Context::new(), random: Random::new(1) }
    }

    fn serve(&mut self) {
        let (order, user) = (self.random.draw() % 10_000_000_000, self.random.draw() % 1_000_000);
        let builder = self.tracer.span_builder("GET /api/v1/orders/{id}").with_kind(SpanKind::Server);
        let mut span = builder.start_with_context(&self.tracer, &self.root);
        span.set_attribute(KeyValue::new("http.request.method", "GET"));
        span.set_attribute(KeyValue::new("http.route", "/api/v1/orders/{id}"));
        span.set_attribute(KeyValue::new("url.path", format!("/api/v1/orders/{order:010}")));
        span.set_attribute(KeyValue::new("user.id", format!("user-{user:06}")));
        span.set_attribute(KeyValue::new(
            "http.response.status_code",
            if order.is_multiple_of(50) { 404 } else { 200 },
        ));
        span.end();
    }
}

/// Traces that the sink tells apart.
#[derive(Debug)]
struct Numbered(AtomicU64);

impl IdGenerator for Numbered {
    fn new_trace_id(&self) -> TraceId {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&MARK);
        id[4..8].copy_from_slice(&PRODUCER.to_be_bytes());
        // Relaxed: numbers are drawn, nothing hangs on their order.
        id[8..].copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        TraceId::from_bytes(id)
    }

    fn new_span_id(&self) -> SpanId {
        RandomIds::new().new_span_id()
    }
}
