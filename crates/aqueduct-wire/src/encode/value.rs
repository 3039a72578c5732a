//! Values and attributes: what is lent to the encoder, and where it is handed over.

use super::writer::{Writer, double_value, int_value};
use crate::cursor::{Cursor, MESSAGE_DEPTH};
use crate::limits::Limits;
use crate::schema::tags::{any_value, array_value, key_value, key_value_list};
use core::fmt;

/// A value on loan: `common.v1.AnyValue`.
///
/// Lists that are not slices of the usual types are handed over by a function, so that the values may stand
/// in whatever type the caller has:
///
/// ```
/// use aqueduct_wire::encode::{ArraySink, EncodedAttributes, ValueRef};
///
/// let names: Vec<Box<str>> = vec!["a".into(), "b".into()];
/// let array = |values: &mut ArraySink<'_>| names.iter().for_each(|name| values.push(ValueRef::Str(name)));
/// let attributes = EncodedAttributes::new(|attributes| {
///     attributes.push("names", ValueRef::Array(&array));
///     attributes.push("ports", ValueRef::Ints(&[80, 443]));
/// });
/// assert_eq!(attributes.count(), 2);
/// ```
#[doc(alias = "AnyValue")]
#[non_exhaustive]
#[derive(Clone, Copy, Default)]
pub enum ValueRef<'a> {
    /// No value.
    #[default]
    Empty,
    /// `string_value`.
    Str(&'a str),
    /// `bool_value`.
    Bool(bool),
    /// `int_value`.
    Int(i64),
    /// `double_value`.
    Double(f64),
    /// `bytes_value`.
    Bytes(&'a [u8]),
    /// `array_value` of strings.
    Strs(&'a [&'a str]),
    /// `array_value` of booleans.
    Bools(&'a [bool]),
    /// `array_value` of integers.
    Ints(&'a [i64]),
    /// `array_value` of doubles.
    Doubles(&'a [f64]),
    /// `array_value` of the values that the function hands over. It is called once.
    Array(&'a dyn Fn(&mut ArraySink<'_>)),
    /// `kvlist_value` of the attributes that the function hands over. It is called once.
    KvList(&'a dyn Fn(&mut AttributeSink<'_>)),
}

/// Without the contents of lists.
impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueRef::Empty => f.write_str("Empty"),
            ValueRef::Str(value) => f.debug_tuple("Str").field(value).finish(),
            ValueRef::Bool(value) => f.debug_tuple("Bool").field(value).finish(),
            ValueRef::Int(value) => f.debug_tuple("Int").field(value).finish(),
            ValueRef::Double(value) => f.debug_tuple("Double").field(value).finish(),
            ValueRef::Bytes(value) => f.debug_tuple("Bytes").field(&value.len()).finish(),
            ValueRef::Strs(value) => f.debug_tuple("Strs").field(value).finish(),
            ValueRef::Bools(value) => f.debug_tuple("Bools").field(value).finish(),
            ValueRef::Ints(value) => f.debug_tuple("Ints").field(value).finish(),
            ValueRef::Doubles(value) => f.debug_tuple("Doubles").field(value).finish(),
            ValueRef::Array(_) => f.write_str("Array(..)"),
            ValueRef::KvList(_) => f.write_str("KvList(..)"),
        }
    }
}

macro_rules! value_from {
    ($($kind:ident: $type:ty),+) => {$(
        impl<'a> From<$type> for ValueRef<'a> {
            fn from(value: $type) -> ValueRef<'a> {
                ValueRef::$kind(value)
            }
        }
    )+};
}

value_from!(Str: &'a str, Bool: bool, Int: i64, Double: f64, Bytes: &'a [u8]);

/// How much deeper messages and values may be nested from here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    messages: u8,
    values: u8,
}

impl Room {
    /// Inside of a message that is `level` levels down from the request, which is level 0.
    pub(super) const fn at(level: u8) -> Room {
        Room { messages: MESSAGE_DEPTH as u8 - level, values: Limits::DEFAULT.max_depth as u8 }
    }

    /// Inside of a value in this message.
    const fn value(self) -> Room {
        Room { messages: self.messages.saturating_sub(1), values: self.values.saturating_sub(1) }
    }

    /// Inside of a message in this one.
    const fn message(self) -> Room {
        Room { messages: self.messages.saturating_sub(1), ..self }
    }

    /// How much of this is used up where so much is left.
    const fn used(self, left: Room) -> Room {
        Room { messages: self.messages - left.messages, values: self.values - left.values }
    }

    /// What is left behind something that uses so much; `None` if there is not so much.
    const fn after(self, used: Room) -> Option<Room> {
        match (self.messages.checked_sub(used.messages), self.values.checked_sub(used.values)) {
            (Some(messages), Some(values)) => Some(Room { messages, values }),
            _ => None,
        }
    }

    /// The least of both.
    pub(super) const fn least(self, other: Room) -> Room {
        Room {
            messages: if self.messages < other.messages { self.messages } else { other.messages },
            values: if self.values < other.values { self.values } else { other.values },
        }
    }

    /// Whether a value that needs so many levels of messages may stand in this value.
    const fn holds(self, messages: u8) -> bool {
        self.messages >= messages && self.values > 0
    }
}

/// Where attributes go: a list of `common.v1.KeyValue`.
///
/// Each is written as it is handed over, in that order; equal keys are not looked for. An attribute with an empty key is written
/// as it is.
pub struct AttributeSink<'w> {
    writer: &'w mut Writer,
    tag: u8,
    room: Room,
}

impl<'w> AttributeSink<'w> {
    #[inline]
    pub(super) fn new(writer: &'w mut Writer, tag: u8, room: Room) -> AttributeSink<'w> {
        AttributeSink { writer, tag, room }
    }

    /// Writes an attribute.
    ///
    /// Lists in one another beyond what [`validate`](crate::validate) accepts with default limits are written as values without
    /// contents, and counted.
    // Always inlined: the caller knows the kind of its value, and need not write it down to be asked for it again.
    #[inline(always)]
    pub fn push(&mut self, key: &str, value: ValueRef<'_>) {
        match value {
            ValueRef::Str(text) => {
                self.writer.text_attribute(self.tag, key, any_value::STRING, text.as_bytes());
            }
            ValueRef::Int(value) => {
                self.writer.int_attribute(self.tag, key, value);
            }
            ValueRef::Bool(value) => {
                self.writer.number_attribute(self.tag, key, &[any_value::BOOL, u8::from(value)]);
            }
            ValueRef::Double(value) => {
                self.writer.number_attribute(self.tag, key, &double_value(value));
            }
            ValueRef::Bytes(bytes) => self.writer.text_attribute(self.tag, key, any_value::BYTES, bytes),
            other => self.push_other(key, other),
        }
    }

    #[inline(never)]
    fn push_other(&mut self, key: &str, value: ValueRef<'_>) {
        let attribute = self.writer.begin(self.tag);
        self.writer.string(key_value::KEY, key);
        put_value(self.writer, key_value::VALUE, self.room.message(), value);
        self.writer.end(attribute);
    }

    /// Writes attributes that were encoded before. If that would nest their values beyond what [`validate`](crate::validate) accepts with
    /// default limits, all of them are left out, and counted.
    pub fn push_encoded(&mut self, attributes: &EncodedAttributes) {
        let Some(left) = self.room.after(attributes.used) else {
            self.writer.cut += attributes.tags.len() as u64;
            return;
        };
        self.writer.note(left);
        let start = self.writer.len();
        self.writer.put(&attributes.bytes);
        self.writer.cut += attributes.cut;
        let written = &mut self.writer.bytes_mut()[start..];
        for &place in &attributes.tags {
            written[place] = self.tag;
        }
    }
}

impl fmt::Debug for AttributeSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttributeSink").finish_non_exhaustive()
    }
}

/// Where the values of an array go: `common.v1.ArrayValue`.
pub struct ArraySink<'w> {
    writer: &'w mut Writer,
    room: Room,
}

impl ArraySink<'_> {
    /// Writes a value, as [`AttributeSink::push`] does.
    pub fn push(&mut self, value: ValueRef<'_>) {
        put_value(self.writer, array_value::VALUES, self.room, value);
    }
}

impl fmt::Debug for ArraySink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArraySink").finish_non_exhaustive()
    }
}

/// Where one value goes, or none if it is dropped.
pub struct ValueSink<'w> {
    writer: &'w mut Writer,
    tag: u8,
    room: Room,
}

impl<'w> ValueSink<'w> {
    pub(super) fn new(writer: &'w mut Writer, tag: u8, room: Room) -> ValueSink<'w> {
        ValueSink { writer, tag, room }
    }

    /// Writes the value, as [`AttributeSink::push`] does.
    #[inline]
    pub fn put(self, value: ValueRef<'_>) {
        // Bodies of log records are, mostly.
        if let ValueRef::Str(text) = value
            && self.writer.short_text_value(self.tag, any_value::STRING, text.as_bytes())
        {
            return;
        }
        put_value(self.writer, self.tag, self.room, value);
    }
}

impl fmt::Debug for ValueSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueSink").finish_non_exhaustive()
    }
}

/// Writes a value as a field of a message in which there is `room`. Calls itself by way of the functions in `value`, as deep as
/// `room` says.
fn put_value(writer: &mut Writer, tag: u8, room: Room, value: ValueRef<'_>) {
    let room = room.value();
    writer.note(room);
    let any = writer.begin(tag);
    match value {
        ValueRef::Empty => {}
        ValueRef::Str(text) => writer.blob(any_value::STRING, text.as_bytes()),
        ValueRef::Bytes(bytes) => writer.blob(any_value::BYTES, bytes),
        ValueRef::Bool(value) => writer.put(&[any_value::BOOL, u8::from(value)]),
        ValueRef::Int(value) => {
            let mut field = [0; 11];
            let len = int_value(&mut field, value);
            writer.put(&field[..len]);
        }
        ValueRef::Double(value) => writer.put(&double_value(value)),
        ValueRef::Strs(list) => put_array(writer, room, |values| {
            list.iter().for_each(|value| values.push(ValueRef::Str(value)));
        }),
        ValueRef::Bools(list) => put_array(writer, room, |values| {
            list.iter().for_each(|value| values.push(ValueRef::Bool(*value)));
        }),
        ValueRef::Ints(list) => put_array(writer, room, |values| {
            list.iter().for_each(|value| values.push(ValueRef::Int(*value)));
        }),
        ValueRef::Doubles(list) => put_array(writer, room, |values| {
            list.iter().for_each(|value| values.push(ValueRef::Double(*value)));
        }),
        ValueRef::Array(list) => put_array(writer, room, list),
        // In the list an attribute, and in that its value.
        ValueRef::KvList(attributes) if room.holds(3) => {
            let list = writer.begin(any_value::KVLIST);
            attributes(&mut AttributeSink::new(writer, key_value_list::VALUES, room.message()));
            writer.end(list);
        }
        ValueRef::KvList(_) => writer.cut += 1,
    }
    writer.end(any);
}

/// Writes an array as the field of a value in which there is `room`.
fn put_array(writer: &mut Writer, room: Room, list: impl Fn(&mut ArraySink<'_>)) {
    // In the array a value.
    if room.holds(2) {
        let array = writer.begin(any_value::ARRAY);
        list(&mut ArraySink { writer: &mut *writer, room: room.message() });
        writer.end(array);
    } else {
        writer.cut += 1;
    }
}

/// Attributes that were encoded once, for use in many items: [`AttributeSink::push_encoded`] costs a copy.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::encode::{EncodedAttributes, ResourcePrefix, ValueRef};
///
/// let cluster = EncodedAttributes::new(|attributes| {
///     attributes.push("k8s.cluster.name", ValueRef::Str("blue"));
///     attributes.push("cloud.region", ValueRef::Str("eu-central-1"));
/// });
/// let resource = ResourcePrefix::new(|attributes| {
///     attributes.push("service.name", ValueRef::Str("shop"));
///     attributes.push_encoded(&cluster);
/// });
/// assert!(resource.len() > cluster.len());
/// ```
#[doc(alias = "SpanFactory")]
#[derive(Clone, Default)]
pub struct EncodedAttributes {
    bytes: Box<[u8]>,
    /// Where the key of each attribute's field stands: it depends on the message that the attribute is written to.
    tags: Box<[usize]>,
    cut: u64,
    /// How deep they go.
    used: Room,
}

impl EncodedAttributes {
    /// Encodes what the function hands over.
    ///
    /// # Allocation
    ///
    /// The two buffers that are kept, and some while they grow.
    #[must_use]
    pub fn new(attributes: impl FnOnce(&mut AttributeSink<'_>)) -> EncodedAttributes {
        let mut writer = Writer::default();
        // The deepest place that attributes may be written to is an exemplar. Each is a message with a value in it.
        let room = super::IN_EXEMPLAR;
        writer.note(room.message().value());
        attributes(&mut AttributeSink::new(&mut writer, key_value_list::VALUES, room));
        let mut tags = Vec::new();
        let mut cursor = Cursor::new(writer.bytes());
        while !cursor.is_empty() {
            tags.push(writer.len() - cursor.rest.len());
            // Our own bytes: they are well-formed, and if they were not, nothing would be gained by going on.
            if cursor.key().and_then(|_| cursor.bytes()).is_err() {
                break;
            }
        }
        let used = room.used(writer.least());
        EncodedAttributes { tags: tags.into(), cut: writer.cut, bytes: writer.bytes().into(), used }
    }

    /// The attributes, as fields of a `KeyValueList`.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many attributes.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tags.len()
    }

    /// How many bytes they add to an item.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many lists were written without contents because they were nested too deeply.
    #[must_use]
    pub fn cut_values(&self) -> u64 {
        self.cut
    }
}

/// Without the bytes.
impl fmt::Debug for EncodedAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedAttributes")
            .field("count", &self.count())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
