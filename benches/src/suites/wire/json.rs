//! OTLP/JSON to protobuf and back.

use crate::harness::{Declared, Run};
use crate::{Failure, payload};
use aqueduct_wire::{Signal, json};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

const READ: &str = "serde_json into structs, prost encode";
const WRITE: &str = "prost decode, serde_json";

/// Reading and writing, of one signal after the other.
pub(super) const ROWS: [Declared; 6] = [
    Declared::lower("json/to-protobuf", "ns/span").against(READ).bar("ratio<=0.5"),
    Declared::lower("json/from-protobuf", "ns/span").against(WRITE),
    Declared::lower("json/to-protobuf, data points", "ns/point").against(READ).bar("ratio<=0.5"),
    Declared::lower("json/from-protobuf, data points", "ns/point").against(WRITE),
    Declared::lower("json/to-protobuf, log records", "ns/record").against(READ).bar("ratio<=0.5"),
    Declared::lower("json/from-protobuf, log records", "ns/record").against(WRITE),
];

const ITEMS: usize = 512;

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let [traces, back, metrics, metrics_back, logs, logs_back] = ROWS.map(|row| row.name);
    both::<ExportTraceServiceRequest>(run, Signal::Traces, payload::traces(ITEMS), traces, back)?;
    both::<ExportMetricsServiceRequest>(
        run,
        Signal::Metrics,
        payload::metrics(ITEMS),
        metrics,
        metrics_back,
    )?;
    both::<ExportLogsServiceRequest>(run, Signal::Logs, payload::logs(ITEMS), logs, logs_back)
}

fn both<R: Message + Default + PartialEq + Serialize + DeserializeOwned>(
    run: &mut Run<'_>,
    signal: Signal,
    body: Bytes,
    to_protobuf: &str,
    from_protobuf: &str,
) -> Result<(), Failure> {
    let text = json::from_protobuf(signal, &body)?;
    let structs: R = serde_json::from_str(&text)?;
    if R::decode(json::to_protobuf(signal, text.as_bytes())?)? != structs {
        return Err("the two readers of JSON do not agree".into());
    }
    let read = || json::to_protobuf(signal, text.as_bytes());
    let read_structs = || serde_json::from_str::<R>(&text).map(|request| request.encode_to_vec());
    run.compare(to_protobuf, ITEMS as u64, read, read_structs)?;
    let write = || json::from_protobuf(signal, &body);
    let write_structs = || R::decode(body.clone()).ok().map(|request| serde_json::to_string(&request));
    run.compare(from_protobuf, ITEMS as u64, write, write_structs)
}
