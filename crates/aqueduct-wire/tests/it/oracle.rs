//! What prost and opentelemetry-proto make of the same bytes.

use crate::generate::Generator;
use aqueduct_wire::{Signal, Summary};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
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

/// What the operations do, on structs.
impl Request {
    /// Leaves out the items that `keep`, given their bytes, says no to, and the messages that lose their last
    /// child.
    pub(crate) fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        match self {
            Request::Traces(request) => retain(&mut request.resource_spans, |record| {
                retain(&mut record.scope_spans, |scope| {
                    retain(&mut scope.spans, |span| Left::kept(keep(&span.encode_to_vec())))
                })
            }),
            Request::Logs(request) => retain(&mut request.resource_logs, |record| {
                retain(&mut record.scope_logs, |scope| {
                    retain(&mut scope.log_records, |record| Left::kept(keep(&record.encode_to_vec())))
                })
            }),
            Request::Metrics(request) => retain(&mut request.resource_metrics, |record| {
                retain(&mut record.scope_metrics, |scope| {
                    retain(&mut scope.metrics, |metric| match &mut metric.data {
                        None => Left::Untouched,
                        Some(Data::Gauge(data)) => {
                            retain(&mut data.data_points, |p| Left::kept(keep(&p.encode_to_vec())))
                        }
                        Some(Data::Sum(data)) => {
                            retain(&mut data.data_points, |p| Left::kept(keep(&p.encode_to_vec())))
                        }
                        Some(Data::Histogram(data)) => {
                            retain(&mut data.data_points, |p| Left::kept(keep(&p.encode_to_vec())))
                        }
                        Some(Data::ExponentialHistogram(data)) => {
                            retain(&mut data.data_points, |p| Left::kept(keep(&p.encode_to_vec())))
                        }
                        Some(Data::Summary(data)) => {
                            retain(&mut data.data_points, |p| Left::kept(keep(&p.encode_to_vec())))
                        }
                    })
                })
            }),
        };
    }

    /// Joins records whose other fields are equal, and then in each of them scopes.
    pub(crate) fn fold(&mut self, scopes: bool) {
        match self {
            Request::Traces(request) => {
                join(&mut request.resource_spans, |record| &mut record.scope_spans);
                request.resource_spans.iter_mut().filter(|_| scopes).for_each(|record| {
                    join(&mut record.scope_spans, |scope| &mut scope.spans);
                });
            }
            Request::Logs(request) => {
                join(&mut request.resource_logs, |record| &mut record.scope_logs);
                request.resource_logs.iter_mut().filter(|_| scopes).for_each(|record| {
                    join(&mut record.scope_logs, |scope| &mut scope.log_records);
                });
            }
            Request::Metrics(request) => {
                join(&mut request.resource_metrics, |record| &mut record.scope_metrics);
                request.resource_metrics.iter_mut().filter(|_| scopes).for_each(|record| {
                    join(&mut record.scope_metrics, |scope| &mut scope.metrics);
                });
            }
        }
    }
}

impl Request {
    /// The attributes of every resource, scope, item, or message in items; those of a resource or scope that is absent are
    /// gone if they stay empty.
    pub(crate) fn edit(&mut self, of: Of, change: impl Fn(&mut Vec<KeyValue>)) {
        macro_rules! records {
            ($records:expr, $scopes:ident, $scope:ident => $items:expr) => {
                for record in &mut $records {
                    if of == Of::Resources {
                        described(&mut record.resource, |resource| &mut resource.attributes, &change);
                    }
                    for $scope in &mut record.$scopes {
                        match of {
                            Of::Resources => {}
                            Of::Scopes => {
                                described(&mut $scope.scope, |scope| &mut scope.attributes, &change)
                            }
                            _ => $items,
                        }
                    }
                }
            };
        }
        match self {
            Request::Traces(request) => {
                records!(request.resource_spans, scope_spans, scope => {
                    for span in &mut scope.spans {
                        match of {
                            Of::Items => change(&mut span.attributes),
                            Of::Events => span.events.iter_mut().for_each(|event| change(&mut event.attributes)),
                            Of::Links => span.links.iter_mut().for_each(|link| change(&mut link.attributes)),
                            _ => {}
                        }
                    }
                })
            }
            Request::Logs(request) => {
                records!(request.resource_logs, scope_logs, scope => {
                    scope.log_records.iter_mut().filter(|_| of == Of::Items).for_each(|record| change(&mut record.attributes));
                })
            }
            Request::Metrics(request) => {
                macro_rules! points {
                    ($data:expr) => {
                        for point in &mut $data.data_points {
                            match of {
                                Of::Items => change(&mut point.attributes),
                                Of::Exemplars => point
                                    .exemplars
                                    .iter_mut()
                                    .for_each(|one| change(&mut one.filtered_attributes)),
                                _ => {}
                            }
                        }
                    };
                }
                records!(request.resource_metrics, scope_metrics, scope => {
                    for metric in &mut scope.metrics {
                        match &mut metric.data {
                            None => {}
                            Some(Data::Gauge(data)) => points!(data),
                            Some(Data::Sum(data)) => points!(data),
                            Some(Data::Histogram(data)) => points!(data),
                            Some(Data::ExponentialHistogram(data)) => points!(data),
                            Some(Data::Summary(data)) => {
                                let points = data.data_points.iter_mut().filter(|_| of == Of::Items);
                                points.for_each(|point| change(&mut point.attributes));
                            }
                        }
                    }
                })
            }
        }
    }

    /// The trace states of all spans, and then of each span's links.
    pub(crate) fn trace_states(&mut self, mut change: impl FnMut(bool, &mut String)) {
        let Request::Traces(request) = self else { return };
        let scopes = request.resource_spans.iter_mut().flat_map(|record| &mut record.scope_spans);
        for span in scopes.flat_map(|scope| &mut scope.spans) {
            change(false, &mut span.trace_state);
            span.links.iter_mut().for_each(|link| change(true, &mut link.trace_state));
        }
    }
}

/// What has attributes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Of {
    Resources,
    Scopes,
    Items,
    Events,
    Links,
    Exemplars,
}

fn described<T: Default>(
    message: &mut Option<T>,
    attributes: impl Fn(&mut T) -> &mut Vec<KeyValue>,
    change: impl Fn(&mut Vec<KeyValue>),
) {
    let mut changed = message.as_mut().map_or(Vec::new(), |message| attributes(message).clone());
    change(&mut changed);
    if message.is_some() || !changed.is_empty() {
        *attributes(message.get_or_insert_default()) = changed;
    }
}

/// What is left of a message.
#[derive(Clone, Copy, PartialEq)]
enum Left {
    Untouched,
    Some,
    Nothing,
}

impl Left {
    fn kept(kept: bool) -> Left {
        if kept { Left::Untouched } else { Left::Nothing }
    }
}

fn retain<T>(list: &mut Vec<T>, mut part: impl FnMut(&mut T) -> Left) -> Left {
    let mut left = Left::Untouched;
    list.retain_mut(|item| {
        let part = part(item);
        if part != Left::Untouched {
            left = Left::Some;
        }
        part != Left::Nothing
    });
    if left == Left::Some && list.is_empty() { Left::Nothing } else { left }
}

fn join<T: Message + Clone + PartialEq, C>(list: &mut Vec<T>, children: impl Fn(&mut T) -> &mut Vec<C>) {
    let mut joined: Vec<(T, T)> = Vec::new();
    for mut item in list.drain(..) {
        let mut mine = std::mem::take(children(&mut item));
        match joined.iter_mut().find(|(header, _)| *header == item) {
            Some((_, whole)) => children(whole).append(&mut mine),
            None => {
                let header = item.clone();
                *children(&mut item) = mine;
                joined.push((header, item));
            }
        }
    }
    list.extend(joined.into_iter().map(|(_, whole)| whole));
}

fn summary(records: usize, items: impl Iterator<Item = usize>) -> Summary {
    Summary { records: records as u64, items: items.sum::<usize>() as u64 }
}
