//! What a decision may look at.

/// What an item is: the kind of a span. The numbers are those of OTLP's `SpanKind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Kind {
    /// Not said, or no span.
    #[default]
    Unspecified = 0,
    /// Work inside an application.
    Internal = 1,
    /// A request being answered.
    Server = 2,
    /// A request being made.
    Client = 3,
    /// A message being sent.
    Producer = 4,
    /// A message being handled.
    Consumer = 5,
}

/// The value of an attribute, borrowed. Values of other types (lists, maps, bytes) are none to the samplers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A text.
    Str(&'a str),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// True or false.
    Bool(bool),
}

/// What a decision about an item may look at, be it a span that is about to begin, or a span or log record that has come to a gateway.
///
/// Everything is borrowed and nothing is computed before it is asked for. The trait is object-safe. What an
/// item does not have keeps its default.
pub trait ItemFacts {
    /// The id of its trace; all zeros if it has none.
    fn trace_id(&self) -> [u8; 16];

    /// The value of the member `ot` in the trace state: of a span that is about to begin, its parent's. Empty if there is none.
    fn ot(&self) -> &str {
        ""
    }

    /// Its name; of a log record, that of the event.
    fn name(&self) -> &str {
        ""
    }

    /// Its kind.
    fn kind(&self) -> Kind {
        Kind::Unspecified
    }

    /// The attribute with this key.
    fn attribute(&self, key: &str) -> Option<Value<'_>> {
        let _ = key;
        None
    }

    /// The attribute of its resource with this key.
    fn resource(&self, key: &str) -> Option<Value<'_>> {
        let _ = key;
        None
    }
}

/// What a sampler at the head of a trace may look at: a span that is about to begin.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{ItemFacts, Kind, Parent, TraceFacts};
///
/// struct Beginning<'a> {
///     trace_id: [u8; 16],
///     name: &'a str,
///     parent: Option<Parent>,
/// }
///
/// impl ItemFacts for Beginning<'_> {
///     fn trace_id(&self) -> [u8; 16] {
///         self.trace_id
///     }
///     fn name(&self) -> &str {
///         self.name
///     }
///     fn kind(&self) -> Kind {
///         Kind::Server
///     }
/// }
///
/// impl TraceFacts for Beginning<'_> {
///     fn parent(&self) -> Option<Parent> {
///         self.parent
///     }
/// }
/// ```
pub trait TraceFacts: ItemFacts {
    /// The span that it will be a child of; `None` of a root, and of a parent without a valid id.
    fn parent(&self) -> Option<Parent>;
}

/// What is known of the parent of a span that is about to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parent {
    /// The flag `sampled` (0x01).
    pub sampled: bool,
    /// Whether it is in another process.
    pub remote: bool,
    /// The flag `random` (0x02, trace context level 2): the last 7 bytes of the trace's id are random.
    pub random: bool,
}

impl Parent {
    /// A parent in this process.
    #[must_use]
    pub const fn local(sampled: bool) -> Parent {
        Parent { sampled, remote: false, random: true }
    }

    /// A parent in another process.
    #[must_use]
    pub const fn remote(sampled: bool) -> Parent {
        Parent { sampled, remote: true, random: true }
    }

    /// The parent that these flags of a trace context describe.
    #[must_use]
    pub const fn from_flags(flags: u8, remote: bool) -> Parent {
        Parent { sampled: flags & 1 != 0, remote, random: flags & 2 != 0 }
    }
}
