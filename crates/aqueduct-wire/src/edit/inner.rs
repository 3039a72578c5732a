//! Fields of the messages that are edited, as places in the request.

pub(super) use crate::schema::message_key as tag;

use crate::cursor::{Cursor, LEN, MESSAGE_DEPTH};
use crate::error::Fault;
use crate::fields::Place;
use crate::schema::numbers::key_value;

const SHORT_KEY: u8 = tag(key_value::KEY);
const SHORT_VALUE: u8 = tag(key_value::VALUE);

/// The next field `number` that has a length, in a message that ends at `end`: all of it, and its content.
#[inline]
pub(super) fn next_of(
    cursor: &mut Cursor<'_>,
    end: usize,
    number: u32,
) -> Result<Option<(Place, Place)>, Fault> {
    while !cursor.is_empty() {
        let start = end - cursor.rest.len();
        // Most fields are short and have a short key.
        if let [key, len @ ..0x80, rest @ ..] = cursor.rest
            && key & 0x87 == LEN
            && u32::from(key >> 3) != number
            && key >> 3 != 0
            && let Some(rest) = rest.get(usize::from(*len)..)
        {
            cursor.rest = rest;
            continue;
        }
        let (found, wire) = cursor.key()?;
        if found == number && wire == LEN {
            let len = cursor.bytes()?.len();
            let end = end - cursor.rest.len();
            return Ok(Some((Place { start, end }, Place { start: end - len, end })));
        }
        cursor.skip(found, wire, MESSAGE_DEPTH)?;
    }
    Ok(None)
}

/// The key of a `KeyValue`: the last value of its field, or else empty.
#[inline]
pub(super) fn key_of(pair: &[u8]) -> Result<&[u8], Fault> {
    // Nearly all attributes are a key and a value, each once and short.
    if let [SHORT_KEY, len @ ..0x80, rest @ ..] = pair
        && let Some((key, [SHORT_VALUE, len @ ..0x80, value @ ..])) = rest.split_at_checked(usize::from(*len))
        && value.len() == usize::from(*len)
    {
        return Ok(key);
    }
    last_key_of(pair)
}

#[cold]
#[inline(never)]
fn last_key_of(pair: &[u8]) -> Result<&[u8], Fault> {
    let mut cursor = Cursor::new(pair);
    let mut key = &pair[..0];
    while let Some((_, content)) = next_of(&mut cursor, pair.len(), key_value::KEY)? {
        key = &pair[content.range()];
    }
    Ok(key)
}

/// The next field that has a length: number, all of it, and its content.
pub(super) fn next(cursor: &mut Cursor<'_>, end: usize) -> Result<Option<(u32, Place, Place)>, Fault> {
    while !cursor.is_empty() {
        let start = end - cursor.rest.len();
        let (number, wire) = cursor.key()?;
        if wire == LEN {
            let len = cursor.bytes()?.len();
            let end = end - cursor.rest.len();
            return Ok(Some((number, Place { start, end }, Place { start: end - len, end })));
        }
        cursor.skip(number, wire, MESSAGE_DEPTH)?;
    }
    Ok(None)
}
