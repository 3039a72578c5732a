//! A request taken apart: each item with everything that it belongs to.
//!
//! Requests are grouped by resource and scope, and a gateway may group anew. What must stay is which resource, scope
//! and metric an item belongs to, so that is what is compared.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics, metric};
use opentelemetry_proto::tonic::{logs::v1 as logs, trace::v1 as trace};

use super::message::Message;

/// A span, data point or log record, preceded by its resource, its scope and, for a data point, its metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item(pub(super) Vec<Arc<Part>>);

/// One message of an item, without the messages that are parts of their own.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    /// As prost encodes it. This decides equality: NaN equals itself, and 0.0 differs from -0.0.
    bytes: Vec<u8>,
    /// For people.
    pub(super) text: String,
}

impl Ord for Part {
    fn cmp(&self, other: &Part) -> Ordering {
        (self.name, &self.bytes).cmp(&(other.name, &other.bytes))
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Part) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Part) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Part {}

impl Part {
    /// Shared, because all items of a resource have the same one.
    fn of(name: &'static str, message: &(impl prost::Message + fmt::Debug)) -> Arc<Part> {
        Arc::new(Part { name, bytes: message.encode_to_vec(), text: format!("{message:#?}") })
    }
}

/// The number of spans, data points or log records.
pub(super) fn count(message: &Message) -> u64 {
    let items: usize = match message {
        Message::Traces(request) => {
            let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            scopes.map(|scope| scope.spans.len()).sum()
        }
        Message::Metrics(request) => {
            let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
            scopes.flat_map(|scope| &scope.metrics).map(number_of_points).sum()
        }
        Message::Logs(request) => {
            let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
            scopes.map(|scope| scope.log_records.len()).sum()
        }
    };
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// The items of several requests. A resource, scope or metric that holds nothing is an item too, because it must not get
/// lost either.
pub(super) fn of<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<Item> {
    let mut items = Vec::new();
    for message in messages {
        match message {
            Message::Traces(request) => request.resource_spans.iter().for_each(|one| spans(one, &mut items)),
            Message::Metrics(request) => {
                request.resource_metrics.iter().for_each(|one| data_points(one, &mut items));
            }
            Message::Logs(request) => request.resource_logs.iter().for_each(|one| records(one, &mut items)),
        }
    }
    items
}

/// Adds `parents` with each of `children`, or alone if there is none.
fn each(parents: &[Arc<Part>], children: Vec<Arc<Part>>, items: &mut Vec<Item>) {
    if children.is_empty() {
        items.push(Item(parents.to_vec()));
    }
    for child in children {
        items.push(Item(parents.iter().cloned().chain([child]).collect()));
    }
}

fn spans(resource: &trace::ResourceSpans, items: &mut Vec<Item>) {
    let alone = trace::ResourceSpans { scope_spans: Vec::new(), ..resource.clone() };
    let alone = Part::of("resource", &alone);
    if resource.scope_spans.is_empty() {
        items.push(Item(vec![alone.clone()]));
    }
    for scope in &resource.scope_spans {
        let named = Part::of("scope", &trace::ScopeSpans { spans: Vec::new(), ..scope.clone() });
        let spans = scope.spans.iter().map(|span| Part::of("span", span)).collect();
        each(&[alone.clone(), named], spans, items);
    }
}

fn records(resource: &logs::ResourceLogs, items: &mut Vec<Item>) {
    let alone = Part::of("resource", &logs::ResourceLogs { scope_logs: Vec::new(), ..resource.clone() });
    if resource.scope_logs.is_empty() {
        items.push(Item(vec![alone.clone()]));
    }
    for scope in &resource.scope_logs {
        let named = Part::of("scope", &logs::ScopeLogs { log_records: Vec::new(), ..scope.clone() });
        let records = scope.log_records.iter().map(|record| Part::of("record", record)).collect();
        each(&[alone.clone(), named], records, items);
    }
}

fn data_points(resource: &ResourceMetrics, items: &mut Vec<Item>) {
    let alone = Part::of("resource", &ResourceMetrics { scope_metrics: Vec::new(), ..resource.clone() });
    if resource.scope_metrics.is_empty() {
        items.push(Item(vec![alone.clone()]));
    }
    for scope in &resource.scope_metrics {
        let named = Part::of("scope", &ScopeMetrics { metrics: Vec::new(), ..scope.clone() });
        if scope.metrics.is_empty() {
            items.push(Item(vec![alone.clone(), named.clone()]));
        }
        for metric in &scope.metrics {
            let (kind, points) = points(metric);
            each(&[alone.clone(), named.clone(), Part::of("metric", &kind)], points, items);
        }
    }
}

fn number_of_points(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(metric::Data::Gauge(data)) => data.data_points.len(),
        Some(metric::Data::Sum(data)) => data.data_points.len(),
        Some(metric::Data::Histogram(data)) => data.data_points.len(),
        Some(metric::Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(metric::Data::Summary(data)) => data.data_points.len(),
    }
}

/// A metric without its data points, and these.
fn points(metric: &Metric) -> (Metric, Vec<Arc<Part>>) {
    let mut kind = metric.clone();
    macro_rules! take {
        ($data:expr) => {
            std::mem::take(&mut $data.data_points).iter().map(|point| Part::of("point", point)).collect()
        };
    }
    let points = match &mut kind.data {
        None => Vec::new(),
        Some(metric::Data::Gauge(data)) => take!(data),
        Some(metric::Data::Sum(data)) => take!(data),
        Some(metric::Data::Histogram(data)) => take!(data),
        Some(metric::Data::ExponentialHistogram(data)) => take!(data),
        Some(metric::Data::Summary(data)) => take!(data),
    };
    (kind, points)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use super::*;

    fn span(name: &str) -> Span {
        Span { name: name.to_owned(), ..Span::default() }
    }

    fn scope(name: &str, spans: Vec<Span>) -> ScopeSpans {
        ScopeSpans { schema_url: name.to_owned(), spans, ..ScopeSpans::default() }
    }

    fn request(scope_spans: Vec<ScopeSpans>) -> Message {
        let resource = ResourceSpans { scope_spans, ..ResourceSpans::default() };
        Message::Traces(ExportTraceServiceRequest { resource_spans: vec![resource] })
    }

    fn sorted(message: &Message) -> Vec<Item> {
        let mut items = of([message]);
        items.sort();
        items
    }

    /// Guards the comparison against grouping: the same spans under the same scopes are the same, however arranged.
    #[test]
    fn grouping_does_not_matter_but_belonging_does() {
        let together = request(vec![scope("one", vec![span("a"), span("b")]), scope("two", vec![span("c")])]);
        let apart = request(vec![
            scope("two", vec![span("c")]),
            scope("one", vec![span("b")]),
            scope("one", vec![span("a")]),
        ]);
        assert_eq!(sorted(&together), sorted(&apart));
        assert_eq!(count(&together), 3);
        let moved = request(vec![scope("one", vec![span("a"), span("b"), span("c")]), scope("two", vec![])]);
        assert_ne!(sorted(&together), sorted(&moved));
        assert_eq!(count(&moved), 3);
    }

    /// Guards what holds no items: a scope without spans is not overlooked.
    #[test]
    fn what_is_empty_is_kept() {
        assert_eq!(of([&request(vec![scope("one", vec![])])]).len(), 1);
        assert_eq!(of([&request(vec![])]).len(), 1);
    }
}
