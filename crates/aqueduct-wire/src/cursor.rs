//! Protobuf's wire format over a slice: keys, varints, lengths, and skipping what one does not know.

use crate::error::{Fault, InvalidKind};

/// How deep messages and groups may be nested, counted from the request's own fields as 1.
///
/// The limit of the protobuf runtimes for Java, C++ and Rust (prost). A deeper request would be refused by
/// them, together with everything that it was merged with. It also bounds our own recursion.
pub const MESSAGE_DEPTH: usize = 100;

pub(crate) const VARINT: u8 = 0;
pub(crate) const FIXED64: u8 = 1;
pub(crate) const LEN: u8 = 2;
pub(crate) const GROUP: u8 = 3;
pub(crate) const END_GROUP: u8 = 4;
pub(crate) const FIXED32: u8 = 5;

/// The unread rest of a message. Copying it is remembering a place.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(crate) fn new(rest: &'a [u8]) -> Cursor<'a> {
        Cursor { rest }
    }

    #[inline(always)]
    pub(crate) fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    /// An error at the place where the cursor is.
    #[cold]
    pub(crate) fn fault(self, kind: InvalidKind) -> Fault {
        Fault::at(kind, self.rest)
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, Fault> {
        match *self.rest {
            [b0, ref rest @ ..] if b0 < 0x80 => {
                self.rest = rest;
                Ok(u64::from(b0))
            }
            [b0, b1, ref rest @ ..] if b1 < 0x80 => {
                self.rest = rest;
                Ok(u64::from(b0 & 0x7f) | u64::from(b1) << 7)
            }
            _ => {
                let (value, rest) = long_varint(self.rest)?;
                self.rest = rest;
                Ok(value)
            }
        }
    }

    /// Field number and wire type.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<(u32, u8), Fault> {
        let before = *self;
        let key = self.varint()?;
        match u32::try_from(key) {
            Ok(key) if key >= 8 && key & 7 <= 5 => Ok((key >> 3, (key & 7) as u8)),
            _ => Err(before.fault(InvalidKind::Key)),
        }
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.fault(InvalidKind::Truncated)),
        }
    }

    /// A length and so many bytes.
    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let before = *self;
        let len = self.varint()?;
        match usize::try_from(len) {
            Ok(len) if len <= self.rest.len() => {
                let (taken, rest) = self.rest.split_at(len);
                self.rest = rest;
                Ok(taken)
            }
            _ => Err(before.fault(InvalidKind::Length)),
        }
    }

    /// Steps over the value of a field whose key was just read. `depth` is how many more levels may be
    /// entered; an unknown field needs one, as in prost.
    #[inline]
    pub(crate) fn skip(&mut self, number: u32, wire: u8, depth: usize) -> Result<(), Fault> {
        if depth == 0 {
            return Err(self.fault(InvalidKind::Depth));
        }
        match wire {
            VARINT => self.varint().map(drop),
            FIXED64 => self.take(8).map(drop),
            LEN => self.bytes().map(drop),
            FIXED32 => self.take(4).map(drop),
            GROUP => {
                *self = skip_group(*self, number, depth)?;
                Ok(())
            }
            _ => Err(self.fault(InvalidKind::Group)),
        }
    }
}

// The two that are not inlined take the cursor by value: one whose address is taken lives in memory, and
// costs every field a few cycles.

/// Ten bytes at most, and the tenth holds one bit, as 9 * 7 + 1 = 64.
#[inline(never)]
fn long_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            if at == 9 && byte > 1 {
                return Err(Fault::at(InvalidKind::Varint, bytes));
            }
            return Ok((value, &bytes[at + 1..]));
        }
    }
    Err(Fault::at(if bytes.len() < 10 { InvalidKind::Truncated } else { InvalidKind::Varint }, bytes))
}

/// Iterative, with the numbers of the open groups on the side: depth costs no stack of ours.
#[cold]
#[inline(never)]
fn skip_group(mut cursor: Cursor<'_>, number: u32, depth: usize) -> Result<Cursor<'_>, Fault> {
    debug_assert!(depth <= MESSAGE_DEPTH);
    let mut open = [0_u32; MESSAGE_DEPTH];
    open[0] = number;
    let mut level = 1;
    while level > 0 {
        let before = cursor;
        if cursor.is_empty() {
            return Err(cursor.fault(InvalidKind::Truncated));
        }
        let (inner, wire) = cursor.key()?;
        match wire {
            GROUP if level < depth => {
                open[level] = inner;
                level += 1;
            }
            // A field inside of a group is one level further down, like a message's.
            VARINT | FIXED64 | LEN | FIXED32 if level < depth => cursor.skip(inner, wire, 1)?,
            END_GROUP if inner == open[level - 1] => level -= 1,
            END_GROUP => return Err(before.fault(InvalidKind::Group)),
            _ => return Err(before.fault(InvalidKind::Depth)),
        }
    }
    Ok(cursor)
}
