//! Reading attributes where they lie, against decoding into structs that then are dropped.

use aqueduct_wire::view::{Attributes, Logs, MetricData, Metrics, Traces, Value};
use aqueduct_wire::{Limits, Signal, validate};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::hint::black_box;

use super::DECODE;
use crate::harness::{Declared, Run};
use crate::{Failure, payload};

/// Every key and value of every item's attributes; strings as bytes that are known to be text, and once as `&str`.
pub(super) const ROWS: [Declared; 4] = [
    Declared::lower("walk/attributes", "ns/span").against(DECODE).bar("ratio<=0.12"),
    Declared::lower("walk/attributes, all text as &str", "ns/span").against(DECODE),
    Declared::lower("walk/attributes of data points", "ns/point").against(DECODE),
    Declared::lower("walk/attributes of log records", "ns/record").against(DECODE),
];

const ITEMS: usize = 512;

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let body = payload::traces(ITEMS);
    validate(Signal::Traces, &body, &Limits::DEFAULT)?;
    let walk = || {
        for scope in Traces::new(&body).resource_spans().flat_map(|record| record.scope_spans()) {
            scope.spans().for_each(|span| visit(span.attributes()));
        }
    };
    let decode = || ExportTraceServiceRequest::decode(body.clone());
    run.compare(ROWS[0].name, ITEMS as u64, walk, decode)?;
    let walk = || {
        for scope in Traces::new(&body).resource_spans().flat_map(|record| record.scope_spans()) {
            scope.spans().for_each(|span| read(span.attributes()));
        }
    };
    run.compare(ROWS[1].name, ITEMS as u64, walk, decode)?;

    let body = payload::metrics(ITEMS);
    let walk = || {
        for scope in Metrics::new(&body).resource_metrics().flat_map(|record| record.scope_metrics()) {
            for metric in scope.metrics() {
                if let Some(MetricData::Gauge(gauge)) = metric.data() {
                    gauge.data_points().for_each(|point| visit(point.attributes()));
                }
            }
        }
    };
    run.compare(ROWS[2].name, ITEMS as u64, walk, || ExportMetricsServiceRequest::decode(body.clone()))?;

    let body = payload::logs(ITEMS);
    let walk = || {
        for scope in Logs::new(&body).resource_logs().flat_map(|record| record.scope_logs()) {
            scope.log_records().for_each(|record| visit(record.attributes()));
        }
    };
    run.compare(ROWS[3].name, ITEMS as u64, walk, || ExportLogsServiceRequest::decode(body.clone()))
}

/// What a reader does at the least: the key, and the value by its kind.
#[inline(always)]
fn visit(attributes: Attributes<'_>) {
    for attribute in attributes {
        black_box(attribute.key());
        match attribute.value() {
            Value::Str(text) => {
                black_box(text);
            }
            Value::Int(number) => {
                black_box(number);
            }
            Value::Double(number) => {
                black_box(number);
            }
            Value::Bool(truth) => {
                black_box(truth);
            }
            other => {
                black_box(other);
            }
        }
    }
}

/// The same, with a check of every string, which is what `&str` takes.
#[inline(always)]
fn read(attributes: Attributes<'_>) {
    for attribute in attributes {
        black_box(attribute.key().as_str());
        match attribute.value() {
            Value::Str(text) => {
                black_box(text.as_str());
            }
            other => {
                black_box(other);
            }
        }
    }
}
