//! From JSON to protobuf.

use super::JsonError;
use crate::cursor::MESSAGE_DEPTH;
use crate::grpc::decode_base64;
use crate::rpc::put_varint;
use crate::schema::{self, Field, Form, Kind, Message};
use crate::{Signal, cursor};
use bytes::Bytes;
use core::fmt;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Reads an export request from JSON and writes it as protobuf.
///
/// The result is well-formed, with ids of the right length, and no deeper than the decoders of others bear.
/// Whether required ids are there, and limits, is for [`validate`](crate::validate) to say.
///
/// # Errors
///
/// If the text is no JSON, or a value does not fit its field; with line and column.
///
/// # Allocation
///
/// The result, and scratch space for strings with escapes. Never more than a small multiple of the text.
pub fn to_protobuf(signal: Signal, json: &[u8]) -> Result<Bytes, JsonError> {
    let mut out = Vec::with_capacity(json.len() / 2);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let request =
        Value { kind: Kind::Message(schema::request(signal)), depth: 0, out: &mut out, place: Place::Top };
    request.deserialize(&mut reader)?;
    reader.end()?;
    Ok(out.into())
}

/// Where a value stands, which decides what surrounds it in protobuf.
#[derive(Copy, Clone)]
enum Place {
    /// The request itself: nothing.
    Top,
    /// A field: its key, and `null` means that it is not there.
    Field(&'static Field),
    /// An element of a list of numbers, which are packed: nothing.
    Packed,
}

/// A value that is about to be read.
struct Value<'o> {
    kind: Kind,
    /// How many messages are around it.
    depth: usize,
    out: &'o mut Vec<u8>,
    place: Place,
}

impl Value<'_> {
    fn key(&mut self) {
        if let Place::Field(field) = self.place {
            put_varint(self.out, u64::from(field.number) << 3 | u64::from(field.kind.wire()));
        }
    }

    fn bytes(mut self, bytes: &[u8]) {
        self.key();
        put_varint(self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// A whole number that fits the field.
    fn integer<E: de::Error>(mut self, number: i128) -> Result<(), E> {
        let (low, high): (i128, i128) = match self.kind {
            Kind::Enum | Kind::Int32 | Kind::Sint32 => (i32::MIN.into(), i32::MAX.into()),
            Kind::Int64 | Kind::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
            Kind::Uint32 | Kind::Fixed32 => (0, u32::MAX.into()),
            _ => (0, u64::MAX.into()),
        };
        if number < low || number > high {
            return Err(E::custom(format_args!("number {number} out of range")));
        }
        self.key();
        let bits = number as u64;
        match self.kind {
            Kind::Fixed32 => self.out.extend_from_slice(&(number as u32).to_le_bytes()),
            Kind::Fixed64 | Kind::Sfixed64 => self.out.extend_from_slice(&bits.to_le_bytes()),
            Kind::Sint32 => {
                let number = number as i32;
                put_varint(self.out, u64::from((number << 1 ^ number >> 31).cast_unsigned()));
            }
            _ => put_varint(self.out, bits),
        }
        Ok(())
    }

    fn double(mut self, number: f64) {
        self.key();
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    fn id<E: de::Error>(self, text: &str, len: usize, or_none: bool) -> Result<(), E> {
        let mut id = [0; 16];
        if text.len() != 2 * len && !(or_none && text.is_empty()) {
            return Err(E::custom(format_args!(
                "id of {} characters, expected {} hexadecimal digits",
                text.len(),
                2 * len
            )));
        }
        for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| char::from(digits[at]).to_digit(16);
            match (digit(0), digit(1)) {
                (Some(high), Some(low)) => *byte = (high << 4 | low) as u8,
                _ => return Err(E::custom("id with characters that are no hexadecimal digits")),
            }
        }
        self.bytes(&id[..text.len() / 2]);
        Ok(())
    }

    fn is_list(&self) -> bool {
        matches!(self.place, Place::Field(Field { form: Form::List, .. }))
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            _ if self.is_list() => "an array",
            Kind::String => "a string",
            Kind::Bytes => "a string of base64",
            Kind::TraceId | Kind::SpanId | Kind::TraceIdOrNone | Kind::SpanIdOrNone => {
                "a string of hexadecimal digits"
            }
            Kind::Bool => "true or false",
            Kind::Enum => "the number of an enumeration's value",
            Kind::Double => "a number, or one of \"NaN\", \"Infinity\" and \"-Infinity\"",
            Kind::Message(_) => "an object",
            _ => "an integer, as a number or a string",
        })
    }

    /// `null`: as if the key were not there.
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        match self.place {
            Place::Field(_) => Ok(()),
            _ => Err(E::invalid_type(de::Unexpected::Unit, &self)),
        }
    }

    fn visit_bool<E: de::Error>(mut self, value: bool) -> Result<(), E> {
        match self.kind {
            Kind::Bool if !self.is_list() => {
                self.key();
                self.out.push(u8::from(value));
                Ok(())
            }
            _ => Err(E::invalid_type(de::Unexpected::Bool(value), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        match self.kind {
            _ if self.is_list() => Err(E::invalid_type(de::Unexpected::Unsigned(number), &self)),
            Kind::Double => {
                self.double(number as f64);
                Ok(())
            }
            kind if is_integer(kind) => self.integer(number.into()),
            _ => Err(E::invalid_type(de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        match self.kind {
            _ if self.is_list() => Err(E::invalid_type(de::Unexpected::Signed(number), &self)),
            Kind::Double => {
                self.double(number as f64);
                Ok(())
            }
            kind if is_integer(kind) => self.integer(number.into()),
            _ => Err(E::invalid_type(de::Unexpected::Signed(number), &self)),
        }
    }

    /// proto3 JSON lets an integer be written with a fraction of zero or an exponent.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        match self.kind {
            _ if self.is_list() => Err(E::invalid_type(de::Unexpected::Float(number), &self)),
            Kind::Double => {
                self.double(number);
                Ok(())
            }
            kind if is_integer(kind) && number.fract() == 0.0 && number.abs() < 2e19 => {
                self.integer(number as i128)
            }
            _ => Err(E::invalid_type(de::Unexpected::Float(number), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match self.kind {
            _ if self.is_list() => return Err(E::invalid_type(de::Unexpected::Str(text), &self)),
            Kind::String => self.bytes(text.as_bytes()),
            Kind::Bytes => match decode_base64(text.as_bytes()) {
                Some(bytes) => self.bytes(&bytes),
                None => return Err(E::invalid_value(de::Unexpected::Str(text), &self)),
            },
            Kind::TraceId => return self.id(text, 16, false),
            Kind::SpanId => return self.id(text, 8, false),
            Kind::TraceIdOrNone => return self.id(text, 16, true),
            Kind::SpanIdOrNone => return self.id(text, 8, true),
            Kind::Double => match (text, text.parse::<f64>()) {
                ("NaN", _) => self.double(f64::NAN),
                ("Infinity", _) => self.double(f64::INFINITY),
                ("-Infinity", _) => self.double(f64::NEG_INFINITY),
                (_, Ok(number)) if number.is_finite() => self.double(number),
                _ => return Err(E::invalid_value(de::Unexpected::Str(text), &self)),
            },
            // Enumerations are integers only, says OTLP.
            kind if is_integer(kind) && !matches!(kind, Kind::Enum) => match text.parse::<i128>() {
                Ok(number) => return self.integer(number),
                Err(_) => return Err(E::invalid_value(de::Unexpected::Str(text), &self)),
            },
            _ => return Err(E::invalid_type(de::Unexpected::Str(text), &self)),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let Place::Field(field @ Field { form: Form::List, .. }) = self.place else {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
        };
        if field.kind.wire() == cursor::LEN {
            // One field for each element. The element's own place is that of a single field, or lists could
            // be nested.
            loop {
                let element =
                    Element(Value { kind: self.kind, depth: self.depth, out: self.out, place: self.place });
                if list.next_element_seed(element)?.is_none() {
                    return Ok(());
                }
            }
        }
        put_varint(self.out, u64::from(field.number) << 3 | u64::from(cursor::LEN));
        let start = self.out.len();
        loop {
            let number = Value { kind: self.kind, depth: self.depth, out: self.out, place: Place::Packed };
            if list.next_element_seed(number)?.is_none() {
                break;
            }
        }
        insert_len(self.out, start);
        self.place = Place::Packed;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.kind else {
            return Err(de::Error::invalid_type(de::Unexpected::Map, &self));
        };
        if self.is_list() {
            return Err(de::Error::invalid_type(de::Unexpected::Map, &self));
        }
        if self.depth > MESSAGE_DEPTH {
            return Err(de::Error::custom("nested too deeply"));
        }
        self.key();
        let start = self.out.len();
        while let Some(known) = map.next_key_seed(Key(message))? {
            match known {
                Some(field) => map.next_value_seed(Value {
                    kind: field.kind,
                    depth: self.depth + 1,
                    out: self.out,
                    place: Place::Field(field),
                })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if !matches!(self.place, Place::Top) {
            insert_len(self.out, start);
        }
        Ok(())
    }
}

/// An element of a list of messages or strings.
struct Element<'o>(Value<'o>);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Value { kind, depth, out, place } = self.0;
        let Place::Field(field) = place else {
            return Ok(());
        };
        put_varint(out, u64::from(field.number) << 3 | u64::from(cursor::LEN));
        deserializer.deserialize_any(Value { kind, depth, out, place: Place::Packed })
    }
}

fn is_integer(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Enum
            | Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed64
    )
}

/// Puts the length of what was written since `start` before it.
fn insert_len(out: &mut Vec<u8>, start: usize) {
    let end = out.len();
    put_varint(out, (end - start) as u64);
    let written = out.len() - end;
    out[start..].rotate_right(written);
}

/// A key of an object: the field that it names, if there is one.
struct Key(&'static Message);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.fields.iter().find(|field| is_camel_case_of(key, field.name)))
    }
}

/// Whether `key` is `name`, a snake_case name, in lowerCamelCase.
fn is_camel_case_of(key: &str, name: &str) -> bool {
    let mut key = key.bytes();
    let mut upper = false;
    for byte in name.bytes() {
        if byte == b'_' {
            upper = true;
        } else {
            let expected = if upper { byte.to_ascii_uppercase() } else { byte };
            if key.next() != Some(expected) {
                return false;
            }
            upper = false;
        }
    }
    key.next().is_none()
}
