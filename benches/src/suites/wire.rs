//! `aqueduct-wire`: looking at requests and merging them.

mod encode;
mod json;
mod operations;
mod sdk;
mod sdk_log;
mod views;

use aqueduct_wire::{Chunk, Limits, Merger, Signal, scan, validate};
use bytes::Bytes;
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
        Declared::lower("scan, 1 span", "ns/span").against(DECODE).bar("ratio<=0.1"),
        Declared::lower("scan, 10 spans", "ns/span").against(DECODE).bar("ratio<=0.1"),
        Declared::lower("scan, 100 spans", "ns/span").against(DECODE).bar("ratio<=0.1"),
        Declared::lower("scan, 512 spans", "ns/span").against(DECODE).bar("ratio<=0.1"),
        Declared::lower("validate, 1 span", "ns/span").against(DECODE).bar("ratio<=0.25"),
        Declared::lower("validate, 10 spans", "ns/span").against(DECODE).bar("ratio<=0.25"),
        Declared::lower("validate, 100 spans", "ns/span").against(DECODE).bar("ratio<=0.25"),
        Declared::lower("validate, 512 spans", "ns/span").against(DECODE).bar("ratio<=0.25"),
        Declared::lower("validate against a copy, 100 spans", "ns/span").against(COPY),
        Declared::lower("validate, 100 data points", "ns/point").against(DECODE).bar("ratio<=0.25"),
        Declared::lower("validate, 100 log records", "ns/record").against(DECODE).bar("ratio<=0.25"),
        Declared::lower("merge 8192 spans, 1 a request", "ns/span").against(COPY).bar("ratio<=2"),
        Declared::lower("merge 8192 spans, 512 a request", "ns/span").against(COPY).bar("ratio<=1"),
        operations::SPLIT,
        operations::FILTER,
        operations::GROUP,
        operations::FOLD,
        operations::EDIT_8,
        operations::EDIT_512,
        operations::EDIT_ITEMS,
        json::TO_PROTOBUF,
        json::FROM_PROTOBUF,
        encode::SPANDATA,
        encode::LOG_RECORDS,
        views::ROWS[0],
        views::ROWS[1],
        views::ROWS[2],
        views::ROWS[3],
    ],
    measure,
};

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let limits = Limits::default();
    let sizes = [
        (1, "scan, 1 span", "validate, 1 span"),
        (10, "scan, 10 spans", "validate, 10 spans"),
        (100, "scan, 100 spans", "validate, 100 spans"),
        (512, "scan, 512 spans", "validate, 512 spans"),
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

    let body = payload::metrics(100);
    let check = || validate(Signal::Metrics, &body, &limits);
    run.compare("validate, 100 data points", 100, check, || {
        ExportMetricsServiceRequest::decode(body.clone())
    })?;
    let body = payload::logs(100);
    let check = || validate(Signal::Logs, &body, &limits);
    run.compare("validate, 100 log records", 100, check, || ExportLogsServiceRequest::decode(body.clone()))?;

    merge(run, "merge 8192 spans, 1 a request", 1)?;
    merge(run, "merge 8192 spans, 512 a request", 512)?;
    operations::measure(run)?;
    encode::measure(run)?;
    json::measure(run)?;
    views::measure(run)
}

/// Merges a batch against copying it into one buffer that already has the room.
fn merge(run: &mut Run<'_>, name: &str, spans: usize) -> Result<(), Failure> {
    let items = run.effort().pick(2 * spans, 8192, 8192);
    // Distinct buffers, as they would come off a socket: merging one buffer again and again would measure the cache.
    let bodies: Vec<Bytes> =
        (0..items / spans).map(|_| Bytes::copy_from_slice(&payload::traces(spans))).collect();
    let mut room = Vec::with_capacity(bodies.iter().map(Bytes::len).sum());
    let ours = || {
        let mut merger = Merger::new(Signal::Traces);
        for body in &bodies {
            merger.push(Chunk::from_valid(Signal::Traces, spans as u64, body.clone()));
        }
        merger.finish()
    };
    let copy = || {
        room.clear();
        for body in &bodies {
            room.extend_from_slice(body);
        }
        room.last().copied()
    };
    run.compare(name, items as u64, ours, copy)
}
