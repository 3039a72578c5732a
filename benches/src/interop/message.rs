//! An export request of any signal, as `opentelemetry-proto` has it.

use aqueduct_wire::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use crate::Failure;

/// One request.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Message {
    pub(super) fn signal(&self) -> Signal {
        match self {
            Message::Traces(_) => Signal::Traces,
            Message::Metrics(_) => Signal::Metrics,
            Message::Logs(_) => Signal::Logs,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Message::Traces(request) => request.encode_to_vec(),
            Message::Metrics(request) => request.encode_to_vec(),
            Message::Logs(request) => request.encode_to_vec(),
        }
    }

    pub(super) fn decode(signal: Signal, bytes: &[u8]) -> Result<Message, Failure> {
        Ok(match signal {
            Signal::Traces => Message::Traces(ExportTraceServiceRequest::decode(bytes)?),
            Signal::Metrics => Message::Metrics(ExportMetricsServiceRequest::decode(bytes)?),
            Signal::Logs => Message::Logs(ExportLogsServiceRequest::decode(bytes)?),
            _ => return Err(format!("{signal} is a signal that this check does not know").into()),
        })
    }
}
