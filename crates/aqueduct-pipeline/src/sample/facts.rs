//! What samplers may look at, of items in OTLP bytes.

use aqueduct_sampling::{ItemFacts, Kind, Value};
use aqueduct_wire::edit::TraceState;
use aqueduct_wire::view::{self, Attributes, LogRecord, Span};
use aqueduct_wire::{Item, Signal};

/// A span or log record in a [`Chunk`](aqueduct_wire::Chunk) as samplers see it.
///
/// What it is found by is read once, when it is made; attributes are looked for each time, from the first one on. Of several with a key the first
/// one counts. Data points have no facts but those of their resource.
///
/// # Allocation
///
/// None.
///
/// # Examples
///
/// ```
/// use aqueduct_pipeline::OtlpFacts;
/// use aqueduct_sampling::ItemFacts;
/// use aqueduct_wire::{Chunk, Limits, Signal, filter};
/// use bytes::Bytes;
///
/// // Two log records that are events: field 12 is the name.
/// let request = Bytes::from_static(b"\x0a\x0e\x12\x0c\x12\x04\x62\x02/a\x12\x04\x62\x02/b");
/// let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
/// let of_a = filter(&chunk, |record| OtlpFacts::new(record).name() == "/a")?;
/// assert_eq!((of_a.kept.items(), of_a.removed), (1, 1));
/// # Ok::<(), aqueduct_wire::Invalid>(())
/// ```
#[derive(Debug)]
pub struct OtlpFacts<'a> {
    item: Item<'a>,
    trace_id: [u8; 16],
    name: &'a str,
    kind: Kind,
    state: TraceState<'a>,
    attributes: Attributes<'a>,
}

impl<'a> OtlpFacts<'a> {
    /// The facts of this item.
    #[must_use]
    pub fn new(item: &Item<'a>) -> OtlpFacts<'a> {
        let mut facts = OtlpFacts {
            item: *item,
            trace_id: [0; 16],
            name: "",
            kind: Kind::Unspecified,
            state: TraceState::new(""),
            attributes: Attributes::default(),
        };
        match item.signal() {
            Signal::Traces => {
                let span = Span::new(item.bytes());
                let fields = span.fields();
                facts.trace_id = fields.trace_id.try_into().unwrap_or_default();
                facts.name = fields.name;
                facts.kind = kind(fields.kind);
                facts.state = TraceState::new(fields.trace_state);
                facts.attributes = span.attributes();
            }
            Signal::Logs => {
                let record = LogRecord::new(item.bytes());
                let fields = record.fields();
                facts.trace_id = fields.trace_id.try_into().unwrap_or_default();
                facts.name = fields.event_name;
                facts.attributes = record.attributes();
            }
            _ => {}
        }
        facts
    }
}

impl ItemFacts for OtlpFacts<'_> {
    fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    fn ot(&self) -> &str {
        self.state.get("ot").unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn attribute(&self, key: &str) -> Option<Value<'_>> {
        value(self.attributes.find(key)?)
    }

    fn resource(&self, key: &str) -> Option<Value<'_>> {
        value(self.item.resource()?.attributes().find(key)?)
    }
}

fn kind(kind: view::SpanKind) -> Kind {
    match kind {
        view::SpanKind::Internal => Kind::Internal,
        view::SpanKind::Server => Kind::Server,
        view::SpanKind::Client => Kind::Client,
        view::SpanKind::Producer => Kind::Producer,
        view::SpanKind::Consumer => Kind::Consumer,
        _ => Kind::Unspecified,
    }
}

/// Lists, maps and bytes are nothing that samplers know.
fn value(value: view::Value<'_>) -> Option<Value<'_>> {
    match value {
        view::Value::Str(text) => Some(Value::Str(text.as_str())),
        view::Value::Int(number) => Some(Value::Int(number)),
        view::Value::Double(number) => Some(Value::Double(number)),
        view::Value::Bool(truth) => Some(Value::Bool(truth)),
        _ => None,
    }
}
