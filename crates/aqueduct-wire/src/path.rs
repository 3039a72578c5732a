//! From the address of a fault to an error for people: a second, slow walk.

use crate::Signal;
use crate::cursor::{Cursor, FIXED32, FIXED64, LEN, VARINT};
use crate::error::{Fault, Invalid, InvalidKind};
use crate::schema::{self, Kind, Message};

/// Names in a path beyond this many are left out: they repeat `value.array_value.values`.
const MAX_NAMES: usize = 16;

/// Finds the offset of a fault and the names of the fields around it.
#[cold]
#[inline(never)]
pub(crate) fn locate(signal: Signal, request: &[u8], fault: Fault) -> Invalid {
    let offset = fault.offset_in(request);
    let mut path = String::new();
    let mut names = 0;
    let (mut message, mut body, mut start) = (schema::request(signal), request, 0);
    while let Some(around) = field_at(message, body, offset - start, fault.kind) {
        if names == MAX_NAMES {
            path.push_str(".…");
            break;
        }
        if names > 0 {
            path.push('.');
        }
        names += 1;
        match message.field(around.number) {
            Some(field) => {
                path.push_str(field.name);
                match (field.kind, around.content) {
                    (Kind::Message(child), Some(at)) => {
                        (message, body, start) = (child, around.body, start + at)
                    }
                    _ => break,
                }
            }
            None => {
                path.push_str(&around.number.to_string());
                break;
            }
        }
    }
    Invalid { kind: fault.kind, offset, path: path.into(), limit: None }
}

/// The field that holds a place.
struct Around<'a> {
    number: u32,
    body: &'a [u8],
    /// Where `body` starts in the message, if the place lies inside of it.
    content: Option<usize>,
}

/// The field of `message` that the byte `offset` of its body belongs to; `None` if the place is the message
/// itself.
fn field_at<'a>(message: &Message, body: &'a [u8], offset: usize, kind: InvalidKind) -> Option<Around<'a>> {
    // These are about a message as a whole, which is where its content starts.
    let whole = matches!(
        kind,
        InvalidKind::MissingId
            | InvalidKind::Items
            | InvalidKind::Envelopes
            | InvalidKind::Depth
            | InvalidKind::Attributes
            | InvalidKind::RecordBytes
    ) && offset == 0;
    if whole {
        return None;
    }
    let mut cursor = Cursor::new(body);
    while !cursor.is_empty() {
        let (number, wire) = cursor.key().ok()?;
        let after_key = body.len() - cursor.rest.len();
        let (content, value) = match wire {
            LEN => match cursor.bytes() {
                Ok(content) => (body.len() - cursor.rest.len() - content.len(), content),
                // The length is what is wrong.
                Err(_) => return Some(Around { number, body: &[], content: None }),
            },
            VARINT | FIXED64 | FIXED32 if message.field(number).is_some() || offset > after_key => {
                match cursor.skip(number, wire, 1) {
                    Ok(()) => (after_key, &[][..]),
                    Err(_) => return Some(Around { number, body: &[], content: None }),
                }
            }
            _ => match cursor.skip(number, wire, crate::MESSAGE_DEPTH) {
                Ok(()) => (after_key, &[][..]),
                Err(_) => return Some(Around { number, body: &[], content: None }),
            },
        };
        let end = body.len() - cursor.rest.len();
        // An id may be wrong by being empty, at the very end of everything around it. No field ends where
        // the content of another one starts: there is a key between them.
        if offset < end || offset == end && wire == LEN && kind == InvalidKind::IdLength {
            let inside = wire == LEN && offset >= content;
            return Some(Around { number, body: value, content: inside.then_some(content) });
        }
    }
    None
}
