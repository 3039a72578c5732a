//! Twenty services whose attributes have many values, and the consumer that keeps something for each of them.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aqueduct_opentelemetry::{Aqueduct, CardinalityConfig, CardinalityLimiter, Verdict};
use aqueduct_pipeline::{Attempt, Destination, Exporter, Overflow, Preset};
use aqueduct_transport::{Outcome, Request, RetryPolicy};
use aqueduct_wire::{Chunk, Merged, Signal};
use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use serde::{Deserialize, Serialize};

use super::load::process_time;
use crate::Failure;
use crate::faults::Random;
use crate::process::Usage;

/// Keys with many values.
const KEYS: [&str; 3] = ["user.id", "session.id", "url.full"];
const SERVICES: u64 = 20;
/// Of each key, over all services.
const VALUES: u64 = 120_000;
/// Half of the spans have one of so many values of their service.
const FREQUENT: u64 = 20;
/// Spans between two pages: a scrape every 15 s of 20 services with 200 spans a second each.
const SCRAPE: u64 = 60_000;
const DEADLINE: Duration = Duration::from_secs(30);
const BUCKETS: usize = 16;

/// Services in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// With a limit of 500 values a key, over all services.
    pub limited: bool,
    /// With a consumer that keeps a series for each value; without it, what arrives is dropped.
    pub consumed: bool,
    /// Over all services.
    pub spans: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Consumed {
    /// Spans that arrived.
    pub spans: u64,
    /// Different values of the key that has most, the overflow value not counted.
    pub values: u64,
    /// Series of the consumer.
    pub series: u64,
    /// Nanoseconds of CPU for a span, of the whole process.
    pub cpu_ns: f64,
    /// The most resident bytes.
    pub peak_rss: u64,
}

pub(super) fn run(spread: &Spread) -> Result<Consumed, Failure> {
    let limits = CardinalityConfig::default();
    let consumer = Arc::new(Consumer {
        kept: spread.consumed.then(Mutex::default),
        overflow: Arc::clone(&limits.overflow),
    });
    let mut preset = Preset::balanced();
    preset.pipeline.overflow = Overflow::Block(DEADLINE);
    let destination = Destination::new("consumer", Arc::clone(&consumer), RetryPolicy::default());
    let mut builder =
        Aqueduct::builder().variables(|_| None).preset(preset).destination(Arc::new(destination));
    if spread.limited {
        let limiter = CardinalityLimiter::new(KEYS, limits);
        builder = builder.filter_spans(move |span| {
            limiter.limit_attributes(&mut span.attributes);
            Verdict::Export
        });
    }
    let telemetry = builder.build()?;
    let providers: Vec<_> = (0..SERVICES)
        .map(|service| {
            let resource =
                Resource::builder_empty().with_service_name(format!("service-{service:02}")).build();
            SdkTracerProvider::builder()
                .with_resource(resource)
                .with_span_processor(telemetry.span_processor())
                .build()
        })
        .collect();
    let tracers: Vec<_> = providers.iter().map(|provider| provider.tracer("http-server")).collect();
    let (mut random, root, before) = (Random::new(SERVICES), Context::new(), process_time());
    for number in 0..spread.spans {
        let service = number % SERVICES;
        end_span(&tracers[service as usize], &root, service, &mut random);
    }
    let report = telemetry.shutdown(DEADLINE);
    let cpu = process_time() - before;
    if report.delivered() != spread.spans {
        return Err(format!("{} of {} spans were delivered", report.delivered(), spread.spans).into());
    }
    let peak_rss = Usage::of(std::process::id())?.peak_rss;
    let (values, series) = consumer.kept().map_or((0, 0), |kept| kept.counts(&consumer.overflow));
    Ok(Consumed {
        spans: report.delivered(),
        values,
        series,
        cpu_ns: cpu.as_nanos() as f64 / spread.spans.max(1) as f64,
        peak_rss,
    })
}

fn end_span(tracer: &SdkTracer, root: &Context, service: u64, random: &mut Random) {
    let mut span = tracer.start_with_context("GET /orders/{id}", root);
    for key in KEYS {
        let own = VALUES / SERVICES;
        let drawn = random.draw();
        let value = if drawn & 1 == 0 { (drawn >> 1) % FREQUENT } else { (drawn >> 1) % own };
        span.set_attribute(KeyValue::new(key, format!("{key}-{:08x}", service * own + value)));
    }
    span.set_attribute(KeyValue::new("http.response.status_code", 200));
    span.end();
}

/// What a backend has of spans: a histogram for each service, key and value, and a page of them now and then.
struct Consumer {
    kept: Option<Mutex<Kept>>,
    overflow: Arc<str>,
}

#[derive(Default)]
struct Kept {
    series: HashMap<Box<str>, Series>,
    spans: u64,
    page: String,
    label: String,
}

#[derive(Default)]
struct Series {
    buckets: [u64; BUCKETS],
    nanoseconds: u64,
}

impl Consumer {
    fn kept(&self) -> Option<MutexGuard<'_, Kept>> {
        Some(self.kept.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Exporter for Consumer {
    fn prepare(&self, batch: &Merged) -> Request {
        if let Some(mut kept) = self.kept() {
            kept.take(&Chunk::from_valid(Signal::Traces, batch.items(), batch.to_bytes()));
        }
        Request::plain(batch)
    }

    fn send<'a>(&'a self, _: &'a Request) -> Attempt<'a> {
        Box::pin(std::future::ready(Outcome::Delivered))
    }
}

impl Kept {
    fn take(&mut self, chunk: &Chunk) {
        for resource in chunk.traces().into_iter().flat_map(|traces| traces.resource_spans()) {
            let service =
                resource.resource().and_then(|resource| resource.attributes().find("service.name")?.as_str());
            let service = service.unwrap_or_default();
            for span in resource.scope_spans().flat_map(|scope| scope.spans()) {
                let took = span.end_time_unix_nano().saturating_sub(span.start_time_unix_nano());
                for attribute in span.attributes() {
                    if let Some(value) = attribute.value().as_str() {
                        self.note(service, attribute.key().as_str(), value, took);
                    }
                }
                self.spans += 1;
                if self.spans.is_multiple_of(SCRAPE) {
                    self.write_page();
                }
            }
        }
    }

    fn note(&mut self, service: &str, key: &str, value: &str, took: u64) {
        self.label.clear();
        // Writing to a string cannot fail, here and below.
        let _ = write!(self.label, "service=\"{service}\",{key}=\"{value}\"");
        if !self.series.contains_key(self.label.as_str()) {
            self.series.insert(self.label.as_str().into(), Series::default());
        }
        if let Some(series) = self.series.get_mut(self.label.as_str()) {
            let bucket = (took.max(1).ilog2() as usize / 2).min(BUCKETS - 1);
            series.buckets[bucket] += 1;
            series.nanoseconds += took;
        }
    }

    /// As it would be asked for: text, cumulative.
    fn write_page(&mut self) {
        self.page.clear();
        for (label, series) in &self.series {
            let mut count = 0;
            for (bucket, times) in series.buckets.iter().enumerate() {
                count += times;
                let _ = writeln!(self.page, "duration_bucket{{{label},le=\"{bucket}\"}} {count}");
            }
            let _ = writeln!(self.page, "duration_sum{{{label}}} {}", series.nanoseconds);
        }
    }

    fn counts(&self, overflow: &str) -> (u64, u64) {
        let value = |label: &str, key: &str| {
            let (_, rest) = label.split_once(&format!(",{key}=\""))?;
            Some(rest.trim_end_matches('"').to_owned()).filter(|value| value != overflow)
        };
        let different = |key: &&str| {
            self.series.keys().filter_map(|label| value(label, key)).collect::<HashSet<_>>().len() as u64
        };
        (KEYS.iter().map(different).max().unwrap_or(0), self.series.len() as u64)
    }
}
