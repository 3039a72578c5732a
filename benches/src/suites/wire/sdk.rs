//! The SDK's spans as sources of the encoder, and some to measure with.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aqueduct_wire::encode::{
    ArraySink, AttributeSink, EventSink, EventSource, LinkSink, LinkSource, SpanSource, StatusRef, ValueRef,
};
use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

pub(super) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
}

pub(super) fn put_attributes<'a>(
    attributes: impl IntoIterator<Item = &'a KeyValue>,
    out: &mut AttributeSink<'_>,
) {
    for attribute in attributes {
        let key = attribute.key.as_str();
        match &attribute.value {
            Value::Bool(value) => out.push(key, ValueRef::Bool(*value)),
            Value::I64(value) => out.push(key, ValueRef::Int(*value)),
            Value::F64(value) => out.push(key, ValueRef::Double(*value)),
            Value::String(value) => out.push(key, ValueRef::Str(value.as_str())),
            Value::Array(Array::Bool(values)) => out.push(key, ValueRef::Bools(values)),
            Value::Array(Array::I64(values)) => out.push(key, ValueRef::Ints(values)),
            Value::Array(Array::F64(values)) => out.push(key, ValueRef::Doubles(values)),
            Value::Array(Array::String(values)) => out.push(
                key,
                ValueRef::Array(&|array: &mut ArraySink<'_>| {
                    values.iter().for_each(|value| array.push(ValueRef::Str(value.as_str())));
                }),
            ),
            _ => out.push(key, ValueRef::Empty),
        }
    }
}

/// A span of the SDK.
pub(super) struct Sdk<'a> {
    span: &'a SpanData,
    trace_state: String,
}

impl<'a> Sdk<'a> {
    pub(super) fn new(span: &'a SpanData) -> Sdk<'a> {
        Sdk { span, trace_state: span.span_context.trace_state().header() }
    }
}

/// Whether a parent or a linked span is remote is known, says bit 8, and bit 9 says whether it is.
fn flags(is_remote: bool, flags: TraceFlags) -> u32 {
    0x100 | u32::from(is_remote) << 9 | u32::from(flags.to_u8())
}

impl SpanSource for Sdk<'_> {
    fn trace_id(&self) -> [u8; 16] {
        self.span.span_context.trace_id().to_bytes()
    }

    fn span_id(&self) -> [u8; 8] {
        self.span.span_context.span_id().to_bytes()
    }

    fn name(&self) -> &str {
        &self.span.name
    }

    fn trace_state(&self) -> &str {
        &self.trace_state
    }

    fn parent_span_id(&self) -> Option<[u8; 8]> {
        let parent = self.span.parent_span_id;
        (parent != SpanId::INVALID).then(|| parent.to_bytes())
    }

    fn kind(&self) -> i32 {
        match self.span.span_kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
            SpanKind::Producer => 4,
            SpanKind::Consumer => 5,
        }
    }

    fn start_time_unix_nano(&self) -> u64 {
        nanos(self.span.start_time)
    }

    fn end_time_unix_nano(&self) -> u64 {
        nanos(self.span.end_time)
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(&self.span.attributes, out);
    }

    fn dropped_attributes_count(&self) -> u32 {
        self.span.dropped_attributes_count
    }

    fn events(&self, out: &mut EventSink<'_>) {
        self.span.events.iter().for_each(|event| out.push(&SdkEvent(event)));
    }

    fn dropped_events_count(&self) -> u32 {
        self.span.events.dropped_count
    }

    fn links(&self, out: &mut LinkSink<'_>) {
        for link in self.span.links.iter() {
            out.push(&SdkLink { link, trace_state: link.span_context.trace_state().header() });
        }
    }

    fn dropped_links_count(&self) -> u32 {
        self.span.links.dropped_count
    }

    fn status(&self) -> Option<StatusRef<'_>> {
        Some(match &self.span.status {
            Status::Unset => StatusRef { code: 0, message: "" },
            Status::Ok => StatusRef { code: 1, message: "" },
            Status::Error { description } => StatusRef { code: 2, message: description },
        })
    }

    fn flags(&self) -> u32 {
        flags(self.span.parent_span_is_remote, self.span.span_context.trace_flags())
    }
}

struct SdkEvent<'a>(&'a Event);

impl EventSource for SdkEvent<'_> {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn time_unix_nano(&self) -> u64 {
        nanos(self.0.timestamp)
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(&self.0.attributes, out);
    }

    fn dropped_attributes_count(&self) -> u32 {
        self.0.dropped_attributes_count
    }
}

struct SdkLink<'a> {
    link: &'a Link,
    trace_state: String,
}

impl LinkSource for SdkLink<'_> {
    fn trace_id(&self) -> Option<[u8; 16]> {
        Some(self.link.span_context.trace_id().to_bytes())
    }

    fn span_id(&self) -> Option<[u8; 8]> {
        Some(self.link.span_context.span_id().to_bytes())
    }

    fn trace_state(&self) -> &str {
        &self.trace_state
    }

    fn attributes(&self, out: &mut AttributeSink<'_>) {
        put_attributes(&self.link.attributes, out);
    }

    fn dropped_attributes_count(&self) -> u32 {
        self.link.dropped_attributes_count
    }

    fn flags(&self) -> u32 {
        flags(self.link.span_context.is_remote(), self.link.span_context.trace_flags())
    }
}

impl fmt::Debug for Sdk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sdk").field(self.span).finish()
    }
}

/// Ten attributes as instrumentation sets them: static keys, values of all kinds.
pub(super) fn attributes(n: u64) -> Vec<KeyValue> {
    vec![
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/api/v1/orders/{id}"),
        KeyValue::new("url.path", format!("/api/v1/orders/{n:08}")),
        KeyValue::new("http.response.status_code", 200 + (n % 5) as i64),
        KeyValue::new("server.address", "orders.internal.eu-central-1.example.com"),
        KeyValue::new("server.port", 8443_i64),
        KeyValue::new("user.id", format!("user-{:06}", n * 7919 % 1_000_000)),
        KeyValue::new(
            "user_agent.original",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        KeyValue::new("cost.cents", n as f64 * 0.25),
        KeyValue::new("cache.hit", n.is_multiple_of(3)),
    ]
}

/// The `n`th span: about 500 bytes when encoded, with its ids, ten attributes, and neither events nor links.
pub(super) fn span(n: u64, scope: &InstrumentationScope) -> SpanData {
    let mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let trace_id = TraceId::from_bytes((u128::from(mixed) << 64 | u128::from(n + 1)).to_be_bytes());
    let start = UNIX_EPOCH + Duration::from_secs(1_767_225_600) + Duration::from_micros(n);
    SpanData {
        span_context: SpanContext::new(
            trace_id,
            SpanId::from_bytes(mixed.to_be_bytes()),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: SpanId::from_bytes(mixed.rotate_left(17).to_be_bytes()),
        parent_span_is_remote: true,
        span_kind: SpanKind::Server,
        name: "GET /api/v1/orders/{id}".into(),
        start_time: start,
        end_time: start + Duration::from_micros(250),
        attributes: attributes(n),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: scope.clone(),
    }
}
