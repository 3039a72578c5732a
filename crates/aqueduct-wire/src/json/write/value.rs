//! Single values, and elements of lists.

use super::{Text, write_comma, write_message};
use crate::base64;
use crate::cursor::{Cursor, LEN};
use crate::error::Fault;
use crate::json::escape::{write_hex, write_string};
use crate::schema::Kind;
use serde::Serialize;

/// What one field adds to a list: an element, or any number of them if they are packed. Its key has been read.
pub(super) fn write_elements(
    out: &mut Text,
    kind: Kind,
    wire: u8,
    cursor: &mut Cursor<'_>,
) -> Result<(), Fault> {
    if wire != LEN || kind.wire() == LEN {
        write_comma(out);
        return write_value(out, kind, cursor);
    }
    let mut packed = Cursor::new(cursor.bytes()?);
    while !packed.is_empty() {
        write_comma(out);
        write_value(out, kind, &mut packed)?;
    }
    Ok(())
}

/// One value, whose key has been read.
pub(super) fn write_value(out: &mut Text, kind: Kind, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    match kind {
        Kind::Message(message) => write_message(out, message, cursor.bytes()?)?,
        Kind::String => write_string(out, cursor.bytes()?),
        Kind::Bytes => {
            out.push(b'"');
            out.extend_from_slice(base64::encode_padded(cursor.bytes()?).as_bytes());
            out.push(b'"');
        }
        Kind::TraceId | Kind::SpanId | Kind::TraceIdOrNone | Kind::SpanIdOrNone => {
            out.push(b'"');
            write_hex(out, cursor.bytes()?);
            out.push(b'"');
        }
        Kind::Bool => out.extend_from_slice(if cursor.varint()? == 0 { b"false" } else { b"true" }),
        Kind::Enum | Kind::Int32 => write_number(out, cursor.varint()? as i32),
        Kind::Uint32 => write_number(out, cursor.varint()? as u32),
        Kind::Sint32 => {
            let bits = cursor.varint()? as u32;
            write_number(out, (bits >> 1).cast_signed() ^ -((bits & 1).cast_signed()));
        }
        Kind::Int64 => write_quoted(out, cursor.varint()?.cast_signed()),
        Kind::Uint64 => write_quoted(out, cursor.varint()?),
        Kind::Fixed32 => {
            let bytes = cursor.take(4)?;
            write_number(out, bytes.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)));
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

fn write_number(out: &mut Text, number: impl Serialize) {
    // Neither a number nor a vector has a reason to fail.
    let _ = serde_json::to_writer(&mut **out, &number);
}

/// 64-bit integers are strings: JavaScript's numbers do not hold them.
fn write_quoted(out: &mut Text, number: impl Serialize) {
    out.push(b'"');
    write_number(out, number);
    out.push(b'"');
}

fn write_double(out: &mut Text, number: f64) {
    if number.is_finite() {
        return write_number(out, number);
    }
    out.extend_from_slice(match number {
        _ if number.is_nan() => b"\"NaN\"",
        _ if number > 0.0 => b"\"Infinity\"",
        _ => b"\"-Infinity\"",
    });
}
