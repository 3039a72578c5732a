//! From JSON to protobuf.

mod output;
mod scalar;

use super::JsonError;
use crate::Signal;
use crate::cursor::LEN;
use crate::schema::{self, Field, Form, Kind, Message, Words};
use bytes::Bytes;
use core::fmt;
use output::Output;
use scalar::{Scalar, Text};
pub(super) use scalar::{exact_integer, number_text, parse_integer};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

/// Reads an export request from JSON and writes it as protobuf.
///
/// The result is well-formed, with ids of the right length, and no deeper than the decoders of others bear.
/// Whether required ids are there, and limits, is for [`validate`](crate::validate) to say.
///
/// # Errors
///
/// If the text is no JSON in UTF-8, or a value does not fit its field; with line and column.
///
/// # Allocation
///
/// The result, and scratch space for strings with escapes. Never more than a small multiple of the text.
pub fn to_protobuf(signal: Signal, json: &[u8]) -> Result<Bytes, JsonError> {
    // Once for all: the tokenizer would do it for each string anew.
    let Ok(text) = simdutf8::basic::from_utf8(json) else { return Err(not_utf8(json)) };
    let mut out = Output::new(json.len());
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_any(Request { message: schema::request(signal), out: &mut out })?;
    reader.end()?;
    Ok(out.into_bytes().into())
}

/// The place of the first byte that is no text.
#[cold]
fn not_utf8(json: &[u8]) -> JsonError {
    let offset = core::str::from_utf8(json).map_or_else(|error| error.valid_up_to(), str::len);
    let before = &json[..offset];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    JsonError::Text { line, column, message: "invalid UTF-8".to_owned() }
}

/// The one key of the object that a number is with `serde_json`'s feature `arbitrary_precision`.
const NUMBER: &str = "$serde_json::private::Number";

/// A value that is about to be read: that of a key, or an element of a list.
///
/// Two words, as all visitors are: they travel in registers.
struct Value<'o, const ELEMENT: bool> {
    field: &'static Field,
    out: &'o mut Output,
}

impl<const ELEMENT: bool> Value<'_, ELEMENT> {
    fn is_list(&self) -> bool {
        !ELEMENT && self.field.form == Form::List
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.field.kind {
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

    /// `null`: as if the key were not there. A list has no place for it.
    #[cold]
    fn null<E: de::Error>(self) -> Result<(), E> {
        if ELEMENT { Err(E::invalid_type(Unexpected::Unit, &Scalar(self))) } else { Ok(()) }
    }
}

impl<'de, const ELEMENT: bool> DeserializeSeed<'de> for Value<'_, ELEMENT> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.is_list() {
            return deserializer.deserialize_any(List(self));
        }
        match self.field.kind {
            Kind::String => deserializer.deserialize_any(Text(self)),
            Kind::Message(_) => deserializer.deserialize_any(Object(self)),
            _ => deserializer.deserialize_any(Scalar(self)),
        }
    }
}

/// A string where there should be none: without the text, which is the data of others and may be long.
#[cold]
pub(super) fn unexpected_text<E: de::Error>(expected: &dyn de::Expected) -> E {
    E::invalid_value(Unexpected::Other("a string"), expected)
}

/// The request itself, which has nothing around it in protobuf.
struct Request<'o> {
    message: &'static Message,
    out: &'o mut Output,
}

impl<'de> Visitor<'de> for Request<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(unexpected_text(&self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        fields(map, self.message, self.out)
    }
}

/// A message.
struct Object<'o, const ELEMENT: bool>(Value<'o, ELEMENT>);

impl<'de, const ELEMENT: bool> Visitor<'de> for Object<'_, ELEMENT> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(unexpected_text(&self))
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.0.null()
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.0.field.kind else {
            return Err(de::Error::invalid_type(Unexpected::Map, &self));
        };
        let Value { field, out } = self.0;
        let Some(open) = out.open::<ELEMENT>(field) else {
            return Err(de::Error::custom("nested too deeply"));
        };
        fields(map, message, out)?;
        out.close::<ELEMENT>(open);
        Ok(())
    }
}

/// The fields of a message.
#[inline]
fn fields<'de, A: MapAccess<'de>>(
    mut map: A,
    message: &'static Message,
    out: &mut Output,
) -> Result<(), A::Error> {
    let mut next = 0;
    while let Some(known) = map.next_key_seed(Key { message, next })? {
        match known {
            Some(at) => {
                next = at + 1;
                map.next_value_seed(Value::<false> { field: &message.fields[at], out: &mut *out })?;
            }
            None => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    Ok(())
}

/// A list of messages, strings or numbers.
struct List<'o, const ELEMENT: bool>(Value<'o, ELEMENT>);

impl<'de, const ELEMENT: bool> Visitor<'de> for List<'_, ELEMENT> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(unexpected_text(&self))
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.0.null()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Value { field, out } = self.0;
        let mut next = |out: &mut Output| list.next_element_seed(Value::<true> { field, out });
        if field.kind.wire() == LEN {
            while next(out)?.is_some() {}
            return Ok(());
        }
        // Numbers are packed.
        let Some(open) = out.open::<false>(field) else {
            return Err(de::Error::custom("nested too deeply"));
        };
        while next(out)?.is_some() {}
        out.close::<false>(open);
        Ok(())
    }
}

/// A key of an object: the place of the field that it names, if there is one.
struct Key {
    message: &'static Message,
    /// Where to look first: writers mostly keep the order of the fields.
    next: usize,
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<usize>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        let key = Words::new(name.as_bytes());
        let is_it = |field: &Field| field.camel_case.is(&key);
        let (before, after) = self.message.fields.split_at(self.next);
        let at = after.iter().position(is_it).map(|at| at + self.next);
        let at = at.or_else(|| before.iter().position(is_it));
        if at.is_none() && name == NUMBER {
            return Err(E::invalid_type(Unexpected::Other("number"), &"an object"));
        }
        Ok(at)
    }
}
