//! Protobuf that is written front to back, though the length of a message stands before it.

use crate::cursor::{LEN, MESSAGE_DEPTH};
use crate::schema::Field;
use crate::varint;

/// The bytes so far, and what is expected of those to come.
///
/// A message gets room for its length when it is opened: as many bytes as the last one of its kind needed. Only where
/// that was wrong is the message moved, when it is closed.
pub(super) struct Output {
    bytes: Vec<u8>,
    /// How many bytes the last length took, by how many messages are around, of single fields and of lists.
    expected: [[u8; 2]; MESSAGE_DEPTH],
    /// How many messages are open, without the request.
    depth: usize,
}

/// A message that has been opened, and not closed.
#[derive(Copy, Clone)]
pub(super) struct Open {
    /// Where its length starts.
    at: usize,
    reserved: u8,
}

impl Output {
    /// For a text of so many bytes.
    pub(super) fn new(text_len: usize) -> Output {
        let mut expected = [[1; 2]; MESSAGE_DEPTH];
        // Protobuf is about half as long as its JSON, and the outer two messages often hold nearly all of it. They are
        // the ones that cost something to move.
        let most = varint_len(text_len / 3);
        expected[0][1] = most;
        expected[1][1] = most;
        Output { bytes: Vec::with_capacity(text_len / 2), expected, depth: 0 }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    #[inline]
    pub(super) fn varint(&mut self, value: u64) {
        varint::push(&mut self.bytes, value);
    }

    /// The key of a field.
    #[inline]
    pub(super) fn key(&mut self, field: &Field, wire: u8) {
        self.varint(u64::from(field.number) << 3 | u64::from(wire));
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A field that is a length and so many bytes.
    #[inline]
    pub(super) fn bytes(&mut self, field: &Field, bytes: &[u8]) {
        self.bytes.reserve(bytes.len() + 12);
        if field.number < 16 && bytes.len() < 0x80 {
            self.bytes.extend_from_slice(&[field.number << 3 | LEN, bytes.len() as u8]);
        } else {
            self.key(field, LEN);
            self.varint(bytes.len() as u64);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Starts a message, or a list of packed numbers. `None` if too many are open.
    #[inline]
    pub(super) fn open<const IN_LIST: bool>(&mut self, field: &Field) -> Option<Open> {
        let reserved = self.expected.get(self.depth)?[usize::from(IN_LIST)];
        self.depth += 1;
        self.key(field, LEN);
        let at = self.bytes.len();
        for _ in 0..reserved {
            self.bytes.push(0);
        }
        Some(Open { at, reserved })
    }

    /// Ends it.
    #[inline]
    pub(super) fn close<const IN_LIST: bool>(&mut self, open: Open) {
        self.depth -= 1;
        let len = self.bytes.len() - open.at - usize::from(open.reserved);
        if open.reserved == 1 && len < 0x80 {
            self.bytes[open.at] = len as u8;
        } else {
            let needed = self.close_long(open, len);
            self.expected[self.depth][usize::from(IN_LIST)] = needed;
        }
    }

    /// Writes a length for which the room may be too small or too large, and says what it needed.
    #[inline(never)]
    fn close_long(&mut self, open: Open, len: usize) -> u8 {
        let needed = varint_len(len);
        if needed != open.reserved {
            let (from, to) = (open.at + usize::from(open.reserved), open.at + usize::from(needed));
            self.bytes.resize(self.bytes.len().max(to + len), 0);
            self.bytes.copy_within(from..from + len, to);
            self.bytes.truncate(to + len);
        }
        let mut rest = len;
        for byte in &mut self.bytes[open.at..][..usize::from(needed)] {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.bytes[open.at + usize::from(needed) - 1] &= 0x7f;
        needed
    }
}

/// How many bytes a number takes as a varint.
fn varint_len(value: usize) -> u8 {
    varint::len(value as u64) as u8
}
