//! Writing: from the SDK's spans and log records to the bytes of a request.

use std::time::Instant;

use aqueduct_wire::Signal;
use aqueduct_wire::encode::{ChunkBuilder, ResourcePrefix, ScopePrefix};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::LogBatch;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;

use super::sdk::{Sdk, put_attributes, span};
use super::sdk_log;
use crate::Failure;
use crate::harness::{Declared, Run};

const CONVERT: &str = "opentelemetry-proto convert, encode and drop";

pub(super) const SPANDATA: Declared =
    Declared::lower("encode/spandata", "ns/span").against(CONVERT).bar("ratio<=0.12");

pub(super) const LOG_RECORDS: Declared =
    Declared::lower("encode/log-records", "ns/record").against(CONVERT).bar("ratio<=0.12");

const ITEMS: usize = 512;

/// Measures the rows of this file.
pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    spans(run)?;
    log_records(run)
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

fn builder(signal: Signal, resource: &Resource) -> ChunkBuilder {
    let attributes: Vec<KeyValue> =
        resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let resource = ResourcePrefix::new(|out| put_attributes(&attributes, out));
    ChunkBuilder::new(signal, resource).with_capacity(600 * ITEMS)
}

/// Encodes a batch of the SDK's spans. The conversion of opentelemetry-proto takes the spans by value: they are copied for it outside
/// of what is timed, and it drops them within.
fn spans(run: &mut Run<'_>) -> Result<(), Failure> {
    if !run.wants(SPANDATA.name) {
        return Ok(());
    }
    let scope = InstrumentationScope::builder("http-server").with_version("0.3.1").build();
    let spans: Vec<SpanData> = (0..ITEMS as u64).map(|n| span(n, &scope)).collect();
    let resource = resource();
    let schema = ResourceAttributesWithSchema::from(&resource);
    let peer = |spans: Vec<SpanData>| {
        let resource_spans = group_spans_by_resource_and_scope(spans, &schema);
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    };

    let mut builder = builder(Signal::Traces, &resource);
    let scope = ScopePrefix::new("http-server", "0.3.1");
    let mut ours = || {
        for span in &spans {
            builder.push_span(&scope, &Sdk::new(span));
        }
        builder.seal()
    };
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
    let mut builder = builder(Signal::Logs, &resource);
    let scope = ScopePrefix::new("http-server", "");
    let mut ours = || {
        for record in &records {
            builder.push_log(&scope, &sdk_log::Sdk(record));
        }
        builder.seal()
    };
    if ours().bytes()[..] != peer()[..] {
        return Err("the two encodings differ".into());
    }
    run.compare(LOG_RECORDS.name, ITEMS as u64, ours, peer)
}
