//! What the tail sampler looks at.

/// A span as the policies see it. What is kept for each span is the implementing type itself: parsed fields, or bytes that are read on demand.
///
/// The methods must give the same answers for as long as the sampler holds the span. The scalar ones are asked once, when the span is offered;
/// [`attribute`](Self::attribute) and [`resource_attribute`](Self::resource_attribute) when its trace is decided, and only for keys that a policy names;
/// [`trace_state`](Self::trace_state) both times.
///
/// The answers of the sampler are only as good as these, but none of them makes it panic.
pub trait TailSpan {
    /// The trace that the span belongs to.
    fn trace_id(&self) -> [u8; 16];

    /// Whether the span has no parent: its end is the end of the trace.
    fn is_root(&self) -> bool;

    /// When it began, nanoseconds since 1970; zero if unknown.
    fn start_unix_nano(&self) -> u64;

    /// When it ended, nanoseconds since 1970; zero if unknown.
    fn end_unix_nano(&self) -> u64;

    /// Its status.
    fn status(&self) -> StatusCode;

    /// The attribute of the span with this key.
    fn attribute(&self, key: &str) -> Option<AttributeValue<'_>>;

    /// The attribute with this key of the resource that the span came from. None by default.
    fn resource_attribute(&self, _key: &str) -> Option<AttributeValue<'_>> {
        None
    }

    /// The W3C trace state, as in the header `tracestate`; empty if there is none.
    fn trace_state(&self) -> &str;

    /// Memory that goes away with the span, beyond `size_of::<Self>()`: heap bytes as allocated, not as filled. What the budget is charged.
    fn held_bytes(&self) -> usize;

    /// Its size on the wire, which `bytes_limiting` counts. The held bytes by default.
    fn encoded_bytes(&self) -> usize {
        self.held_bytes()
    }
}

/// The status of a span. Complete: OTLP has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// `UNSET`, the default.
    Unset,
    /// `OK`: successful, as the developer says.
    Ok,
    /// `ERROR`.
    Error,
}

impl StatusCode {
    /// The status of this name in the collector's configuration: `UNSET`, `OK` or `ERROR`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<StatusCode> {
        match name {
            "UNSET" => Some(StatusCode::Unset),
            "OK" => Some(StatusCode::Ok),
            "ERROR" => Some(StatusCode::Error),
            _ => None,
        }
    }

    pub(super) fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue<'a> {
    /// Text.
    Str(&'a str),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// Anything else: bytes, arrays, maps, nothing. No policy matches it.
    Other,
}
