//! A span that is about to begin, as samplers see it.

use aqueduct_sampling::{ItemFacts, Kind, Parent, TraceFacts, Value};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanKind, TraceId, TraceState};

use crate::random_flag;

/// All borrowed from the arguments of `ShouldSample::should_sample`.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    trace_id: [u8; 16],
    parent: Option<Parent>,
    ot: &'a str,
    name: &'a str,
    kind: Kind,
    attributes: &'a [KeyValue],
}

impl<'a> Facts<'a> {
    pub(super) fn new(
        parent: Option<&SpanContext>,
        trace_state: &'a TraceState,
        trace_id: TraceId,
        name: &'a str,
        kind: &SpanKind,
        attributes: &'a [KeyValue],
    ) -> Self {
        let parent = parent.map(|parent| {
            let random = if random_flag(parent) { 2 } else { 0 };
            Parent::from_flags(u8::from(parent.is_sampled()) | random, parent.is_remote())
        });
        let kind = match kind {
            SpanKind::Internal => Kind::Internal,
            SpanKind::Server => Kind::Server,
            SpanKind::Client => Kind::Client,
            SpanKind::Producer => Kind::Producer,
            SpanKind::Consumer => Kind::Consumer,
        };
        let ot = trace_state.get("ot").unwrap_or_default();
        Facts { trace_id: trace_id.to_bytes(), parent, ot, name, kind, attributes }
    }
}

impl ItemFacts for Facts<'_> {
    fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    fn ot(&self) -> &str {
        self.ot
    }

    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn attribute(&self, key: &str) -> Option<Value<'_>> {
        let attribute = self.attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
        match &attribute.value {
            opentelemetry::Value::String(text) => Some(Value::Str(text.as_str())),
            opentelemetry::Value::I64(number) => Some(Value::Int(*number)),
            opentelemetry::Value::F64(number) => Some(Value::Double(*number)),
            opentelemetry::Value::Bool(bool) => Some(Value::Bool(*bool)),
            _ => None,
        }
    }
}

impl TraceFacts for Facts<'_> {
    fn parent(&self) -> Option<Parent> {
        self.parent
    }
}
