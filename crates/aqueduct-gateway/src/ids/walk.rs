//! Finding the identities in an OTLP request without decoding it.
//!
//! The bytes have been validated by the receiver. Ids are looked for where our own generator puts them first, because a sink that reads a million
//! items a second must not be what is measured.

use super::{ItemId, layout};
use aqueduct::wire::Signal;
use aqueduct::wire::view::{LogRecord, Logs, MetricData, Metrics, Number, NumberPoint, Span, Traces};

/// What a walk met.
///
/// Complete: an item either carries an identity or does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Items with an identity, each of which was passed on.
    pub marked: u64,
    /// Items without one.
    pub foreign: u64,
}

/// Calls `visit` for every marked item of a request, in order, and counts the foreign ones.
pub fn for_each_id(signal: Signal, request: &[u8], mut visit: impl FnMut(ItemId)) -> Tally {
    let mut tally = Tally::default();
    let mut count = |id: Option<ItemId>| match id {
        Some(id) => {
            tally.marked += 1;
            visit(id);
        }
        None => tally.foreign += 1,
    };
    match signal {
        Signal::Traces => {
            let scopes = Traces::new(request).resource_spans().flat_map(|resource| resource.scope_spans());
            scopes.for_each(|scope| scope.spans().for_each(|span| count(span_id(span))));
        }
        Signal::Logs => {
            let scopes = Logs::new(request).resource_logs().flat_map(|resource| resource.scope_logs());
            scopes.for_each(|scope| scope.log_records().for_each(|record| count(log_id(record))));
        }
        _ => {
            let scopes =
                Metrics::new(request).resource_metrics().flat_map(|resource| resource.scope_metrics());
            for metric in scopes.flat_map(|scope| scope.metrics()) {
                match metric.data() {
                    Some(MetricData::Gauge(gauge)) => {
                        gauge.data_points().for_each(|point| count(point_id(point)))
                    }
                    Some(MetricData::Sum(sum)) => sum.data_points().for_each(|point| count(point_id(point))),
                    Some(MetricData::Histogram(data)) => data.data_points().for_each(|_| count(None)),
                    Some(MetricData::ExponentialHistogram(data)) => {
                        data.data_points().for_each(|_| count(None))
                    }
                    Some(MetricData::Summary(data)) => data.data_points().for_each(|_| count(None)),
                    _ => {}
                }
            }
        }
    }
    tally
}

#[inline]
fn span_id(span: Span<'_>) -> Option<ItemId> {
    // To ask the span for it would be to look at all its fields, in case there are two. Every known encoder writes fields in order, so the
    // trace id is first.
    let start = span.bytes().first_chunk::<{ layout::SPAN_HEAD }>();
    let id = start.and_then(|start| layout::of_spans().id_in(start));
    ItemId::from_trace_id(id.unwrap_or_else(|| span.trace_id()))
}

#[inline]
fn log_id(record: LogRecord<'_>) -> Option<ItemId> {
    // A log record's trace id comes after all its attributes. What looks like the end of a record of the generator, with our magic in it, is
    // no accident (one in 2^72): this saves the walk.
    let end = record.bytes().last_chunk::<{ layout::LOG_TAIL }>();
    let id = end.and_then(|end| layout::of_logs().id_in(end)).and_then(ItemId::from_trace_id);
    id.or_else(|| ItemId::from_trace_id(record.trace_id()))
}

fn point_id(point: NumberPoint<'_>) -> Option<ItemId> {
    let fields = point.fields();
    match fields.value {
        Some(Number::Int(value)) => ItemId::from_point(fields.start_time_unix_nano, value),
        _ => None,
    }
}
