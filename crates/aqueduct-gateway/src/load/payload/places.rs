//! Where in an encoded request the fields lie that change from request to request.
//!
//! The encoder was given values that tell these fields apart; the views say where each item lies, and there the values are looked
//! for. So this knows neither field numbers nor an order of fields.

use super::content::{BEGUN, ENDED};
use super::{Fields, TemplateError};
use crate::ids::ItemId;
use aqueduct::wire::Chunk;
use aqueduct::wire::view::MetricData;

/// The places of all items of a request, whose sequences count from zero.
pub(super) fn of(request: &Chunk, producer: u32) -> Result<Vec<Fields>, TemplateError> {
    let mut sequences = 0..request.items();
    let mut id = || ItemId { producer, sequence: sequences.next().unwrap_or_default() };
    let item = |item: &[u8], id: ItemId| {
        Ok(Fields {
            identity: place(request, item, &id.to_trace_id(), "trace id")?,
            span_id: Some(place(request, item, &id.span_id(), "span id")?),
            start: place(request, item, &BEGUN.to_le_bytes(), "time")?,
            end: Some(place(request, item, &ENDED.to_le_bytes(), "second time")?),
        })
    };
    let point = |point: &[u8], id: ItemId| {
        Ok(Fields {
            identity: place(request, point, &id.to_point().1.to_le_bytes(), "value")?,
            span_id: None,
            start: place(request, point, &BEGUN.to_le_bytes(), "time")?,
            end: None,
        })
    };
    if let Some(traces) = request.traces() {
        let scopes = traces.resource_spans().flat_map(|resource| resource.scope_spans());
        return scopes.flat_map(|scope| scope.spans()).map(|span| item(span.bytes(), id())).collect();
    }
    if let Some(logs) = request.logs() {
        let scopes = logs.resource_logs().flat_map(|resource| resource.scope_logs());
        return scopes.flat_map(|scope| scope.log_records()).map(|log| item(log.bytes(), id())).collect();
    }
    let mut fields = Vec::new();
    let records = request.metrics().into_iter().flat_map(|metrics| metrics.resource_metrics());
    for metric in records.flat_map(|resource| resource.scope_metrics()).flat_map(|scope| scope.metrics()) {
        if let Some(MetricData::Sum(sum)) = metric.data() {
            for found in sum.data_points() {
                fields.push(point(found.bytes(), id())?);
            }
        }
    }
    Ok(fields)
}

/// Where in the request the value lies that is in this item once.
fn place(request: &Chunk, item: &[u8], value: &[u8], what: &'static str) -> Result<usize, TemplateError> {
    // The item is a slice of the request.
    let begin = item.as_ptr().addr() - request.bytes().as_ptr().addr();
    let mut found = item.windows(value.len()).enumerate().filter(|(_, window)| *window == value);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(begin + at),
        _ => Err(TemplateError::Hidden(what)),
    }
}
