//! Exact content, whatever was merged, split or reordered on the way.

use aqueduct_wire::Signal;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use prost::Message;
use std::collections::HashMap;

/// Compares what was sent with what arrived, item by item.
///
/// An item is the whole record with its resource and scope and their schema URLs, of a data point also its metric. Decoding is
/// prost's, so that the crates under test are not their own judges.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// For every item, how often it was expected and how often it was received.
    items: HashMap<Vec<u8>, (u64, u64)>,
}

/// What an [`Oracle`] finds.
///
/// Complete: nothing else can happen to an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Items that were expected and received, each counted once.
    pub delivered: u64,
    /// Items that were expected and are not there.
    pub missing: u64,
    /// Receptions beyond the first of an expected item.
    pub duplicated: u64,
    /// Items that nobody sent: invented or altered.
    pub unexpected: u64,
}

impl Oracle {
    /// An oracle that expects nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a request that is sent.
    ///
    /// # Panics
    ///
    /// If prost cannot decode it.
    pub fn expect(&mut self, signal: Signal, request: &[u8]) {
        for item in items(signal, request) {
            self.items.entry(item).or_default().0 += 1;
        }
    }

    /// Notes a request that arrives.
    ///
    /// # Panics
    ///
    /// If prost cannot decode it.
    pub fn receive(&mut self, signal: Signal, request: &[u8]) {
        for item in items(signal, request) {
            self.items.entry(item).or_default().1 += 1;
        }
    }

    /// The comparison.
    pub fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for &(expected, received) in self.items.values() {
            verdict.delivered += expected.min(received);
            verdict.missing += expected.saturating_sub(received);
            let beyond = received.saturating_sub(expected);
            if expected == 0 {
                verdict.unexpected += beyond;
            } else {
                verdict.duplicated += beyond;
            }
        }
        verdict
    }

    /// Asserts that everything arrived once and nothing else did.
    ///
    /// # Panics
    ///
    /// If not, with the verdict.
    #[track_caller]
    pub fn assert_exact(&self) {
        let verdict = self.verdict();
        let exact = Verdict { delivered: verdict.delivered, ..Verdict::default() };
        assert_eq!(verdict, exact, "not everything arrived exactly once");
    }

    /// Asserts that everything arrived at least once, as after a retry whose first attempt had got through, and nothing else did.
    ///
    /// # Panics
    ///
    /// If not, with the verdict.
    #[track_caller]
    pub fn assert_complete(&self) {
        let verdict = self.verdict();
        assert_eq!((verdict.missing, verdict.unexpected), (0, 0), "lost or altered: {verdict:?}");
    }
}

/// Every item of a request with its surroundings, encoded alike.
fn items(signal: Signal, request: &[u8]) -> Vec<Vec<u8>> {
    const VALID: &str = "a request that prost can decode";
    let mut all = Vec::new();
    match signal {
        Signal::Traces => {
            for resource in ExportTraceServiceRequest::decode(request).expect(VALID).resource_spans {
                for mut scope in resource.scope_spans {
                    for item in std::mem::take(&mut scope.spans) {
                        all.push(key(
                            &[&resource.resource, &scope.scope],
                            [&resource.schema_url, &scope.schema_url],
                            &item,
                        ));
                    }
                }
            }
        }
        Signal::Metrics => {
            for resource in ExportMetricsServiceRequest::decode(request).expect(VALID).resource_metrics {
                for mut scope in resource.scope_metrics {
                    for metric in std::mem::take(&mut scope.metrics).into_iter().flat_map(single_points) {
                        all.push(key(
                            &[&resource.resource, &scope.scope],
                            [&resource.schema_url, &scope.schema_url],
                            &metric,
                        ));
                    }
                }
            }
        }
        _ => {
            for resource in ExportLogsServiceRequest::decode(request).expect(VALID).resource_logs {
                for mut scope in resource.scope_logs {
                    for item in std::mem::take(&mut scope.log_records) {
                        all.push(key(
                            &[&resource.resource, &scope.scope],
                            [&resource.schema_url, &scope.schema_url],
                            &item,
                        ));
                    }
                }
            }
        }
    }
    all
}

/// The parts one after the other, each with its length, and a mark for those that are absent.
fn key(messages: &[&dyn Encode], urls: [&str; 2], item: &impl Message) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        message.encode_to(&mut out);
    }
    for url in urls {
        out.extend((url.len() as u64).to_le_bytes());
        out.extend(url.as_bytes());
    }
    out.extend(item.encode_to_vec());
    out
}

trait Encode {
    fn encode_to(&self, out: &mut Vec<u8>);
}

impl<M: Message> Encode for Option<M> {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Some(message) => out.extend(message.encode_length_delimited_to_vec()),
            // No length of a message is encoded like this.
            None => out.extend([0xFF; 11]),
        }
    }
}

/// A metric with `n` points as `n` metrics with one.
fn single_points(metric: Metric) -> Vec<Metric> {
    let Some(data) = metric.data.clone() else { return Vec::new() };
    let parts: Vec<Data> = match data {
        Data::Gauge(all) => split(all, |all| &mut all.data_points, Data::Gauge),
        Data::Sum(all) => split(all, |all| &mut all.data_points, Data::Sum),
        Data::Histogram(all) => split(all, |all| &mut all.data_points, Data::Histogram),
        Data::ExponentialHistogram(all) => split(all, |all| &mut all.data_points, Data::ExponentialHistogram),
        Data::Summary(all) => split(all, |all| &mut all.data_points, Data::Summary),
    };
    parts.into_iter().map(|data| Metric { data: Some(data), ..metric.clone() }).collect()
}

fn split<A: Clone, P>(
    mut all: A,
    points: impl Fn(&mut A) -> &mut Vec<P>,
    wrap: impl Fn(A) -> Data,
) -> Vec<Data> {
    std::mem::take(points(&mut all))
        .into_iter()
        .map(|point| {
            let mut one = all.clone();
            points(&mut one).push(point);
            wrap(one)
        })
        .collect()
}
