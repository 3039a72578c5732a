//! From protobuf to JSON.

mod disordered;
mod value;

use super::JsonError;
use super::escape::into_string;
use crate::cursor::{Cursor, MESSAGE_DEPTH};
use crate::error::Fault;
use crate::schema::{self, Field, Form, Message};
use crate::{Limits, Signal, validate};
use core::ops::{Deref, DerefMut};
use value::{write_elements, write_value};

/// Writes an export request as JSON, on one line.
///
/// What is not on the wire is left out, as are unknown fields, which JSON has no name for.
///
/// # Errors
///
/// If the bytes are not valid; they are validated first, without limits.
///
/// # Allocation
///
/// The result. A message whose parts are scattered is put together first; where such messages are in one another, that takes up to
/// four times the request, and what would take more is refused as nested too deeply.
pub fn from_protobuf(signal: Signal, bytes: &[u8]) -> Result<String, JsonError> {
    validate(signal, bytes, &Limits::NONE).map_err(JsonError::Protobuf)?;
    // Usually a little less.
    let mut out =
        Text { bytes: Vec::with_capacity(bytes.len() / 2 * 5), joinable: bytes.len().saturating_mul(4) };
    match write_message(&mut out, schema::request(signal), bytes) {
        Ok(()) => Ok(into_string(out.bytes)),
        Err(fault) => Err(JsonError::Protobuf(crate::path::locate(signal, bytes, fault))),
    }
}

/// What is being written.
struct Text {
    bytes: Vec<u8>,
    /// How many bytes of scattered messages may still be put together at a time.
    joinable: usize,
}

impl Deref for Text {
    type Target = Vec<u8>;

    #[inline]
    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Text {
    #[inline]
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

fn write_message(out: &mut Text, message: &'static Message, body: &[u8]) -> Result<(), Fault> {
    if is_ordered(message, body)? {
        write_ordered(out, message, body)
    } else {
        disordered::write_message(out, message, body)
    }
}

/// Whether the known fields are in the order of their numbers, and those that have one value are there once, which is
/// what encoders write.
fn is_ordered(message: &'static Message, body: &[u8]) -> Result<bool, Fault> {
    let mut cursor = Cursor::new(body);
    let mut fields = message.fields;
    let mut either = false;
    while !cursor.is_empty() {
        let (number, wire) = cursor.key()?;
        cursor.skip(number, wire, MESSAGE_DEPTH)?;
        let Some(at) = find(fields, number) else {
            if message.field(number).is_some() {
                return Ok(false);
            }
            continue;
        };
        let form = fields[at].form;
        if form == Form::Either && either {
            return Ok(false);
        }
        either |= form == Form::Either;
        fields = &fields[at + usize::from(form != Form::List)..];
    }
    Ok(true)
}

/// Where the field of this number is. They are sorted.
#[inline]
fn find(fields: &[Field], number: u32) -> Option<usize> {
    let at = fields.iter().position(|field| u32::from(field.number) >= number)?;
    (u32::from(fields[at].number) == number).then_some(at)
}

/// Front to back.
fn write_ordered(out: &mut Text, message: &'static Message, body: &[u8]) -> Result<(), Fault> {
    out.push(b'{');
    let mut fields = message.fields;
    let mut cursor = Cursor::new(body);
    // The number of the list that is not closed.
    let mut list = 0;
    while !cursor.is_empty() {
        let (number, wire) = cursor.key()?;
        let Some(at) = find(fields, number) else {
            cursor.skip(number, wire, MESSAGE_DEPTH)?;
            continue;
        };
        fields = &fields[at..];
        let field = &fields[0];
        if number == list {
            write_elements(out, field.kind, wire, &mut cursor)?;
            continue;
        }
        if list != 0 {
            out.push(b']');
            list = 0;
        }
        write_key(out, field);
        if field.form == Form::List {
            out.push(b'[');
            list = number;
            write_elements(out, field.kind, wire, &mut cursor)?;
        } else {
            write_value(out, field.kind, &mut cursor)?;
        }
    }
    if list != 0 {
        out.push(b']');
    }
    out.push(b'}');
    Ok(())
}

fn write_key(out: &mut Text, field: &Field) {
    write_comma(out);
    out.extend_from_slice(field.camel_case.as_key());
}

/// A comma, unless what follows is the first in its object or list.
#[inline]
fn write_comma(out: &mut Text) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}
