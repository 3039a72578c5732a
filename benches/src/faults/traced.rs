//! The application with the OpenTelemetry SDK: its tracer makes the spans, one of the [carriers](Carrier) takes them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::trace::{Span, SpanId, SpanKind, TraceContextExt, TraceId, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer, SdkTracerProvider};

use super::carrier::Carried;
use super::ids::span_id;
use super::job::{Carrier, Job, Told};
use super::pace;
use super::sample::{NAME, Sample};
use crate::Failure;
use crate::process::Usage;

pub(super) fn run(job: &Job, carrier: Carrier) -> Result<Told, Failure> {
    let clients = job.clients.max(1);
    let mut lines =
        (1..=clients).map(|client| Line::new(job, client, carrier)).collect::<Result<Vec<_>, _>>()?;
    let mut turn = 0;
    pace::keep(job, |due| {
        for _ in 0..due {
            lines[turn].end_span();
            turn = (turn + 1) % lines.len();
        }
        Ok(())
    })?;
    let ended = Instant::now();
    let deadline = ended + Duration::from_secs_f64(job.shutdown_seconds);
    let mut told = Told::default();
    for line in lines {
        line.carried.close(line.generated, deadline, &mut told);
    }
    told.shutdown_seconds = ended.elapsed().as_secs_f64();
    told.peak_rss = Usage::of(std::process::id())?.peak_rss;
    Ok(told)
}

/// A provider with the spans that it makes.
struct Line {
    carried: Carried,
    tracer: SdkTracer,
    sample: Sample,
    /// Of the first span of a trace.
    root: Context,
    /// Of the others: the first one.
    parent: Context,
    generated: u64,
}

impl Line {
    fn new(job: &Job, client: u16, carrier: Carrier) -> Result<Line, Failure> {
        let sample = Sample::new(job.content, client, job.seed);
        if sample.key_values().is_none() {
            return Err(format!("the SDK has no values for {:?}", job.content).into());
        }
        let ids =
            Numbered { traces: RandomIdGenerator::default(), producer: client, spans: AtomicU64::new(0) };
        let carried = Carried::new(carrier, job, SdkTracerProvider::builder().with_id_generator(ids))?;
        Ok(Line {
            tracer: carried.provider.tracer("http-server"),
            carried,
            sample,
            root: Context::new(),
            parent: Context::new(),
            generated: 0,
        })
    }

    fn end_span(&mut self) {
        self.sample.turn(self.generated);
        self.generated += 1;
        let first = self.sample.is_first();
        let builder = self.tracer.span_builder(NAME).with_kind(SpanKind::Server);
        let builder = builder.with_start_time(self.sample.start_time());
        let mut span =
            builder.start_with_context(&self.tracer, if first { &self.root } else { &self.parent });
        span.set_attributes(self.sample.key_values().into_iter().flatten());
        span.end();
        if first {
            self.parent = self.root.with_remote_span_context(span.span_context().clone());
        }
    }
}

/// Random traces, and spans that can be told apart.
#[derive(Debug)]
struct Numbered {
    traces: RandomIdGenerator,
    producer: u16,
    spans: AtomicU64,
}

impl IdGenerator for Numbered {
    fn new_trace_id(&self) -> TraceId {
        self.traces.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        // Relaxed: numbers are drawn, nothing hangs on their order.
        SpanId::from_bytes(span_id(self.producer, self.spans.fetch_add(1, Ordering::Relaxed)))
    }
}
