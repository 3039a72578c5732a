//! Values that edits put in.

use crate::cursor::{FIXED64, LEN, VARINT};
use crate::schema::{BOOL, DOUBLE, INT, KEY, STRING, VALUE};

/// A value for an attribute (`AnyValue`, common.v1).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `string_value`.
    String(Box<str>),
    /// `bool_value`.
    Bool(bool),
    /// `int_value`.
    Int(i64),
    /// `double_value`.
    Double(f64),
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::String(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Double(value)
    }
}

/// The key of a message in field `number`, which is below 16.
pub(super) fn key(number: u32) -> u8 {
    (number << 3) as u8 | LEN
}

/// A `KeyValue` with its length, as it follows the key of the field that it is.
pub(super) fn attribute(name: &str, value: &Value) -> Box<[u8]> {
    let mut any = Vec::new();
    match value {
        Value::String(text) => field(&mut any, STRING, text.as_bytes()),
        Value::Bool(value) => any.extend([(BOOL << 3) as u8 | VARINT, u8::from(*value)]),
        Value::Int(value) => {
            any.push((INT << 3) as u8 | VARINT);
            varint(&mut any, value.cast_unsigned());
        }
        Value::Double(value) => {
            any.push((DOUBLE << 3) as u8 | FIXED64);
            any.extend(value.to_le_bytes());
        }
    }
    let mut pair = Vec::new();
    field(&mut pair, KEY, name.as_bytes());
    field(&mut pair, VALUE, &any);
    let mut out = Vec::new();
    varint(&mut out, pair.len() as u64);
    out.extend_from_slice(&pair);
    out.into()
}

fn field(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    out.push(key(number));
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
