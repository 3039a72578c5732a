//! The fast path for runs of attributes, which are most of what telemetry consists of.
//!
//! Nearly every attribute that an SDK writes has one shape: lengths of one byte, the key before the value,
//! and a string, an integer, a double or a boolean as the value. Such a record is recognized with two loads
//! and a handful of compares. Its strings are not looked at one by one: keys, lengths and short strings of
//! a run lie side by side, and if no byte of the whole stretch has its highest bit set, then all of its
//! strings are ASCII. Anything else goes the ordinary way, record by record.

use super::{Levels, Validator, text};
use crate::cursor::Cursor;
use crate::error::Fault;
use crate::schema::KEY_VALUE;
use crate::utf8::is_ascii;

/// A record of the usual shape.
#[derive(Copy, Clone, Debug)]
struct Usual<'a> {
    /// Everything from the key of the `KeyValue`'s second field on: at least four bytes.
    value: &'a [u8],
    /// Whether the value is a number with bytes that are not ASCII.
    number: bool,
    /// What follows the record.
    next: &'a [u8],
}

impl Validator {
    /// Checks the attributes that `start` begins with; all have the one-byte key `key`. Returns what
    /// follows them; how many there were is in `run`.
    #[inline(never)]
    pub(super) fn attributes<'a>(
        &mut self,
        start: &'a [u8],
        key: u8,
        levels: Levels,
    ) -> Result<&'a [u8], Fault> {
        let fast = levels.left >= 2 && (levels.values as usize) < self.max_depth;
        let mut rest = start;
        // From here to `rest` the structure is known to be good, the text is not yet.
        let mut unread = start;
        let mut run = 0;
        while rest.first() == Some(&key) {
            run += 1;
            match usual(rest) {
                Some(record) if fast => {
                    if record.number {
                        check_text(unread, record.value.len() + record.next.len(), record.next.len())?;
                        unread = record.next;
                    }
                    rest = record.next;
                }
                _ => {
                    check_text(unread, rest.len(), rest.len())?;
                    rest = self.attribute(rest, levels)?;
                    unread = rest;
                }
            }
        }
        check_text(unread, rest.len(), rest.len())?;
        // Only now: the attributes above may hold lists of their own.
        self.run = run;
        Ok(rest)
    }

    /// One attribute of any shape.
    #[inline(never)]
    fn attribute<'a>(&mut self, record: &'a [u8], levels: Levels) -> Result<&'a [u8], Fault> {
        let mut cursor = Cursor::new(record.get(1..).unwrap_or_default());
        let body = cursor.bytes()?;
        let inner = self.enter(body, &KEY_VALUE, levels)?;
        // Never deep: the values inside decide that for themselves, and this adds one level.
        self.message(body, &KEY_VALUE, inner)?;
        Ok(cursor.rest)
    }
}

/// Whether the record at the start of `rest` has the usual shape. Its first byte, the key, is not looked at.
#[inline(always)]
fn usual(rest: &[u8]) -> Option<Usual<'_>> {
    // The key and the length of the record, the key (field 1, a string) and the length of the attribute's
    // key.
    let head = u32::from_le_bytes(*rest.first_chunk::<4>()?);
    if head & 0x80ff_8000 != 0x000a_0000 {
        return None;
    }
    let (record, next) = rest.split_at_checked(2 + (head >> 8 & 0x7f) as usize)?;
    let value = record.get(4 + (head >> 24) as usize..)?;
    // Field 2, a message, its length, and in it the key of the one field and that field's first byte. The length follows from that of
    // the record, and so does that of a string: one compare for all four bytes. (They cannot run into each other: a record has less than 130 bytes.)
    let head = u32::from_le_bytes(*value.first_chunk::<4>()?);
    let len = value.len() as u32;
    let number = if head == 0x0a_0012 + ((len - 2) << 8) + ((len - 4) << 24) {
        false
    } else if head & 0xffff != 0x12 + ((len - 2) << 8) {
        return None;
    } else if head >> 16 & 0xf7 == 0x10 {
        // A boolean or an integer.
        if len == 4 && head >> 31 == 0 {
            false
        } else if is_varint(&value[3..]) {
            true
        } else {
            return None;
        }
    } else if head >> 16 & 0xff == 0x21 && len == 11 {
        true
    } else {
        return None;
    };
    Some(Usual { value, number, next })
}

/// Whether these bytes are one varint. Leaves those of ten bytes, negative numbers, to the ordinary way.
#[inline(always)]
fn is_varint(bytes: &[u8]) -> bool {
    match bytes {
        [a, b] => *a >= 0x80 && *b < 0x80,
        [a, b, c] => a & b >= 0x80 && *c < 0x80,
        [many @ .., last] if bytes.len() < 10 => {
            many.iter().fold(0x80, |all, byte| all & byte) == 0x80 && *last < 0x80
        }
        _ => false,
    }
}

/// Checks the text from the start of `unread` up to where `text_left` bytes are left of it; its last record
/// ends where `left` bytes are.
#[inline(always)]
fn check_text(unread: &[u8], text_left: usize, left: usize) -> Result<(), Fault> {
    if is_ascii(&unread[..unread.len() - text_left]) { Ok(()) } else { check_each(unread, left) }
}

/// Reads the strings of usual records one by one.
#[inline(never)]
fn check_each(mut records: &[u8], left: usize) -> Result<(), Fault> {
    while records.len() > left {
        let Some(record) = usual(records) else {
            break;
        };
        text(&records[4..records.len() - record.next.len() - record.value.len()])?;
        if record.value[2] == 0x0a {
            text(&record.value[4..])?;
        }
        records = record.next;
    }
    Ok(())
}
