//! What tail sampling inside the process costs a span that ends, on one thread and on several at once. Nanoseconds a span on each thread, best of five runs.
//!
//! `cargo run --release -p aqueduct-opentelemetry --example tail_cost`

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::time::{Duration, Instant, SystemTime};

use aqueduct_opentelemetry::{LocalTailConfig, LocalTailProcessor, RandomIds};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{IdGenerator, Span, SpanData, SpanEvents, SpanLinks, SpanProcessor};

/// A build without optimization is for finding out whether it runs.
const TRACES: u32 = if cfg!(debug_assertions) { 10 } else { 20_000 };
const SPANS: u32 = 10;

/// Drops what it gets.
#[derive(Debug)]
struct Nothing;

impl SpanProcessor for Nothing {
    fn on_start(&self, _: &mut Span, _: &Context) {}
    fn on_end(&self, _: SpanData) {}
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn main() {
    let tail = |share| {
        let config = LocalTailConfig::new(Duration::from_secs(1), share);
        LocalTailProcessor::new(Nothing, &config).expect("a configuration that can be meant")
    };
    for threads in [1, 2, 4] {
        time("made and dropped", threads, &Nothing);
        time("tail, 1 % kept", threads, &tail(0.01));
        time("tail, all kept", threads, &tail(1.0));
    }
}

fn time(name: &str, threads: u32, processor: &dyn SpanProcessor) {
    let run = |_| {
        let took = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..threads).map(|_| scope.spawn(|| traces(processor))).collect();
            runs.into_iter().map(|run| run.join().expect("it ends")).sum::<Duration>()
        });
        took.as_secs_f64() * 1e9 / f64::from(threads * TRACES * SPANS)
    };
    let best = (0..5).map(run).fold(f64::INFINITY, f64::min);
    println!("{threads} threads, {name:<20} {best:>8.1}");
}

fn traces(processor: &dyn SpanProcessor) -> Duration {
    let (ids, start) = (RandomIds::new(), Instant::now());
    for _ in 0..TRACES {
        let trace_id = ids.new_trace_id();
        for child in (0..u64::from(SPANS)).rev() {
            let context =
                SpanContext::new(trace_id, ids.new_span_id(), TraceFlags::SAMPLED, false, TraceState::NONE);
            processor.on_end(span(context, SpanId::from(child)));
        }
    }
    start.elapsed()
}

fn span(span_context: SpanContext, parent_span_id: SpanId) -> SpanData {
    SpanData {
        span_context,
        parent_span_id,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "name".into(),
        start_time: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
        end_time: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
        attributes: vec![KeyValue::new("http.request.method", "GET"), KeyValue::new("size", 7)],
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}
