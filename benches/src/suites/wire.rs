//! `aqueduct-wire`: looking at requests and merging them.

pub mod allocations;
mod dependencies;
mod encode;
mod json;
mod merging;
mod operations;
mod sdk;
mod sdk_log;
mod sdk_metric;
mod views;

use aqueduct_wire::{Limits, Signal, scan, validate};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::harness::{Declared, Run, Suite};
use crate::{Failure, payload};

const DECODE: &str = "prost decode and drop";
const COPY: &str = "memcpy";

/// Scan, validate, merge, encode, and operations on whole requests.
pub(super) const SUITE: Suite = Suite {
    name: "wire",
    about: "`scan` counts, `validate` checks every field, `Merger` concatenates; `split`, `filter`, `fold`, `group_by` and `edit` make \
            requests of a request; nanoseconds per item. prost's decode and drop is what reading a request costs with an object \
            tree, a copy of the bytes is the least that touching them can cost.",
    rows: &[
        Declared::lower("scan/1", "ns/request").against(DECODE).bar("ours<=35"),
        Declared::lower("scan/10", "ns/span").against(DECODE),
        Declared::lower("scan/100", "ns/span").against(DECODE),
        Declared::lower("scan/512", "ns/span").against(DECODE).bar("ours<=8"),
        Declared::lower("scan, 512 data points", "ns/point").against(DECODE).bar("ours<=8"),
        Declared::lower("scan, 512 log records", "ns/record").against(DECODE).bar("ours<=8"),
        Declared::lower("validate/1", "ns/request").against(DECODE).bar("ours<=150"),
        Declared::lower("validate/10", "ns/span").against(DECODE),
        Declared::lower("validate/100", "ns/span").against(DECODE),
        Declared::lower("validate/512", "ns/span").against(DECODE).bar("ratio<=0.06"),
        Declared::lower("validate against a copy, 100 spans", "ns/span").against(COPY),
        Declared::lower("validate, 512 data points", "ns/point").against(DECODE),
        Declared::lower("validate, 512 log records", "ns/record").against(DECODE),
        merging::ROWS[0],
        merging::ROWS[1],
        merging::ROWS[2],
        merging::ROWS[3],
        merging::ROWS[4],
        merging::ROWS[5],
        operations::SPLIT,
        operations::FILTER,
        operations::GROUP,
        operations::FOLD,
        operations::EDIT_8,
        operations::EDIT_512,
        operations::EDIT_ITEMS,
        json::ROWS[0],
        json::ROWS[1],
        json::ROWS[2],
        json::ROWS[3],
        json::ROWS[4],
        json::ROWS[5],
        encode::SPANDATA,
        encode::LOG_RECORDS,
        encode::DATA_POINTS,
        allocations::ROWS[0],
        allocations::ROWS[1],
        allocations::ROWS[2],
        allocations::ROWS[3],
        views::ROWS[0],
        views::ROWS[1],
        views::ROWS[2],
        views::ROWS[3],
        dependencies::ROW,
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let limits = Limits::default();
    let sizes = [
        (1, "scan/1", "validate/1"),
        (10, "scan/10", "validate/10"),
        (100, "scan/100", "validate/100"),
        (512, "scan/512", "validate/512"),
    ];
    for (spans, scanned, validated) in sizes {
        let body = payload::traces(spans);
        let decode = || ExportTraceServiceRequest::decode(body.clone());
        run.compare(scanned, spans as u64, || scan(Signal::Traces, &body), decode)?;
        run.compare(validated, spans as u64, || validate(Signal::Traces, &body, &limits), decode)?;
    }

    let body = payload::traces(100);
    let mut copy = Vec::with_capacity(body.len());
    let memcpy = || {
        copy.clear();
        copy.extend_from_slice(&body);
        copy.last().copied()
    };
    let check = || validate(Signal::Traces, &body, &limits);
    run.compare("validate against a copy, 100 spans", 100, check, memcpy)?;

    let body = payload::metrics(512);
    let decode = || ExportMetricsServiceRequest::decode(body.clone());
    run.compare("scan, 512 data points", 512, || scan(Signal::Metrics, &body), decode)?;
    let check = || validate(Signal::Metrics, &body, &limits);
    run.compare("validate, 512 data points", 512, check, decode)?;
    let body = payload::logs(512);
    let decode = || ExportLogsServiceRequest::decode(body.clone());
    run.compare("scan, 512 log records", 512, || scan(Signal::Logs, &body), decode)?;
    let check = || validate(Signal::Logs, &body, &limits);
    run.compare("validate, 512 log records", 512, check, decode)?;

    merging::measure(run)?;
    operations::measure(run)?;
    encode::measure(run)?;
    json::measure(run)?;
    views::measure(run)?;
    allocations::measure(run)?;
    dependencies::measure(run)
}
