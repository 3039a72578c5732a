//! The content of a message, in one piece or in several.

use super::fields::Fields;
use crate::cursor::{Cursor, FIXED64, LEN, MESSAGE_DEPTH, VARINT};
use core::fmt;

/// The content of a message: its fields, without the key and the length before them.
///
/// Nearly always one slice. Protobuf lets a message that is not in a list occur several times, though, and
/// what counts is then all of its pieces one after the other; they are found again by walking, so that
/// nothing is copied. Written one after the other, behind one key and one length, the pieces are the same
/// message again.
#[derive(Copy, Clone, Default)]
pub struct Body<'a> {
    /// The content; or, if `outer` is not 0, the part of the message around it that has the pieces.
    slice: &'a [u8],
    /// The pieces are in the fields of this number; or, if `inner` is not 0, in fields `inner` of those.
    ///
    /// Two levels are as many as there can be: a value may come in pieces, and the array in it too, but what
    /// is in the array is a list, whose elements are one slice each.
    outer: u8,
    inner: u8,
    /// How much of the first field `outer` is not to be looked at. (A message of protobuf has at most 2 GiB.)
    skip: u32,
}

impl<'a> Body<'a> {
    /// The content, if it is one slice.
    #[must_use]
    pub fn as_slice(&self) -> Option<&'a [u8]> {
        let mut pieces = self.pieces();
        let first = pieces.next();
        if pieces.next().is_none() { first } else { None }
    }

    /// The pieces, in order. At least one, which may be empty.
    #[must_use]
    pub fn pieces(&self) -> Pieces<'a> {
        let (first, later) = self.start();
        Pieces { first: Some(first), later }
    }

    /// Length of all pieces, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// Whether there are no bytes at all: a message with every field at its default.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces().all(<[u8]>::is_empty)
    }

    /// The content, if it is known to be one slice.
    #[inline(always)]
    pub(super) fn single(self) -> Option<&'a [u8]> {
        (self.outer == 0).then_some(self.slice)
    }

    /// The first piece, and where to look for more.
    #[inline(always)]
    pub(super) fn start(self) -> (&'a [u8], Later<'a>) {
        if self.outer == 0 { (self.slice, Later::default()) } else { self.start_pieces() }
    }

    #[cold]
    #[inline(never)]
    fn start_pieces(self) -> (&'a [u8], Later<'a>) {
        let Body { slice, outer, inner, skip } = self;
        let mut later = Later { outer, inner, rest: slice, around: slice, part: &[] };
        if inner != 0 {
            let part = find(&mut later.rest, outer).unwrap_or_default();
            later.part = part.get(skip as usize..).unwrap_or_default();
        }
        (later.next().unwrap_or_default(), later)
    }

    /// The content of the message in field `number`: its pieces begin at `from`, which is in the piece of this
    /// message that `later` stopped at.
    pub(super) fn of_pieces(from: &'a [u8], later: Later<'a>, number: u32) -> Body<'a> {
        let number = number as u8;
        if later.is_none() {
            return Body { slice: from, outer: number, inner: 0, skip: 0 };
        }
        debug_assert_eq!(later.inner, 0, "a third level");
        let mut around = later.around;
        let piece = find(&mut around, later.outer).unwrap_or_default();
        let skip = u32::try_from(piece.len() - from.len().min(piece.len())).unwrap_or(u32::MAX);
        Body { slice: later.around, outer: later.outer, inner: number, skip }
    }

    #[inline(always)]
    pub(super) fn fields(self) -> Fields<'a> {
        Fields::new(self)
    }

    /// The message in field `number`.
    pub(super) fn message(self, number: u32) -> Option<Body<'a>> {
        self.last_message(|found| found == number).map(|(_, body)| body)
    }

    /// Which of several messages that exclude each other (a `oneof`) counts, and its content: the last one.
    /// What came of it before another one is gone.
    pub(super) fn last_message(self, is_one: impl Fn(u32) -> bool) -> Option<(u32, Body<'a>)> {
        let (mut last, mut pieces, mut body) = (0, 0_usize, Body::default());
        let mut fields = self.fields();
        let mut first = fields;
        loop {
            let before = fields;
            let Some(field) = fields.next() else { break };
            if let Some(content) = field.bytes()
                && is_one(field.number)
            {
                if last != field.number {
                    (last, pieces) = (field.number, 0);
                }
                pieces += 1;
                if pieces == 1 {
                    (body, first) = (Body::from(content), before);
                }
            }
        }
        // Once, at the end: kinds that take turns must not be looked for each time.
        if pieces > 1 {
            body = first.body_from(last);
        }
        (pieces > 0).then_some((last, body))
    }
}

impl<'a> From<&'a [u8]> for Body<'a> {
    #[inline(always)]
    fn from(slice: &'a [u8]) -> Body<'a> {
        Body { slice, ..Body::default() }
    }
}

/// Without the bytes, which are the data of others.
impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.len())
    }
}

/// The pieces of a [`Body`].
#[derive(Clone)]
pub struct Pieces<'a> {
    first: Option<&'a [u8]>,
    later: Later<'a>,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.first.take().or_else(|| self.later.next())
    }
}

impl fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").finish_non_exhaustive()
    }
}

/// Where the further pieces of a message are: in fields `outer` of `rest`; or, if `inner` is not 0, in
/// fields `inner` of `part` and then of each field `outer` of `rest`.
#[derive(Copy, Clone, Default)]
pub(super) struct Later<'a> {
    part: &'a [u8],
    rest: &'a [u8],
    /// `rest` before the last piece was taken from it.
    around: &'a [u8],
    outer: u8,
    inner: u8,
}

impl<'a> Later<'a> {
    #[inline(always)]
    pub(super) fn is_none(self) -> bool {
        self.outer == 0
    }

    #[cold]
    #[inline(never)]
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        while !self.is_none() {
            if self.inner != 0
                && let Some(piece) = find(&mut self.part, self.inner)
            {
                return Some(piece);
            }
            self.around = self.rest;
            match find(&mut self.rest, self.outer) {
                Some(part) if self.inner != 0 => self.part = part,
                Some(piece) => return Some(piece),
                None => *self = Later::default(),
            }
        }
        None
    }
}

/// The content of the next field `number`, at most 15, in `rest`, which goes on behind it.
#[inline(always)]
pub(super) fn find<'a>(rest: &mut &'a [u8], number: u8) -> Option<&'a [u8]> {
    debug_assert!(number < 16, "its key has more than one byte");
    let usual_key = number << 3 | LEN;
    let mut cursor = Cursor::new(rest);
    while let [key, ref behind @ ..] = *cursor.rest {
        if key == usual_key {
            cursor.rest = behind;
        } else {
            let Ok((other, wire)) = cursor.key() else { break };
            // The usual ones are stepped over here, without a call.
            let stepped = match wire {
                LEN if other == u32::from(number) => None,
                LEN => Some(cursor.bytes().is_ok()),
                VARINT => Some(cursor.varint().is_ok()),
                FIXED64 => Some(cursor.take(8).is_ok()),
                _ => Some(cursor.skip(other, wire, MESSAGE_DEPTH).is_ok()),
            };
            match stepped {
                None => {}
                Some(true) => continue,
                Some(false) => break,
            }
        }
        let Ok(content) = cursor.bytes() else { break };
        *rest = cursor.rest;
        return Some(content);
    }
    *rest = &[];
    None
}
