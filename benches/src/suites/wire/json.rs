//! OTLP/JSON to protobuf and back.

use crate::harness::{Declared, Run};
use crate::{Failure, payload};
use aqueduct_wire::{Signal, json};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

pub(super) const TO_PROTOBUF: Declared = Declared::lower("json/to-protobuf", "ns/span")
    .against("serde_json into structs, prost encode")
    .bar("ratio<=0.5");
pub(super) const FROM_PROTOBUF: Declared =
    Declared::lower("json/from-protobuf", "ns/span").against("prost decode, serde_json");

const SPANS: usize = 512;

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let body = payload::traces(SPANS);
    let text = json::from_protobuf(Signal::Traces, &body)?;
    let structs: ExportTraceServiceRequest = serde_json::from_str(&text)?;
    let ours = json::to_protobuf(Signal::Traces, text.as_bytes())?;
    if ExportTraceServiceRequest::decode(ours)? != structs {
        return Err("the two readers of JSON do not agree".into());
    }
    let read = || json::to_protobuf(Signal::Traces, text.as_bytes());
    let read_structs =
        || serde_json::from_str::<ExportTraceServiceRequest>(&text).map(|request| request.encode_to_vec());
    run.compare(TO_PROTOBUF.name, SPANS as u64, read, read_structs)?;
    let write = || json::from_protobuf(Signal::Traces, &body);
    let write_structs = || {
        ExportTraceServiceRequest::decode(body.clone()).ok().map(|request| serde_json::to_string(&request))
    };
    run.compare(FROM_PROTOBUF.name, SPANS as u64, write, write_structs)
}
