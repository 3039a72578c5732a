//! A span while it is held: its bytes, and what its neighbours share.

use std::sync::Arc;

use aqueduct_sampling::tail::{AttributeValue, StatusCode, TailSpan};
use aqueduct_wire::view::{self, Span, Value};
use aqueduct_wire::{Envelope, Item};

/// What the allocator adds to the bytes of a span, at a guess that is seldom too low.
const ALLOCATION: usize = 16;

/// A span that waits for the decision on its trace.
#[derive(Debug)]
pub(crate) struct HeldSpan {
    /// A copy, so that what is held keeps no request in memory.
    bytes: Box<[u8]>,
    envelope: Arc<Envelope>,
    trace_id: [u8; 16],
    start: u64,
    end: u64,
    status: StatusCode,
    root: bool,
    /// Its share of the envelope.
    shared: u32,
}

impl HeldSpan {
    pub(crate) fn new(item: &Item<'_>, envelope: &Arc<Envelope>) -> HeldSpan {
        let span = Span::new(item.bytes());
        let fields = span.fields();
        let status = span.status().map(|status| status.code()).unwrap_or_default();
        HeldSpan {
            bytes: item.bytes().into(),
            envelope: Arc::clone(envelope),
            trace_id: fields.trace_id.try_into().unwrap_or_default(),
            start: fields.start_time_unix_nano,
            end: fields.end_time_unix_nano,
            status: match status {
                view::StatusCode::Ok => StatusCode::Ok,
                view::StatusCode::Error => StatusCode::Error,
                _ => StatusCode::Unset,
            },
            root: fields.parent_span_id.iter().all(|byte| *byte == 0),
            shared: 0,
        }
    }

    /// Divides what is shared among the spans that were made with it. To be called when all were made.
    pub(crate) fn share(&mut self) {
        let share = self.envelope.held_bytes().div_ceil(Arc::strong_count(&self.envelope).max(1));
        self.shared = u32::try_from(share).unwrap_or(u32::MAX);
    }

    pub(crate) fn parts(&self) -> (&Arc<Envelope>, &[u8]) {
        (&self.envelope, &self.bytes)
    }
}

impl TailSpan for HeldSpan {
    fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    fn is_root(&self) -> bool {
        self.root
    }

    fn start_unix_nano(&self) -> u64 {
        self.start
    }

    fn end_unix_nano(&self) -> u64 {
        self.end
    }

    fn status(&self) -> StatusCode {
        self.status
    }

    fn attribute(&self, key: &str) -> Option<AttributeValue<'_>> {
        Span::new(&self.bytes).attributes().find(key).map(value)
    }

    fn resource_attribute(&self, key: &str) -> Option<AttributeValue<'_>> {
        self.envelope.resource()?.attributes().find(key).map(value)
    }

    fn trace_state(&self) -> &str {
        Span::new(&self.bytes).trace_state()
    }

    fn held_bytes(&self) -> usize {
        self.bytes.len() + ALLOCATION + self.shared as usize
    }

    fn encoded_bytes(&self) -> usize {
        self.bytes.len()
    }
}

fn value(value: Value<'_>) -> AttributeValue<'_> {
    match value {
        Value::Str(text) => AttributeValue::Str(text.as_str()),
        Value::Int(number) => AttributeValue::Int(number),
        Value::Double(number) => AttributeValue::Double(number),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        _ => AttributeValue::Other,
    }
}
