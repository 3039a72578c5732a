//! The content of a message that is written anew except for some of its fields.

use crate::fields::Place;
use crate::rope::Rope;

/// Stretches shorter than this are copied at once. To remember where one is takes 24 bytes, and up to 16 KiB are copied in the
/// end anyway.
const SMALL: usize = 64;

/// What is kept of the content of a message, from its start to its end.
#[derive(Copy, Clone, Debug)]
pub(super) struct Kept<'a> {
    request: &'a [u8],
    /// How far it was appended or cut out.
    from: usize,
    end: usize,
}

impl<'a> Kept<'a> {
    /// All of `body` for now.
    pub(super) fn new(request: &'a [u8], body: Place) -> Kept<'a> {
        Kept { request, from: body.start, end: body.end }
    }

    /// Appends what is before the field, which is cut out.
    pub(super) fn cut(&mut self, field: Place, rope: &mut Rope) {
        let before = Place { start: self.from, end: field.start };
        if before.len() < SMALL {
            rope.write(&self.request[before.range()]);
        } else {
            rope.keep(before);
        }
        self.from = field.end;
    }

    /// Appends what is left.
    pub(super) fn finish(mut self, rope: &mut Rope) {
        self.cut(Place { start: self.end, end: self.end }, rope);
    }
}
