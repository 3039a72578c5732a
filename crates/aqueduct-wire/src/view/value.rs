//! `AnyValue`: what an attribute or the body of a log record holds.

use super::attributes::Attributes;
use super::body::Body;
use super::fields::Data;
use super::record::{Element, Repeated, Sealed};
use super::text::Text;
use crate::cursor::{Cursor, FIXED64, LEN, VARINT};
use crate::schema::numbers::{any_value, array_value, key_value_list};
use core::fmt;

/// A value of any kind (`common.v1.AnyValue`).
///
/// Values nest: whoever follows arrays and lists by recursion bounds the depth, by
/// [`Limits::max_depth`](crate::Limits::max_depth) or by counting.
#[non_exhaustive]
#[derive(Copy, Clone, Debug, Default)]
pub enum Value<'a> {
    /// No kind is set: legal, and means "empty".
    #[default]
    Empty,
    /// `string_value`
    Str(Text<'a>),
    /// `bool_value`
    Bool(bool),
    /// `int_value`
    Int(i64),
    /// `double_value`
    Double(f64),
    /// `array_value`
    Array(Array<'a>),
    /// `kvlist_value`
    KvList(KvList<'a>),
    /// `bytes_value`
    Bytes(&'a [u8]),
    /// `string_value_strindex`: a place in the string table of profiles.
    StrIndex(i32),
}

const fn key(number: u32, wire: u8) -> u8 {
    (number << 3) as u8 | wire
}

const STRING: u8 = key(any_value::STRING, LEN);
const BOOL: u8 = key(any_value::BOOL, VARINT);
const INT: u8 = key(any_value::INT, VARINT);
const DOUBLE: u8 = key(any_value::DOUBLE, FIXED64);

impl<'a> Value<'a> {
    /// Reads the content of an `AnyValue`, without key and length.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Value<'a> {
        match Value::usual(bytes) {
            Some(value) => value,
            None => Value::read(Body::from(bytes)),
        }
    }

    #[inline]
    pub(super) fn of_body(body: Body<'a>) -> Value<'a> {
        match body.single() {
            Some(bytes) => Value::new(bytes),
            None => Value::read(body),
        }
    }

    /// The text, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Value::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The number, if it is an integer.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The number, if it is a double.
    #[must_use]
    pub fn as_double(&self) -> Option<f64> {
        match *self {
            Value::Double(number) => Some(number),
            _ => None,
        }
    }

    /// The truth, if it is a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// What nearly all values are: one field, alone, of one of four kinds.
    #[inline(always)]
    fn usual(content: &'a [u8]) -> Option<Value<'a>> {
        match *content {
            [STRING, len @ ..0x80, ref bytes @ ..] if bytes.len() == usize::from(len) => {
                Some(Value::Str(Text::new(bytes)))
            }
            [INT, ref number @ ..] => {
                let mut cursor = Cursor::new(number);
                let number = cursor.varint().ok()?;
                cursor.is_empty().then_some(Value::Int(number.cast_signed()))
            }
            [BOOL, truth @ ..0x80] => Some(Value::Bool(truth != 0)),
            [DOUBLE, ref bits @ ..] if bits.len() == 8 => {
                Some(Value::Double(f64::from_le_bytes(*bits.first_chunk()?)))
            }
            _ => None,
        }
    }

    /// The last kind counts. If it is a message, its pieces after the last field of another kind are merged.
    #[inline(never)]
    fn read(body: Body<'a>) -> Value<'a> {
        let (mut value, mut last, mut pieces) = (Value::Empty, 0, 0_usize);
        let mut fields = body.fields();
        let mut first = fields;
        loop {
            let before = fields;
            let Some(field) = fields.next() else { break };
            value = match (field.number, field.data) {
                (any_value::STRING, Data::Bytes(bytes)) => Value::Str(Text::new(bytes)),
                (any_value::BOOL, Data::Varint(truth)) => Value::Bool(truth != 0),
                (any_value::INT, Data::Varint(number)) => Value::Int(number.cast_signed()),
                (any_value::DOUBLE, Data::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
                (any_value::BYTES, Data::Bytes(bytes)) => Value::Bytes(bytes),
                (any_value::STRINDEX, Data::Varint(index)) => Value::StrIndex(index as i32),
                (kind @ (any_value::ARRAY | any_value::KVLIST), Data::Bytes(content)) => {
                    if last != kind {
                        (first, pieces) = (before, 0);
                    }
                    pieces += 1;
                    Value::list(kind, Body::from(content))
                }
                _ => continue,
            };
            last = field.number;
        }
        // Once, at the end: kinds that take turns must not be looked for each time.
        if pieces > 1 && matches!(last, any_value::ARRAY | any_value::KVLIST) {
            value = Value::list(last, first.body_from(last));
        }
        value
    }

    fn list(kind: u32, body: Body<'a>) -> Value<'a> {
        if kind == any_value::ARRAY { Value::Array(Array { body }) } else { Value::KvList(KvList { body }) }
    }
}

impl Sealed for Value<'_> {}
impl<'a> Element<'a> for Value<'a> {
    #[inline]
    fn of(content: &'a [u8]) -> Value<'a> {
        Value::new(content)
    }
}

/// A list of keys and values (`common.v1.KeyValueList`).
#[derive(Copy, Clone)]
pub struct KvList<'a> {
    body: Body<'a>,
}

impl<'a> KvList<'a> {
    /// The keys and values.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.body, key_value_list::VALUES)
    }

    /// The content of the `KeyValueList`, as it came.
    #[must_use]
    pub fn body(&self) -> Body<'a> {
        self.body
    }
}

/// Without the values: they may nest deeply.
impl fmt::Debug for KvList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KvList({} bytes)", self.body.len())
    }
}

/// A list of values (`common.v1.ArrayValue`).
#[derive(Copy, Clone)]
pub struct Array<'a> {
    body: Body<'a>,
}

impl<'a> Array<'a> {
    /// The values, in order.
    #[must_use]
    pub fn iter(&self) -> Repeated<'a, Value<'a>> {
        Repeated::new(self.body, array_value::VALUES)
    }

    /// The content of the `ArrayValue`, as it came.
    #[must_use]
    pub fn body(&self) -> Body<'a> {
        self.body
    }
}

impl<'a> IntoIterator for Array<'a> {
    type Item = Value<'a>;
    type IntoIter = Repeated<'a, Value<'a>>;

    fn into_iter(self) -> Repeated<'a, Value<'a>> {
        self.iter()
    }
}

/// Without the values: they may nest deeply.
impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({} bytes)", self.body.len())
    }
}
