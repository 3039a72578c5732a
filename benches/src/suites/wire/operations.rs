//! Splitting, filtering, folding, grouping and editing whole requests.

use super::DECODE;
use crate::harness::{Declared, Run};
use crate::{Failure, payload};
use aqueduct_wire::edit::Edit;
use aqueduct_wire::{Chunk, Limits, Merger, Signal, filter, fold, group_by, split};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::collections::HashMap;

const THROUGH_STRUCTS: &str = "prost decode, the same, encode";

pub(super) const SPLIT: Declared =
    Declared::lower("split/by-bytes", "ns/span").against(THROUGH_STRUCTS).bar("ratio<=0.05");
pub(super) const FILTER: Declared =
    Declared::lower("filter/10pct by trace id", "ns/span").against(THROUGH_STRUCTS).bar("ratio<=0.05");
pub(super) const FOLD: Declared = Declared::lower("fold", "ns/span").against(THROUGH_STRUCTS);
pub(super) const GROUP: Declared = Declared::lower("group/by trace id", "ns/span").against(DECODE);
pub(super) const EDIT_8: Declared =
    Declared::lower("edit/resource-upsert, 8 spans", "ns/request").against(THROUGH_STRUCTS);
pub(super) const EDIT_512: Declared = Declared::lower("edit/resource-upsert, 512 spans", "ns/request")
    .against("the same with 8 spans")
    .bar("ratio<=1.5");
pub(super) const EDIT_ITEMS: Declared =
    Declared::lower("edit/span-upsert", "ns/span").against(THROUGH_STRUCTS);

const SPANS: usize = 512;
/// A request of 512 spans has three times as many bytes.
const PART_BYTES: usize = 64 * 1024;

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let body = payload::traces(SPANS);
    let chunk = Chunk::validate(Signal::Traces, body.clone(), &Limits::default())?;
    let ours = || split(&chunk, u64::MAX, PART_BYTES).map(|parts| parts.filter(Result::is_ok).count());
    run.compare(SPLIT.name, SPANS as u64, ours, || split_structs(&body))?;

    let ours = || filter(&chunk, |span| span.trace_id().is_some_and(|id| stays(id)));
    run.compare(FILTER.name, SPANS as u64, ours, || filter_structs(&body))?;

    let ours = || {
        group_by(&chunk, |span| span.trace_id().copied())
            .map(|groups| groups.map(|(_, group)| group.len()).sum::<usize>())
    };
    run.compare(GROUP.name, SPANS as u64, ours, || ExportTraceServiceRequest::decode(body.clone()))?;

    let mut merger = Merger::new(Signal::Traces);
    for n in 0..SPANS as u64 {
        merger.push(Chunk::from_valid(Signal::Traces, 1, payload::traces_from(n, 1)));
    }
    let single = Chunk::from(merger.finish());
    run.compare(FOLD.name, SPANS as u64, || fold(&single), || fold_structs(single.bytes()))?;

    let few = Chunk::validate(Signal::Traces, payload::traces(8), &Limits::default())?;
    let edit = Edit::resources().with_upsert("deployment.environment.name", "staging");
    run.compare(EDIT_8.name, 1, || edit.apply(&few), || edit_structs(few.bytes()))?;
    run.compare(EDIT_512.name, 1, || edit.apply(&chunk), || edit.apply(&few))?;
    let edit = Edit::items().with_upsert("http.request.method", "POST");
    run.compare(EDIT_ITEMS.name, SPANS as u64, || edit.apply(&chunk), || edit_span_structs(&body))
}

/// One of ten.
fn stays(trace_id: &[u8]) -> bool {
    trace_id[7].is_multiple_of(10)
}

fn filter_structs(body: &Bytes) -> Option<Vec<u8>> {
    let mut request = ExportTraceServiceRequest::decode(body.clone()).ok()?;
    for record in &mut request.resource_spans {
        for scope in &mut record.scope_spans {
            scope.spans.retain(|span| stays(&span.trace_id));
        }
        record.scope_spans.retain(|scope| !scope.spans.is_empty());
    }
    Some(request.encode_to_vec())
}

/// The straightforward way: spans until the next one would be too much, then their resource and scope around them.
fn split_structs(body: &Bytes) -> Option<usize> {
    let request = ExportTraceServiceRequest::decode(body.clone()).ok()?;
    let mut parts = 0;
    for record in request.resource_spans {
        for scope in record.scope_spans {
            let (mut spans, mut len): (Vec<Span>, usize) = (Vec::new(), 0);
            let mut send = |spans: &mut Vec<Span>| {
                let scope = ScopeSpans {
                    scope: scope.scope.clone(),
                    schema_url: scope.schema_url.clone(),
                    spans: std::mem::take(spans),
                };
                let record = ResourceSpans {
                    resource: record.resource.clone(),
                    schema_url: record.schema_url.clone(),
                    scope_spans: vec![scope],
                };
                let part = ExportTraceServiceRequest { resource_spans: vec![record] }.encode_to_vec();
                parts += usize::from(!part.is_empty());
            };
            for span in scope.spans {
                let span_len = span.encoded_len() + 4;
                // A kilobyte is more than the envelopes take.
                if len + span_len > PART_BYTES - 1024 {
                    send(&mut spans);
                    len = 0;
                }
                len += span_len;
                spans.push(span);
            }
            send(&mut spans);
        }
    }
    Some(parts)
}

fn fold_structs(body: &Bytes) -> Option<Vec<u8>> {
    let request = ExportTraceServiceRequest::decode(body.clone()).ok()?;
    let mut folded: Vec<ResourceSpans> = Vec::new();
    let mut by_resource: HashMap<Vec<u8>, usize> = HashMap::new();
    for record in request.resource_spans {
        let key = record.resource.as_ref().map(Message::encode_to_vec).unwrap_or_default();
        match by_resource.get(&key) {
            Some(&at) => folded[at].scope_spans.extend(record.scope_spans),
            None => {
                by_resource.insert(key, folded.len());
                folded.push(record);
            }
        }
    }
    Some(ExportTraceServiceRequest { resource_spans: folded }.encode_to_vec())
}

fn edit_structs(body: &Bytes) -> Option<Vec<u8>> {
    let mut request = ExportTraceServiceRequest::decode(body.clone()).ok()?;
    for record in &mut request.resource_spans {
        let attributes = &mut record.resource.get_or_insert_default().attributes;
        upsert(attributes, "deployment.environment.name", "staging");
    }
    Some(request.encode_to_vec())
}

fn edit_span_structs(body: &Bytes) -> Option<Vec<u8>> {
    let mut request = ExportTraceServiceRequest::decode(body.clone()).ok()?;
    let scopes = request.resource_spans.iter_mut().flat_map(|record| &mut record.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        upsert(&mut span.attributes, "http.request.method", "POST");
    }
    Some(request.encode_to_vec())
}

fn upsert(attributes: &mut Vec<KeyValue>, key: &str, value: &str) {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    match attributes.iter_mut().find(|attribute| attribute.key == key) {
        Some(attribute) => attribute.value = value,
        None => attributes.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() }),
    }
}
