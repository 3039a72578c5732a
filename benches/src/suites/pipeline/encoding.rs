//! Spans of one's own types through an encoding intake.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_pipeline::{Destination, ItemSink, LaneConfig, LaneDistributions, Pipeline};
use aqueduct_transport::RetryPolicy;
use aqueduct_wire::Signal;
use aqueduct_wire::encode::{AttributeSink, ChunkBuilder, ResourcePrefix, ScopePrefix, SpanSource, ValueRef};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor,
};
use rustix::time::{ClockId, clock_gettime};

use super::{DEADLINE, Nowhere};
use crate::Failure;
use crate::harness::{Declared, Run};

const FLOOR: &str = "encode alone";

pub(super) const ONE: Declared = Declared::lower("encode and push, 1 thread", "ns/span").against(FLOOR);
pub(super) const TWO: Declared = Declared::lower("encode and push, 2 threads", "ns/span").against(FLOOR);
pub(super) const SDK: Declared =
    Declared::lower("encode and push, beside the SDK", "ns/span").against("BatchSpanProcessor::on_end");

/// The least that a chunk of 64 KiB is filled to before it is sealed.
const FULL: usize = 56 * 1024;

/// A span with four attributes.
struct Call {
    number: u64,
    path: String,
}

impl Call {
    fn new(number: u64) -> Call {
        Call { number, path: path(number) }
    }
}

fn path(number: u64) -> String {
    format!("/api/v1/orders/{number:08}")
}

impl SpanSource for Call {
    fn trace_id(&self) -> [u8; 16] {
        u128::from(self.number + 1).to_be_bytes()
    }

    fn span_id(&self) -> [u8; 8] {
        (self.number + 1).to_be_bytes()
    }

    fn name(&self) -> &str {
        "GET /api/v1/orders/{id}"
    }

    fn kind(&self) -> i32 {
        2
    }

    fn start_time_unix_nano(&self) -> u64 {
        1_767_225_600_000_000_000 + self.number
    }

    fn end_time_unix_nano(&self) -> u64 {
        1_767_225_600_000_250_000 + self.number
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        out.push("http.request.method", ValueRef::Str("GET"));
        out.push("url.path", ValueRef::Str(&self.path));
        out.push("http.response.status_code", ValueRef::Int(200));
        out.push("cache.hit", ValueRef::Bool(true));
    }
}

/// The same as the SDK has it.
fn span_data(number: u64, scope: &InstrumentationScope) -> SpanData {
    let start = std::time::UNIX_EPOCH + Duration::from_nanos(1_767_225_600_000_000_000 + number);
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(u128::from(number + 1).to_be_bytes()),
            SpanId::from_bytes((number + 1).to_be_bytes()),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Server,
        name: "GET /api/v1/orders/{id}".into(),
        start_time: start,
        end_time: start + Duration::from_micros(250),
        attributes: vec![
            KeyValue::new("http.request.method", "GET"),
            KeyValue::new("url.path", path(number)),
            KeyValue::new("http.response.status_code", 200),
            KeyValue::new("cache.hit", true),
        ],
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: scope.clone(),
    }
}

fn resource() -> ResourcePrefix {
    ResourcePrefix::new(|out| out.push("service.name", ValueRef::Str("checkout")))
}

/// Measures the rows of this file.
pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let rounds = run.effort().pick(1, 5, 15);
    let count = run.effort().pick(50, 100_000, 400_000);
    for (row, threads) in [(ONE, 1), (TWO, 2)] {
        run.alternate(row.name, rounds, || pushing(count, threads), || encoding(count, threads))?;
    }
    // So many that the SDK's queue takes all of them.
    let count = run.effort().pick(50, 20_000, 20_000);
    run.alternate(SDK.name, rounds, || pushing(count, 1), || through_the_sdk(count))
}

/// Nanoseconds of each thread for a span, on the average. Each makes its work first.
fn on_threads<W: FnMut(&[Call])>(
    count: u64,
    threads: u64,
    clock: fn() -> Duration,
    work: impl Fn() -> W + Sync,
) -> Result<f64, Failure> {
    let took = std::thread::scope(|scope| {
        let work = &work;
        let run = |thread| {
            scope.spawn(move || {
                // The same few for all, as a program that ends spans has them at hand.
                let calls: Vec<Call> = (0..64_u64).map(|number| Call::new(thread << 32 | number)).collect();
                let mut work = work();
                let begin = clock();
                for _ in 0..count.div_ceil(64) {
                    work(&calls);
                }
                clock() - begin
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|thread| thread.join().ok()).sum::<Option<Duration>>()
    });
    let took = took.ok_or("a thread panicked")?;
    Ok(took.as_nanos() as f64 / (threads * count.div_ceil(64) * 64) as f64)
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn pushing(count: u64, threads: u64) -> Result<f64, Failure> {
    Ok(pushed(count, threads, thread_time)?.0)
}

/// As [`pushing`], and what the pipeline has measured.
pub(super) fn pushed(
    count: u64,
    threads: u64,
    clock: fn() -> Duration,
) -> Result<(f64, Vec<LaneDistributions>), Failure> {
    let destination = Arc::new(Destination::new("nowhere", Nowhere, RetryPolicy::default()));
    // Room for all, so that nobody is refused.
    let lane = LaneConfig::default().with_queue_bytes(4 << 30);
    let pipeline = Pipeline::builder(Signal::Traces).destination(destination, lane).build()?;
    let scope = ScopePrefix::new("http-server", "0.3.1");
    let intake = pipeline
        .encoding_intake(resource(), move |call: &Call, out: &mut ItemSink<'_>| out.push_span(&scope, call));
    let took = on_threads(count, threads, clock, || {
        |calls: &[Call]| {
            for call in calls {
                // There is room for all. If one is refused all the same, the count below says so.
                let _ = intake.push(call);
            }
        }
    })?;
    let report = pipeline.shutdown(DEADLINE)?;
    let delivered = report.lanes.iter().map(|lane| lane.ledger.delivered).sum::<u64>();
    if delivered != threads * count.div_ceil(64) * 64 {
        return Err(format!("{delivered} spans were delivered of {}", threads * count).into());
    }
    Ok((took, pipeline.distributions()))
}

/// The encoder, and chunks from the same kind of pool, which are dropped when they are full.
fn encoding(count: u64, threads: u64) -> Result<f64, Failure> {
    let pool = Pipeline::slab_pool(16 << 20);
    let scope = ScopePrefix::new("http-server", "0.3.1");
    on_threads(count, threads, thread_time, || {
        let mut builder = ChunkBuilder::new(Signal::Traces, resource()).with_pool(pool.clone());
        let scope = &scope;
        move |calls: &[Call]| {
            for call in calls {
                builder.push_span(scope, call);
                if builder.is_full(FULL) {
                    drop(builder.seal());
                }
            }
        }
    })
}

/// Takes every batch.
#[derive(Debug)]
struct Discard;

impl SpanExporter for Discard {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        drop(batch);
        Ok(())
    }
}

/// The SDK's processor takes spans by value: they are made before, and encoded by its exporter, on another thread, which is not in the figure.
fn through_the_sdk(count: u64) -> Result<f64, Failure> {
    let config = BatchConfigBuilder::default().with_max_queue_size(count as usize + 1).build();
    let processor = BatchSpanProcessor::builder(Discard).with_batch_config(config).build();
    let scope = InstrumentationScope::builder("http-server").with_version("0.3.1").build();
    let spans: Vec<SpanData> = (0..count).map(|number| span_data(number, &scope)).collect();
    let begin = thread_time();
    for span in spans {
        processor.on_end(span);
    }
    let took = thread_time() - begin;
    processor.shutdown_with_timeout(DEADLINE)?;
    Ok(took.as_nanos() as f64 / count as f64)
}
