//! From protobuf to JSON.

use super::JsonError;
use crate::cursor::{Cursor, LEN, MESSAGE_DEPTH};
use crate::error::Fault;
use crate::grpc::encode_base64;
use crate::schema::{self, Field, Form, Kind, Message};
use crate::{Limits, Signal, validate};

/// Writes an export request as JSON, on one line.
///
/// What is not on the wire is left out, as are unknown fields, which JSON has no name for.
///
/// # Errors
///
/// If the bytes are not valid; they are validated first, without limits.
pub fn from_protobuf(signal: Signal, bytes: &[u8]) -> Result<String, JsonError> {
    validate(signal, bytes, &Limits::NONE).map_err(JsonError::Protobuf)?;
    let mut out = String::with_capacity(bytes.len() * 2);
    match write_message(&mut out, schema::request(signal), bytes) {
        Ok(()) => Ok(out),
        Err(fault) => Err(JsonError::Protobuf(crate::path::locate(signal, bytes, fault))),
    }
}

/// Where the values of a field are in its message: from the key of the first one to the key of the last one.
#[derive(Copy, Clone, Default)]
struct Found {
    count: usize,
    first: usize,
    last: usize,
}

fn write_message(out: &mut String, message: &'static Message, body: &[u8]) -> Result<(), Fault> {
    let mut found = [Found::default(); 17];
    let mut cursor = Cursor::new(body);
    let mut last_either = 0;
    while !cursor.is_empty() {
        let at = body.len() - cursor.rest.len();
        let (number, wire) = cursor.key()?;
        cursor.skip(number, wire, MESSAGE_DEPTH)?;
        if let Some(field) = message.field(number) {
            let found = &mut found[usize::from(field.number)];
            if found.count == 0 || field.form == Form::Either && last_either != field.number {
                *found = Found { count: 0, first: at, last: at };
            }
            if field.form == Form::Either {
                last_either = field.number;
            }
            found.count += 1;
            found.last = at;
        }
    }
    out.push('{');
    let mut comma = false;
    for field in message.fields {
        let found = found[usize::from(field.number)];
        if found.count == 0 || field.form == Form::Either && field.number != last_either {
            continue;
        }
        if comma {
            out.push(',');
        }
        comma = true;
        write_key(out, field.name);
        write_field(out, field, found, body)?;
    }
    out.push('}');
    Ok(())
}

/// `"lowerCamelCase":`
fn write_key(out: &mut String, name: &str) {
    out.push('"');
    let mut upper = false;
    for character in name.chars() {
        if character == '_' {
            upper = true;
        } else {
            out.push(if upper { character.to_ascii_uppercase() } else { character });
            upper = false;
        }
    }
    out.push_str("\":");
}

fn write_field(out: &mut String, field: &Field, found: Found, body: &[u8]) -> Result<(), Fault> {
    let is_list = field.form == Form::List;
    let is_merged = found.count > 1 && matches!(field.kind, Kind::Message(_));
    if !(is_list || is_merged) {
        let mut cursor = Cursor::new(&body[found.last..]);
        cursor.key()?;
        return write_value(out, field.kind, &mut cursor);
    }
    let mut merged = Vec::new();
    let mut comma = false;
    if is_list {
        out.push('[');
    }
    let mut cursor = Cursor::new(&body[found.first..]);
    while !cursor.is_empty() {
        let (number, wire) = cursor.key()?;
        if number != u32::from(field.number) {
            cursor.skip(number, wire, MESSAGE_DEPTH)?;
            continue;
        }
        if !is_list {
            // A message that is there more than once: the concatenation of its parts is their merge.
            merged.extend_from_slice(cursor.bytes()?);
            continue;
        }
        let is_packed = wire == LEN && field.kind.wire() != LEN;
        let mut packed = if is_packed { Cursor::new(cursor.bytes()?) } else { cursor };
        loop {
            if is_packed && packed.is_empty() {
                break;
            }
            if comma {
                out.push(',');
            }
            comma = true;
            write_value(out, field.kind, &mut packed)?;
            if !is_packed {
                cursor = packed;
                break;
            }
        }
    }
    if is_list {
        out.push(']');
    } else if let Kind::Message(message) = field.kind {
        write_message(out, message, &merged)?;
    }
    Ok(())
}

/// One value, whose key has been read.
fn write_value(out: &mut String, kind: Kind, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    match kind {
        Kind::Message(message) => write_message(out, message, cursor.bytes()?)?,
        Kind::String => write_string(out, cursor.bytes()?),
        Kind::Bytes => {
            out.push('"');
            out.push_str(&encode_base64(cursor.bytes()?));
            out.push('"');
        }
        Kind::TraceId | Kind::SpanId | Kind::TraceIdOrNone | Kind::SpanIdOrNone => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.push('"');
            for byte in cursor.bytes()? {
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            out.push('"');
        }
        Kind::Bool => out.push_str(if cursor.varint()? == 0 { "false" } else { "true" }),
        Kind::Enum | Kind::Int32 => out.push_str(&(cursor.varint()? as i32).to_string()),
        Kind::Uint32 => out.push_str(&(cursor.varint()? as u32).to_string()),
        Kind::Sint32 => {
            let bits = cursor.varint()? as u32;
            out.push_str(&((bits >> 1).cast_signed() ^ -((bits & 1).cast_signed())).to_string());
        }
        Kind::Int64 => write_quoted(out, cursor.varint()?.cast_signed()),
        Kind::Uint64 => write_quoted(out, cursor.varint()?),
        Kind::Fixed32 => {
            let bytes = cursor.take(4)?;
            let number = bytes.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
            out.push_str(&number.to_string());
        }
        Kind::Fixed64 => write_quoted(out, fixed64(cursor)?),
        Kind::Sfixed64 => write_quoted(out, fixed64(cursor)?.cast_signed()),
        Kind::Double => write_double(out, f64::from_bits(fixed64(cursor)?)),
    }
    Ok(())
}

fn fixed64(cursor: &mut Cursor<'_>) -> Result<u64, Fault> {
    Ok(cursor.take(8)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// 64-bit integers are strings: JavaScript's numbers do not hold them.
fn write_quoted(out: &mut String, number: impl core::fmt::Display) {
    out.push('"');
    out.push_str(&number.to_string());
    out.push('"');
}

fn write_double(out: &mut String, number: f64) {
    match serde_json::Number::from_f64(number) {
        Some(finite) => out.push_str(&finite.to_string()),
        None if number.is_nan() => out.push_str("\"NaN\""),
        None if number > 0.0 => out.push_str("\"Infinity\""),
        None => out.push_str("\"-Infinity\""),
    }
}

/// The bytes are known to be UTF-8.
fn write_string(out: &mut String, bytes: &[u8]) {
    out.push('"');
    super::rpc::escape_into(out, &String::from_utf8_lossy(bytes));
    out.push('"');
}
