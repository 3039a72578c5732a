//! How long it takes to count, validate and merge a request, beside decoding it with prost.
//!
//! `cargo run --release -p aqueduct-wire --example validate_speed`
//!
//! Prints nanoseconds per item, the fastest of many rounds: the machine's noise only ever adds.

#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use aqueduct_wire::{Chunk, Limits, Merger, Signal, scan, validate};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind};
use prost::Message;
use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() {
    println!(
        "{:34} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}",
        "", "bytes", "scan", "validate", "merge", "prost", "ratio"
    );
    for (name, style) in
        [("ten strings", Style::Strings), ("http client", Style::Http), ("not ASCII", Style::Wide)]
    {
        for spans in [1, 10, 100, 512] {
            report(
                &format!("{spans} spans, {name}"),
                Signal::Traces,
                spans,
                traces(spans, style).encode_to_vec(),
            );
        }
    }
    report("512 log records, http client", Signal::Logs, 512, logs(512).encode_to_vec());
    report("512 data points, http client", Signal::Metrics, 512, metrics(512).encode_to_vec());
}

fn report(name: &str, signal: Signal, items: u64, request: Vec<u8>) {
    let bytes = Bytes::from(request);
    assert_eq!(validate(signal, &bytes, &Limits::DEFAULT).map(|summary| summary.items), Ok(items));
    let scanned = fastest(|| scan(signal, black_box(&bytes)).is_ok());
    let validated = fastest(|| validate(signal, black_box(&bytes), &Limits::DEFAULT).is_ok());
    let merged = fastest(|| {
        let mut merger = Merger::new(signal);
        (0..64).for_each(|_| merger.push(Chunk::from_valid(signal, items, bytes.clone())));
        merger.finish().pieces().len()
    }) / 64.0;
    let decoded = fastest(|| match signal {
        Signal::Metrics => ExportMetricsServiceRequest::decode(black_box(&bytes[..])).is_ok(),
        Signal::Logs => ExportLogsServiceRequest::decode(black_box(&bytes[..])).is_ok(),
        _ => ExportTraceServiceRequest::decode(black_box(&bytes[..])).is_ok(),
    });
    let each = items as f64;
    println!(
        "{name:34} {:9.0} {:9.2} {:9.2} {:9.2} {:9.2} {:8.4}",
        bytes.len() as f64 / each,
        scanned / each,
        validated / each,
        merged / each,
        decoded / each,
        validated / decoded
    );
}

/// Nanoseconds of the fastest of many rounds of about a millisecond.
fn fastest<T>(mut work: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    let once = start.elapsed().max(Duration::from_nanos(50));
    let times = (Duration::from_millis(1).as_nanos() / once.as_nanos()).clamp(1, 100_000) as u32;
    let mut best = f64::INFINITY;
    for _ in 0..150 {
        let start = Instant::now();
        for _ in 0..times {
            black_box(work());
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(times));
    }
    best
}

#[derive(Copy, Clone)]
enum Style {
    Strings,
    Http,
    Wide,
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn text(value: impl Into<String>) -> Value {
    Value::StringValue(value.into())
}

fn attributes(style: Style, n: u64) -> Vec<KeyValue> {
    match style {
        Style::Strings => (0..10)
            .map(|at| attribute(&format!("bench.attribute.{at}"), text(format!("value-{at}-{n:08}"))))
            .collect(),
        Style::Http | Style::Wide => vec![
            attribute("http.request.method", text("GET")),
            attribute("url.scheme", text("https")),
            attribute("server.address", text("shop.example.com")),
            attribute("server.port", Value::IntValue(8443)),
            attribute("url.path", text(format!("/api/v2/orders/{n}"))),
            attribute("http.response.status_code", Value::IntValue(200)),
            attribute("network.protocol.version", text("1.1")),
            attribute("user_agent.original", text("Mozilla/5.0 (X11; Linux x86_64)")),
            attribute("app.cached", Value::BoolValue(n.is_multiple_of(2))),
            match style {
                Style::Wide => attribute("app.customer", text("Jürgen Müller, Köln")),
                _ => attribute("app.score", Value::DoubleValue(0.1 + n as f64)),
            },
        ],
    }
}

fn id(n: u64) -> Vec<u8> {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().to_vec()
}

fn resource() -> Option<Resource> {
    let attributes = vec![
        attribute("service.name", text("checkout")),
        attribute("service.version", text("1.42.0")),
        attribute("telemetry.sdk.language", text("rust")),
        attribute("telemetry.sdk.name", text("opentelemetry")),
    ];
    Some(Resource { attributes, ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "checkout::http".to_owned(), ..InstrumentationScope::default() })
}

const NOW: u64 = 1_767_225_600_000_000_000;

fn traces(spans: u64, style: Style) -> ExportTraceServiceRequest {
    let spans = (1..=spans)
        .map(|n| Span {
            trace_id: [id(n), id(n + 7)].concat(),
            span_id: id(n + 3),
            parent_span_id: id(n + 5),
            flags: 0x101,
            name: "GET /api/v2/orders".to_owned(),
            kind: SpanKind::Client as i32,
            start_time_unix_nano: NOW + n * 1_001,
            end_time_unix_nano: NOW + n * 1_001 + 123_456,
            attributes: attributes(style, n),
            status: Some(Status::default()),
            ..Span::default()
        })
        .collect();
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(), scope_spans, ..ResourceSpans::default() }],
    }
}

fn logs(records: u64) -> ExportLogsServiceRequest {
    let log_records = (1..=records)
        .map(|n| LogRecord {
            time_unix_nano: NOW + n,
            observed_time_unix_nano: NOW + n + 5,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(AnyValue { value: Some(text(format!("order {n} was paid in time"))) }),
            attributes: attributes(Style::Http, n),
            trace_id: [id(n), id(n + 7)].concat(),
            span_id: id(n + 3),
            ..LogRecord::default()
        })
        .collect();
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }],
    }
}

fn metrics(points: u64) -> ExportMetricsServiceRequest {
    let metrics = (0..points / 8)
        .map(|m| {
            let data_points = (1..=8)
                .map(|n| NumberDataPoint {
                    attributes: attributes(Style::Http, m * 8 + n),
                    start_time_unix_nano: NOW,
                    time_unix_nano: NOW + n,
                    value: Some(number_data_point::Value::AsDouble(n as f64 * 0.3)),
                    ..NumberDataPoint::default()
                })
                .collect();
            Metric {
                name: "http.client.active_requests".to_owned(),
                unit: "{request}".to_owned(),
                data: Some(metric::Data::Gauge(Gauge { data_points })),
                ..Metric::default()
            }
        })
        .collect();
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    }
}
