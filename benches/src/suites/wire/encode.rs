//! Writing: from the SDK's spans and log records to the bytes of a request.

use std::time::Instant;

use aqueduct_wire::encode::{ChunkBuilder, ResourcePrefix, ScopePrefix};
use aqueduct_wire::{Chunk, Signal};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LogBatch, SdkLogRecord};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;

use super::sdk::{Sdk, put_attributes, span};
use super::{sdk_log, sdk_metric};
use crate::Failure;
use crate::harness::{Declared, Run};

const CONVERT: &str = "opentelemetry-proto convert, encode and drop";

pub(super) const SPANDATA: Declared =
    Declared::lower("encode/spandata", "ns/span").against(CONVERT).bar("ratio<=0.12");

pub(super) const LOG_RECORDS: Declared =
    Declared::lower("encode/log-records", "ns/record").against(CONVERT).bar("ratio<=0.12");

pub(super) const DATA_POINTS: Declared =
    Declared::lower("encode/data-points", "ns/point").against(CONVERT).bar("ratio<=0.12");

const ITEMS: usize = 512;

/// Measures the rows of this file.
pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    spans(run)?;
    log_records(run)?;
    data_points(run)
}

fn resource() -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "checkout"),
            KeyValue::new("service.version", "1.42.0"),
            KeyValue::new("host.name", "node-17.eu-central.example.com"),
        ])
        .build()
}

/// With room for so many items, so that one more does not make the chunk's buffer grow.
fn builder(signal: Signal, resource: &Resource, items: u64) -> ChunkBuilder {
    let attributes: Vec<KeyValue> =
        resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let resource = ResourcePrefix::new(|out| put_attributes(&attributes, out));
    ChunkBuilder::new(signal, resource).with_capacity(1024 * items as usize)
}

/// Work that a caller times or counts.
pub(super) type Measure<'a> = &'a mut dyn FnMut(&mut dyn FnMut());

/// Lets the caller run the encoding of so many spans of the SDK, with buffers that have grown to what it takes.
pub(super) fn encode_spans(count: u64, measure: Measure<'_>) -> Result<(), Failure> {
    let scope = span_scope();
    let spans: Vec<SpanData> = (0..count).map(|n| span(n, &scope)).collect();
    let (mut builder, scope) = (builder(Signal::Traces, &resource(), count), span_prefix());
    let mut encode = || drop(put_spans(&mut builder, &scope, &spans));
    encode();
    measure(&mut encode);
    Ok(())
}

/// Lets the caller run the encoding of so many log records of the SDK.
pub(super) fn encode_log_records(count: u64, measure: Measure<'_>) -> Result<(), Failure> {
    let records = sdk_log::records(count);
    let (mut builder, scope) = (builder(Signal::Logs, &resource(), count), plain_prefix());
    let mut encode = || drop(put_records(&mut builder, &scope, &records));
    encode();
    measure(&mut encode);
    Ok(())
}

/// Lets the caller run the encoding of so many data points of the SDK.
pub(super) fn encode_data_points(count: u64, measure: Measure<'_>) -> Result<(), Failure> {
    let metrics = sdk_metric::metrics(count)?;
    let (mut builder, scope) = (builder(Signal::Metrics, metrics.resource(), count), plain_prefix());
    let mut encode = || drop(put_metrics(&mut builder, &scope, &metrics));
    encode();
    measure(&mut encode);
    Ok(())
}

fn span_scope() -> InstrumentationScope {
    InstrumentationScope::builder("http-server").with_version("0.3.1").build()
}

fn span_prefix() -> ScopePrefix {
    ScopePrefix::new("http-server", "0.3.1")
}

fn plain_prefix() -> ScopePrefix {
    ScopePrefix::new("http-server", "")
}

fn put_spans(builder: &mut ChunkBuilder, scope: &ScopePrefix, spans: &[SpanData]) -> Chunk {
    spans.iter().for_each(|span| builder.push_span(scope, &Sdk::new(span)));
    builder.seal()
}

fn put_records(builder: &mut ChunkBuilder, scope: &ScopePrefix, records: &[SdkLogRecord]) -> Chunk {
    records.iter().for_each(|record| builder.push_log(scope, &sdk_log::Sdk(record)));
    builder.seal()
}

fn put_metrics(builder: &mut ChunkBuilder, scope: &ScopePrefix, metrics: &ResourceMetrics) -> Chunk {
    let metrics = metrics.scope_metrics().flat_map(|scope| scope.metrics());
    metrics.for_each(|metric| builder.push_metric(scope, &sdk_metric::Sdk(metric)));
    builder.seal()
}

/// Encodes a batch of the SDK's spans. The conversion of opentelemetry-proto takes the spans by value: they are copied for it outside
/// of what is timed, and it drops them within.
fn spans(run: &mut Run<'_>) -> Result<(), Failure> {
    if !run.wants(SPANDATA.name) {
        return Ok(());
    }
    let scope = span_scope();
    let spans: Vec<SpanData> = (0..ITEMS as u64).map(|n| span(n, &scope)).collect();
    let resource = resource();
    let schema = ResourceAttributesWithSchema::from(&resource);
    let peer = |spans: Vec<SpanData>| {
        let resource_spans = group_spans_by_resource_and_scope(spans, &schema);
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    };

    let mut builder = builder(Signal::Traces, &resource, ITEMS as u64);
    let scope = span_prefix();
    let mut ours = || put_spans(&mut builder, &scope, &spans);
    if ours().bytes()[..] != peer(spans.clone())[..] {
        return Err("the two encodings differ".into());
    }

    let calls = run.effort().pick(1, 20, 100);
    let per_span = |elapsed: u128| elapsed as f64 / (calls * ITEMS) as f64;
    run.alternate(
        SPANDATA.name,
        run.effort().pick(2, 9, 25),
        || {
            let start = Instant::now();
            for _ in 0..calls {
                std::hint::black_box(ours());
            }
            Ok(per_span(start.elapsed().as_nanos()))
        },
        || {
            let mut elapsed = 0;
            for _ in 0..calls {
                let spans = spans.clone();
                let start = Instant::now();
                std::hint::black_box(peer(spans));
                elapsed += start.elapsed().as_nanos();
            }
            Ok(per_span(elapsed))
        },
    )
}

/// Encodes a batch of the SDK's log records. They are lent to both.
fn log_records(run: &mut Run<'_>) -> Result<(), Failure> {
    if !run.wants(LOG_RECORDS.name) {
        return Ok(());
    }
    let scope = InstrumentationScope::builder("http-server").build();
    let records = sdk_log::records(ITEMS as u64);
    let lent: Vec<_> = records.iter().map(|record| (record, &scope)).collect();
    let batch = LogBatch::new(&lent);
    let resource = resource();
    let schema = ResourceAttributesWithSchema::from(&resource);
    let peer = || {
        let resource_logs = group_logs_by_resource_and_scope(&batch, &schema);
        ExportLogsServiceRequest { resource_logs }.encode_to_vec()
    };
    let mut builder = builder(Signal::Logs, &resource, ITEMS as u64);
    let scope = plain_prefix();
    let mut ours = || put_records(&mut builder, &scope, &records);
    if ours().bytes()[..] != peer()[..] {
        return Err("the two encodings differ".into());
    }
    run.compare(LOG_RECORDS.name, ITEMS as u64, ours, peer)
}

/// Encodes what a counter and a histogram have collected. It is lent to both.
fn data_points(run: &mut Run<'_>) -> Result<(), Failure> {
    if !run.wants(DATA_POINTS.name) {
        return Ok(());
    }
    let metrics = sdk_metric::metrics(ITEMS as u64)?;
    let peer = || ExportMetricsServiceRequest::from(&metrics).encode_to_vec();
    let mut builder = builder(Signal::Metrics, metrics.resource(), ITEMS as u64);
    let scope = plain_prefix();
    let mut ours = || put_metrics(&mut builder, &scope, &metrics);
    let chunk = ours();
    if chunk.items() != ITEMS as u64 || chunk.bytes()[..] != peer()[..] {
        return Err("the two encodings of metrics differ".into());
    }
    run.compare(DATA_POINTS.name, ITEMS as u64, ours, peer)
}
