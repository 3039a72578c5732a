//! What can be wrong with bytes.

use core::fmt;

/// Why a request is not valid OTLP.
#[non_exhaustive]
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum InvalidKind {
    /// The bytes end inside of a value.
    Truncated,
    /// A length that goes beyond the message that holds it.
    Length,
    /// A varint of more than 64 bits.
    Varint,
    /// A field number of 0, or a key that is no field number with a wire type.
    Key,
    /// A known field with another wire type than the protocol gives it.
    WireType,
    /// A group that is not closed by its own end.
    Group,
    /// A string that is not UTF-8.
    Utf8,
    /// A trace id that has not 16 bytes, or a span id that has not 8. Where the protocol lets an id be absent
    /// (parent span, link, log record, exemplar) it may be empty.
    IdLength,
    /// A span without a trace id or without a span id: both are required.
    MissingId,
    /// Nested deeper than [`Limits::max_depth`](crate::Limits::max_depth) or
    /// [`MESSAGE_DEPTH`](crate::MESSAGE_DEPTH).
    Depth,
    /// More items than [`Limits::max_items`](crate::Limits::max_items).
    Items,
    /// More resource and scope records and metrics than [`Limits::max_envelopes`](crate::Limits::max_envelopes).
    Envelopes,
    /// A message with more attributes than [`Limits::max_attributes`](crate::Limits::max_attributes).
    Attributes,
    /// A request longer than [`Limits::max_bytes`](crate::Limits::max_bytes).
    Bytes,
    /// A record longer than [`Limits::max_record_bytes`](crate::Limits::max_record_bytes).
    RecordBytes,
}

impl InvalidKind {
    /// A short lower-case description.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            InvalidKind::Truncated => "truncated value",
            InvalidKind::Length => "length beyond the end of its message",
            InvalidKind::Varint => "varint of more than 64 bits",
            InvalidKind::Key => "invalid field key",
            InvalidKind::WireType => "wrong wire type",
            InvalidKind::Group => "unbalanced group",
            InvalidKind::Utf8 => "invalid UTF-8",
            InvalidKind::IdLength => "wrong length of an id",
            InvalidKind::MissingId => "missing trace id or span id",
            InvalidKind::Depth => "nested too deeply",
            InvalidKind::Items => "too many items",
            InvalidKind::Envelopes => "too many resources, scopes and metrics",
            InvalidKind::Attributes => "too many attributes",
            InvalidKind::Bytes => "request too long",
            InvalidKind::RecordBytes => "record too long",
        }
    }
}

impl fmt::Display for InvalidKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Bytes that are not a valid request: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub(crate) kind: InvalidKind,
    pub(crate) offset: usize,
    pub(crate) path: Box<str>,
    pub(crate) limit: Option<Exceeded>,
}

/// A limit, and what was found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit, in its unit: levels, items, records, attributes or bytes.
    pub limit: u64,
    /// How much there is, or was when counting stopped: at least one more.
    pub found: u64,
}

impl Invalid {
    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> InvalidKind {
        self.kind
    }

    /// Where it was seen: bytes from the start of the request.
    ///
    /// For a length, a key or a varint the place where it starts; for a string, an id or a message as a
    /// whole the start of its content.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The limit that was exceeded, if it is one, and what was found: for [`InvalidKind::Depth`], `Items`, `Envelopes`,
    /// `Attributes`, `Bytes` and `RecordBytes`.
    #[must_use]
    pub fn limit(&self) -> Option<Exceeded> {
        self.limit
    }

    /// The names of the fields around that place, from the request down, such as
    /// `resource_spans.scope_spans.spans.name`. Unknown fields are given by number. Empty at the top.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(Exceeded { limit, found }) = self.limit {
            write!(f, " ({found}, the limit is {limit})")?;
        }
        write!(f, " at byte {}", self.offset)?;
        if !self.path.is_empty() {
            write!(f, " in {}", self.path)?;
        }
        Ok(())
    }
}

impl core::error::Error for Invalid {}

/// What the hot path returns: small enough for a register or two. The offset and the path are found
/// afterwards.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: InvalidKind,
    /// Address of the place; only ever compared with the address of the request's first byte.
    address: usize,
}

impl Fault {
    #[cold]
    pub(crate) fn at(kind: InvalidKind, place: &[u8]) -> Fault {
        Fault { kind, address: place.as_ptr() as usize }
    }

    /// Distance from the start of `request`, of which the place is a part.
    pub(crate) fn offset_in(&self, request: &[u8]) -> usize {
        self.address.saturating_sub(request.as_ptr() as usize).min(request.len())
    }
}

/// A message of the RPC layer that could not be read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    pub(crate) kind: InvalidKind,
}

impl DecodeError {
    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> InvalidKind {
        self.kind
    }
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> DecodeError {
        DecodeError { kind: fault.kind }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid message: {}", self.kind)
    }
}

impl core::error::Error for DecodeError {}
