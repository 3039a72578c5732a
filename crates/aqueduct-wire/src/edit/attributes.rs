//! The attributes of one resource, scope or item while they are edited.

use super::value::key as tag;
use super::{Action, Change};
use crate::cursor::{Cursor, LEN, MESSAGE_DEPTH};
use crate::error::{Fault, InvalidKind};
use crate::fields::Place;
use crate::rope::Rope;
use crate::schema::KEY;

/// All fields of a message that has attributes, with what becomes of them.
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    request: &'a [u8],
    /// The field that attributes are.
    number: u32,
    /// Of all of its pieces in order.
    fields: Vec<Entry<'a>>,
    /// Where in `fields` each piece ends.
    ends: Vec<usize>,
    /// Attributes after those that were there: their keys, and the `KeyValue`s with their lengths.
    added: Vec<(&'a [u8], &'a [u8])>,
}

#[derive(Copy, Clone, Debug)]
struct Entry<'a> {
    whole: Place,
    /// `None` if the field is no attribute.
    key: Option<&'a [u8]>,
    fate: Fate<'a>,
}

#[derive(Copy, Clone, Debug)]
enum Fate<'a> {
    Kept,
    Replaced(&'a [u8]),
    Removed,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(request: &'a [u8]) -> Attributes<'a> {
        Attributes { request, number: 0, fields: Vec::new(), ends: Vec::new(), added: Vec::new() }
    }

    /// Forgets everything, for a message whose attributes are field `number`, below 16.
    pub(super) fn clear(&mut self, number: u32) {
        self.number = number;
        self.fields.clear();
        self.ends.clear();
        self.added.clear();
    }

    /// Reads a piece of the message, which is a field.
    pub(super) fn read_field(&mut self, whole: Place) -> Result<(), Fault> {
        let mut cursor = Cursor::new(&self.request[whole.range()]);
        let at_key = cursor;
        if cursor.key()?.1 != LEN {
            return Err(at_key.fault(InvalidKind::WireType));
        }
        let content = cursor.bytes()?;
        self.read(Place { start: whole.end - content.len(), end: whole.end })
    }

    /// Reads a piece of the message, by its content.
    pub(super) fn read(&mut self, body: Place) -> Result<(), Fault> {
        let mut cursor = Cursor::new(&self.request[body.range()]);
        while !cursor.is_empty() {
            let start = body.end - cursor.rest.len();
            let (number, wire) = cursor.key()?;
            let mut key = None;
            if number == self.number && wire == LEN {
                key = Some(key_of(cursor.bytes()?)?);
            } else {
                cursor.skip(number, wire, MESSAGE_DEPTH)?;
            }
            let whole = Place { start, end: body.end - cursor.rest.len() };
            self.fields.push(Entry { whole, key, fate: Fate::Kept });
        }
        self.ends.push(self.fields.len());
        Ok(())
    }

    /// In how many pieces the resource or scope is there.
    pub(super) fn pieces(&self) -> usize {
        self.ends.len()
    }

    /// Whether anything was changed.
    pub(super) fn differ(&self) -> bool {
        !self.added.is_empty() || self.fields.iter().any(|entry| !matches!(entry.fate, Fate::Kept))
    }

    pub(super) fn change(&mut self, change: &'a Change) {
        match &change.action {
            Action::Delete => drop(self.set(&change.key, None)),
            Action::Update(pair) => drop(self.set(&change.key, Some(pair))),
            Action::Upsert(pair) => {
                if !self.set(&change.key, Some(pair)) {
                    self.add(&change.key, pair);
                }
            }
            Action::Insert(pair) => {
                if !self.has(&change.key) {
                    self.add(&change.key, pair);
                }
            }
        }
    }

    fn has(&self, key: &[u8]) -> bool {
        self.fields.iter().any(|entry| entry.is(key)) || self.added.iter().any(|(added, _)| *added == key)
    }

    fn add(&mut self, key: &'a [u8], pair: &'a [u8]) {
        self.added.push((key, pair));
    }

    /// Gives the first attribute with this key the new value, or none, and removes the others. False if there
    /// was none.
    fn set(&mut self, key: &[u8], value: Option<&'a [u8]>) -> bool {
        let tag = tag(self.number);
        let mut new = value;
        let mut found = false;
        for entry in self.fields.iter_mut().filter(|entry| entry.is(key)) {
            found = true;
            entry.fate = match new.take() {
                Some(pair) if self.request[entry.whole.range()].strip_prefix(&[tag]) == Some(pair) => {
                    Fate::Kept
                }
                Some(pair) => Fate::Replaced(pair),
                None => Fate::Removed,
            };
        }
        // An attribute is added only where there was none with its key, and so only once.
        if let Some(at) = self.added.iter().position(|(added, _)| *added == key) {
            found = true;
            match new {
                Some(pair) => self.added[at].1 = pair,
                None => drop(self.added.remove(at)),
            }
        }
        found
    }

    /// Appends the content of a piece; that of the last one with what was added.
    pub(super) fn append_piece(&self, piece: usize, rope: &mut Rope) {
        let start = piece.checked_sub(1).map_or(0, |before| self.ends[before]);
        for entry in &self.fields[start..self.ends[piece]] {
            match entry.fate {
                Fate::Kept => rope.keep(entry.whole),
                Fate::Replaced(pair) => self.append(pair, rope),
                Fate::Removed => {}
            }
        }
        if piece + 1 == self.ends.len() {
            self.append_added(rope);
        }
    }

    pub(super) fn append_added(&self, rope: &mut Rope) {
        for (_, pair) in &self.added {
            self.append(pair, rope);
        }
    }

    fn append(&self, pair: &[u8], rope: &mut Rope) {
        rope.write(&[tag(self.number)]);
        rope.write(pair);
    }
}

impl Entry<'_> {
    /// Whether it is an attribute with this key, and still there.
    fn is(&self, key: &[u8]) -> bool {
        self.key == Some(key) && !matches!(self.fate, Fate::Removed)
    }
}

/// The key of a `KeyValue`: the last value of its field, or else empty.
fn key_of(pair: &[u8]) -> Result<&[u8], Fault> {
    let mut cursor = Cursor::new(pair);
    let mut key = &pair[..0];
    while !cursor.is_empty() {
        match cursor.key()? {
            (KEY, LEN) => key = cursor.bytes()?,
            (number, wire) => cursor.skip(number, wire, MESSAGE_DEPTH)?,
        }
    }
    Ok(key)
}
