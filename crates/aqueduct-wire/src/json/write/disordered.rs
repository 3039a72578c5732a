//! Messages whose fields are in any order, there more than once, or alternatives of each other.

use super::value::{write_elements, write_value};
use super::{Text, write_key};
use crate::cursor::{Cursor, MESSAGE_DEPTH};
use crate::error::{Fault, InvalidKind};
use crate::schema::{Field, Form, Kind, Message};

/// Where the values of a field are in its message: from the key of the first one to the key of the last one.
#[derive(Copy, Clone, Default)]
struct Found {
    count: usize,
    first: usize,
    last: usize,
}

pub(super) fn write_message(out: &mut Text, message: &'static Message, body: &[u8]) -> Result<(), Fault> {
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
    out.push(b'{');
    for field in message.fields {
        let found = found[usize::from(field.number)];
        if found.count == 0 || field.form == Form::Either && field.number != last_either {
            continue;
        }
        write_key(out, field);
        write_field(out, field, found, body)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_field(out: &mut Text, field: &Field, found: Found, body: &[u8]) -> Result<(), Fault> {
    let is_list = field.form == Form::List;
    let is_merged = found.count > 1 && matches!(field.kind, Kind::Message(_));
    if !(is_list || is_merged) {
        let mut cursor = Cursor::new(&body[found.last..]);
        cursor.key()?;
        return write_value(out, field.kind, &mut cursor);
    }
    let mut merged = Vec::new();
    if is_list {
        out.push(b'[');
    }
    let mut cursor = Cursor::new(&body[found.first..]);
    while !cursor.is_empty() {
        let (number, wire) = cursor.key()?;
        if number != u32::from(field.number) {
            cursor.skip(number, wire, MESSAGE_DEPTH)?;
        } else if is_list {
            write_elements(out, field.kind, wire, &mut cursor)?;
        } else {
            // A message that is there more than once: the concatenation of its parts is their merge.
            merged.extend_from_slice(cursor.bytes()?);
        }
    }
    if is_list {
        out.push(b']');
    } else if let Kind::Message(message) = field.kind {
        // Each level of messages in pieces has a copy of its own.
        let left = out.joinable.checked_sub(merged.len());
        out.joinable = left.ok_or_else(|| Fault::at(InvalidKind::Depth, body))?;
        super::write_message(out, message, &merged)?;
        out.joinable += merged.len();
    }
    Ok(())
}
