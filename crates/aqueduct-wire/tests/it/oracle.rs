//! What prost and opentelemetry-proto make of the same bytes.

use crate::generate::Generator;
use aqueduct_wire::{Signal, Summary};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, metric::Data};
use prost::{DecodeError, Message};

/// A decoded request of any signal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Request {
    pub(crate) fn generate(signal: Signal, seed: u64) -> Request {
        let mut generator = Generator(seed);
        match signal {
            Signal::Metrics => Request::Metrics(generator.metrics()),
            Signal::Logs => Request::Logs(generator.logs()),
            _ => Request::Traces(generator.traces()),
        }
    }

    pub(crate) fn decode(signal: Signal, bytes: &[u8]) -> Result<Request, DecodeError> {
        match signal {
            Signal::Metrics => Message::decode(bytes).map(Request::Metrics),
            Signal::Logs => Message::decode(bytes).map(Request::Logs),
            _ => Message::decode(bytes).map(Request::Traces),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Request::Traces(request) => request.encode_to_vec(),
            Request::Metrics(request) => request.encode_to_vec(),
            Request::Logs(request) => request.encode_to_vec(),
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        match self {
            Request::Traces(request) => {
                let scopes = request.resource_spans.iter().flat_map(|record| &record.scope_spans);
                summary(request.resource_spans.len(), scopes.map(|scope| scope.spans.len()))
            }
            Request::Logs(request) => {
                let scopes = request.resource_logs.iter().flat_map(|record| &record.scope_logs);
                summary(request.resource_logs.len(), scopes.map(|scope| scope.log_records.len()))
            }
            Request::Metrics(request) => {
                let scopes = request.resource_metrics.iter().flat_map(|record| &record.scope_metrics);
                let points = scopes.flat_map(|scope| &scope.metrics).map(|metric| match &metric.data {
                    None => 0,
                    Some(Data::Gauge(data)) => data.data_points.len(),
                    Some(Data::Sum(data)) => data.data_points.len(),
                    Some(Data::Histogram(data)) => data.data_points.len(),
                    Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
                    Some(Data::Summary(data)) => data.data_points.len(),
                });
                summary(request.resource_metrics.len(), points)
            }
        }
    }

    /// Whether every id that survived decoding has a length that we accept.
    pub(crate) fn ids_are_good(&self) -> bool {
        let fits = |id: &Vec<u8>, len| id.is_empty() || id.len() == len;
        match self {
            Request::Traces(request) => {
                let scopes = request.resource_spans.iter().flat_map(|record| &record.scope_spans);
                scopes.flat_map(|scope| &scope.spans).all(|span| {
                    span.trace_id.len() == 16
                        && span.span_id.len() == 8
                        && fits(&span.parent_span_id, 8)
                        && span.links.iter().all(|link| fits(&link.trace_id, 16) && fits(&link.span_id, 8))
                })
            }
            Request::Logs(request) => {
                let scopes = request.resource_logs.iter().flat_map(|record| &record.scope_logs);
                scopes
                    .flat_map(|scope| &scope.log_records)
                    .all(|record| fits(&record.trace_id, 16) && fits(&record.span_id, 8))
            }
            Request::Metrics(request) => {
                let good = |exemplars: &[Exemplar]| {
                    exemplars
                        .iter()
                        .all(|exemplar| fits(&exemplar.trace_id, 16) && fits(&exemplar.span_id, 8))
                };
                let scopes = request.resource_metrics.iter().flat_map(|record| &record.scope_metrics);
                scopes.flat_map(|scope| &scope.metrics).all(|metric| match &metric.data {
                    None | Some(Data::Summary(_)) => true,
                    Some(Data::Gauge(data)) => data.data_points.iter().all(|point| good(&point.exemplars)),
                    Some(Data::Sum(data)) => data.data_points.iter().all(|point| good(&point.exemplars)),
                    Some(Data::Histogram(data)) => {
                        data.data_points.iter().all(|point| good(&point.exemplars))
                    }
                    Some(Data::ExponentialHistogram(data)) => {
                        data.data_points.iter().all(|point| good(&point.exemplars))
                    }
                })
            }
        }
    }
}

fn summary(records: usize, items: impl Iterator<Item = usize>) -> Summary {
    Summary { records: records as u64, items: items.sum::<usize>() as u64 }
}
