//! The SDK's span as a tail sampler sees it.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use aqueduct_sampling::tail::{AttributeValue, Odds, StatusCode, TailSpan};
use aqueduct_sampling::{Decision, OtelTraceState};
use opentelemetry::trace::{SpanContext, SpanId, Status, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use crate::trace_state;

/// A span of the SDK that waits for the decision on its trace.
#[derive(Clone, Debug)]
pub struct HeldSpan {
    /// A span is some 400 bytes, and goes through several hands until it is decided.
    data: Box<SpanData>,
    /// As in the header: the SDK's type has no text.
    trace_state: String,
    held_bytes: usize,
}

impl HeldSpan {
    /// Holds this span.
    #[must_use]
    pub fn new(data: SpanData) -> Self {
        let trace_state = data.span_context.trace_state().header();
        let held_bytes = size_of::<SpanData>() + heap_bytes(&data) + trace_state.capacity();
        HeldSpan { data: Box::new(data), trace_state, held_bytes }
    }

    /// The span.
    #[must_use]
    pub fn data(&self) -> &SpanData {
        &self.data
    }

    /// The span, kept with these odds: its `th` says how likely that was, or is removed if nobody knows.
    #[must_use]
    pub fn into_kept(self, odds: Odds) -> SpanData {
        let mut data = *self.data;
        let context = &data.span_context;
        let own = context.trace_state().get("ot").and_then(|ot| OtelTraceState::parse(ot).threshold());
        let threshold = odds.apply(own);
        if threshold != own {
            data.span_context = SpanContext::new(
                context.trace_id(),
                context.span_id(),
                context.trace_flags(),
                context.is_remote(),
                trace_state::decided(context.trace_state(), Decision::sample(threshold)),
            );
        }
        data
    }
}

impl TailSpan for HeldSpan {
    fn trace_id(&self) -> [u8; 16] {
        self.data.span_context.trace_id().to_bytes()
    }

    fn is_root(&self) -> bool {
        self.data.parent_span_is_remote || self.data.parent_span_id == SpanId::INVALID
    }

    fn start_unix_nano(&self) -> u64 {
        unix_nano(self.data.start_time)
    }

    fn end_unix_nano(&self) -> u64 {
        unix_nano(self.data.end_time)
    }

    fn status(&self) -> StatusCode {
        match self.data.status {
            Status::Unset => StatusCode::Unset,
            Status::Ok => StatusCode::Ok,
            Status::Error { .. } => StatusCode::Error,
        }
    }

    fn attribute(&self, key: &str) -> Option<AttributeValue<'_>> {
        let attribute = self.data.attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
        Some(match &attribute.value {
            Value::String(text) => AttributeValue::Str(text.as_str()),
            Value::I64(number) => AttributeValue::Int(*number),
            Value::F64(number) => AttributeValue::Double(*number),
            Value::Bool(bool) => AttributeValue::Bool(*bool),
            _ => AttributeValue::Other,
        })
    }

    fn trace_state(&self) -> &str {
        &self.trace_state
    }

    fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}

fn unix_nano(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// At least what goes away with the span: static and shared texts, which cannot be told from owned ones, are counted as if they were owned.
fn heap_bytes(data: &SpanData) -> usize {
    let description = match &data.status {
        Status::Error { description } => text_bytes(description),
        Status::Unset | Status::Ok => 0,
    };
    let events = &data.events.events;
    let links = &data.links.links;
    text_bytes(&data.name)
        + description
        + attribute_bytes(&data.attributes)
        + vector_bytes(events)
        + events
            .iter()
            .map(|event| text_bytes(&event.name) + attribute_bytes(&event.attributes))
            .sum::<usize>()
        + vector_bytes(links)
        + links
            .iter()
            .map(|link| state_bytes(link.span_context.trace_state()) + attribute_bytes(&link.attributes))
            .sum::<usize>()
        + state_bytes(data.span_context.trace_state())
        + scope_bytes(&data.instrumentation_scope)
}

/// Each span and link has a copy of its own.
fn state_bytes(state: &TraceState) -> usize {
    state.into_iter().map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len()).sum()
}

fn scope_bytes(scope: &InstrumentationScope) -> usize {
    let optional = |text: Option<&str>| text.map_or(0, str::len);
    // The vector itself cannot be seen.
    let attributes = scope.attributes().map(|attribute| size_of::<KeyValue>() + texts_of(attribute));
    scope.name().len() + optional(scope.version()) + optional(scope.schema_url()) + attributes.sum::<usize>()
}

fn attribute_bytes(attributes: &Vec<KeyValue>) -> usize {
    vector_bytes(attributes) + attributes.iter().map(texts_of).sum::<usize>()
}

fn texts_of(attribute: &KeyValue) -> usize {
    let value = match &attribute.value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::Bool(list)) => vector_bytes(list),
        Value::Array(Array::I64(list)) => vector_bytes(list),
        Value::Array(Array::F64(list)) => vector_bytes(list),
        Value::Array(Array::String(list)) => {
            vector_bytes(list) + list.iter().map(|text| text.as_str().len()).sum::<usize>()
        }
        _ => 0,
    };
    attribute.key.as_str().len() + value
}

fn vector_bytes<T>(vector: &Vec<T>) -> usize {
    vector.capacity() * size_of::<T>()
}

#[expect(clippy::ptr_arg, reason = "borrowed texts are no memory of the span's")]
fn text_bytes(text: &Cow<'static, str>) -> usize {
    match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.capacity(),
    }
}
