//! The attributes of one message while they are edited.
//!
//! What a change does to a message depends on little of it: where the first attribute with the key is, and
//! whether there are more. So nothing is remembered of other fields, and of attributes only so many that what lies between those
//! that are changed need not be read twice; beyond that it is. What a message of millions of fields costs is time.

use super::inner::{key_of, next_of, tag};
use super::kept::Kept;
use super::{Action, Change, Edit};
use crate::cursor::{Cursor, LEN};
use crate::error::{Fault, InvalidKind};
use crate::fields::{Fields, Place};
use crate::rope::Rope;
use crate::schema::{DESCRIBED_BY, Level, RESOURCE_ATTRIBUTES, SCOPE_ATTRIBUTES};

/// How many attributes with keys of the changes are remembered: 1.5 KiB.
const MARKS: usize = 64;

/// The edited attributes of a message.
pub(super) struct Attributes<'a> {
    request: &'a [u8],
    changes: &'a [Change],
    /// The field that attributes are.
    number: u32,
    keys: Vec<Key<'a>>,
    /// The first attributes with these keys, in order.
    marks: Vec<Mark>,
    /// Where those after the marks begin.
    unmarked: usize,
    /// In how many pieces the message is there.
    pieces: usize,
    /// Attributes after those that were there, with the place of their key in `keys`.
    added: Vec<(usize, Pair<'a>)>,
    /// What hashing made.
    made: Vec<u8>,
}

/// Attributes with one key.
struct Key<'a> {
    name: &'a str,
    first: Option<Place>,
    /// Whether there are others.
    again: bool,
    /// What becomes of the first one.
    fate: Fate<'a>,
    /// Whether the others go.
    alone: bool,
}

#[derive(Copy, Clone, Debug)]
struct Mark {
    whole: Place,
    key: usize,
}

#[derive(Copy, Clone, Debug)]
enum Fate<'a> {
    Kept,
    Replaced(Pair<'a>),
    Removed,
}

/// A `KeyValue` after its length.
#[derive(Copy, Clone, Debug)]
enum Pair<'a> {
    /// Of a change.
    Given(&'a [u8]),
    /// Of what was made.
    #[cfg(feature = "hash")]
    Made(Place),
}

impl<'a> Attributes<'a> {
    pub(super) fn new(request: &'a [u8], edit: &'a Edit) -> Attributes<'a> {
        Attributes {
            request,
            changes: &edit.changes,
            number: 0,
            keys: edit.keys.iter().map(|name| Key::new(name)).collect(),
            marks: Vec::new(),
            unmarked: usize::MAX,
            pieces: 0,
            added: Vec::new(),
            made: Vec::new(),
        }
    }

    /// Appends the content of a message, edited, whose attributes are field `number`, below 16. False and nothing if it is the
    /// same.
    pub(super) fn message(&mut self, rope: &mut Rope, body: Place, number: u32) -> Result<bool, Fault> {
        self.clear(number);
        self.read(body)?;
        let differs = self.change();
        if differs {
            self.append(body, &mut 0, rope)?;
            self.append_added(rope);
        }
        Ok(differs)
    }

    /// Appends the content of a message with the messages of its field `number`, below 16, edited, whose attributes are field
    /// `inner`. False and nothing of use if it is the same.
    pub(super) fn within(
        &mut self,
        rope: &mut Rope,
        body: Place,
        number: u32,
        inner: u32,
    ) -> Result<bool, Fault> {
        let mut kept = Kept::new(self.request, body);
        let mut changed = false;
        let mut cursor = Cursor::new(&self.request[body.range()]);
        while let Some((whole, content)) = next_of(&mut cursor, body.end, number)? {
            self.clear(inner);
            self.read(content)?;
            if self.change() {
                changed = true;
                kept.cut(whole, rope);
                let open = rope.open();
                self.append(content, &mut 0, rope)?;
                self.append_added(rope);
                rope.close(open, tag(number));
            }
        }
        kept.finish(rope);
        Ok(changed)
    }

    /// Appends the content of a record or scope with its resource or scope edited. False and nothing of use
    /// if it is the same.
    pub(super) fn described(&mut self, rope: &mut Rope, body: Place, level: Level) -> Result<bool, Fault> {
        self.clear(if level == Level::Record { RESOURCE_ATTRIBUTES } else { SCOPE_ATTRIBUTES });
        let mut fields = Fields::new(self.request, body, level);
        while let Some(field) = fields.next()? {
            if field.number == DESCRIBED_BY {
                self.read(self.content(field.whole)?)?;
            }
        }
        if !self.change() {
            return Ok(false);
        }
        if self.pieces == 0 {
            let open = rope.open();
            self.append_added(rope);
            rope.close(open, tag(DESCRIBED_BY));
        }
        let (mut piece, mut mark) = (0, 0);
        let mut fields = Fields::new(self.request, body, level);
        while let Some(field) = fields.next()? {
            if field.number != DESCRIBED_BY {
                rope.keep(field.whole);
                continue;
            }
            let open = rope.open();
            let content = self.content(field.whole)?;
            let mut differs = self.append(content, &mut mark, rope)?;
            piece += 1;
            if piece == self.pieces && !self.added.is_empty() {
                differs = true;
                self.append_added(rope);
            }
            if differs {
                rope.close(open, tag(DESCRIBED_BY));
            } else {
                rope.discard(open);
                rope.keep(field.whole);
            }
        }
        Ok(true)
    }
}

impl<'a> Attributes<'a> {
    /// Forgets everything, for a message whose attributes are field `number`.
    fn clear(&mut self, number: u32) {
        self.number = number;
        for key in &mut self.keys {
            *key = Key::new(key.name);
        }
        self.marks.clear();
        self.unmarked = usize::MAX;
        self.pieces = 0;
        self.added.clear();
        self.made.clear();
    }

    /// The content of a field that is a message.
    fn content(&self, whole: Place) -> Result<Place, Fault> {
        let mut cursor = Cursor::new(&self.request[whole.range()]);
        let at_key = cursor;
        if cursor.key()?.1 != LEN {
            return Err(at_key.fault(InvalidKind::WireType));
        }
        let len = cursor.bytes()?.len();
        Ok(Place { start: whole.end - len, end: whole.end })
    }

    /// Reads a piece of the message.
    fn read(&mut self, body: Place) -> Result<(), Fault> {
        self.pieces += 1;
        let mut cursor = Cursor::new(&self.request[body.range()]);
        while let Some(mark) = self.next(&mut cursor, body.end)? {
            let key = &mut self.keys[mark.key];
            if key.first.is_none() {
                key.first = Some(mark.whole);
            } else {
                key.again = true;
            }
            if self.marks.len() < MARKS {
                self.marks.push(mark);
            } else {
                self.unmarked = self.unmarked.min(mark.whole.start);
            }
        }
        Ok(())
    }

    /// The next attribute with one of the keys, in a piece that ends at `end`.
    fn next(&self, cursor: &mut Cursor<'a>, end: usize) -> Result<Option<Mark>, Fault> {
        while let Some((whole, content)) = next_of(cursor, end, self.number)? {
            let name = key_of(&self.request[content.range()])?;
            if let Some(key) = self.keys.iter().position(|key| key.name.as_bytes() == name) {
                return Ok(Some(Mark { whole, key }));
            }
        }
        Ok(None)
    }

    /// Makes the changes to what was read. False if it stays the same.
    fn change(&mut self) -> bool {
        for change in self.changes {
            let key = change.key;
            match &change.action {
                Action::Delete => drop(self.set(key, None)),
                Action::Update(pair) => drop(self.set(key, Some(Pair::Given(pair)))),
                Action::Upsert(pair) => {
                    if !self.set(key, Some(Pair::Given(pair))) {
                        self.added.push((key, Pair::Given(pair)));
                    }
                }
                Action::Insert(pair) => {
                    if !self.keys[key].is_there() && !self.added.iter().any(|(added, _)| *added == key) {
                        self.added.push((key, Pair::Given(pair)));
                    }
                }
                #[cfg(feature = "hash")]
                Action::Hash => self.hash(key),
            }
        }
        !self.added.is_empty() || self.keys.iter().any(Key::differs)
    }

    /// Gives the first attribute with this key the new value, or none, and removes the others. False if there
    /// was none.
    fn set(&mut self, key: usize, value: Option<Pair<'a>>) -> bool {
        if self.keys[key].is_there() {
            let fate = match value {
                Some(pair) if self.is_first(key, pair) => Fate::Kept,
                Some(pair) => Fate::Replaced(pair),
                None => Fate::Removed,
            };
            self.keys[key].fate = fate;
            self.keys[key].alone = true;
            return true;
        }
        // An attribute is added only where there was none with its key, and so only once.
        let Some(at) = self.added.iter().position(|(added, _)| *added == key) else { return false };
        match value {
            Some(pair) => self.added[at].1 = pair,
            None => drop(self.added.remove(at)),
        }
        true
    }

    /// Whether the first attribute with the key already is this one.
    fn is_first(&self, key: usize, pair: Pair<'a>) -> bool {
        let first = self.keys[key].first.map(|whole| &self.request[whole.range()]);
        first.and_then(|first| first.strip_prefix(&[tag(self.number)])) == Some(self.bytes(pair))
    }

    #[cfg(feature = "hash")]
    fn hash(&mut self, key: usize) {
        let now = match (self.keys[key].first, self.keys[key].fate) {
            (Some(whole), Fate::Kept) => {
                self.content(whole).ok().map(|content| &self.request[content.range()])
            }
            (Some(_), Fate::Replaced(pair)) => content_of(self.bytes(pair)),
            _ => {
                let added = self.added.iter().find(|(added, _)| *added == key);
                added.and_then(|(_, pair)| content_of(self.bytes(*pair)))
            }
        };
        if let Some(now) = now {
            let digits = super::hash::digits(crate::view::KeyValue::new(now).value());
            let text = digits.as_ref().map_or("", |digits| core::str::from_utf8(digits).unwrap_or_default());
            let start = self.made.len();
            self.made.extend(super::pair(self.keys[key].name, text.into()));
            let end = self.made.len();
            self.set(key, Some(Pair::Made(Place { start, end })));
        }
    }

    fn bytes(&self, pair: Pair<'a>) -> &[u8] {
        match pair {
            Pair::Given(bytes) => bytes,
            #[cfg(feature = "hash")]
            Pair::Made(place) => &self.made[place.range()],
        }
    }

    /// Appends the content of a piece, the pieces in order, with `mark` from 0 on; without what was added. False if it is the
    /// same.
    fn append(&self, body: Place, mark: &mut usize, rope: &mut Rope) -> Result<bool, Fault> {
        let mut kept = Kept::new(self.request, body);
        let mut differs = false;
        while let Some(next) = self.marks.get(*mark).filter(|next| next.whole.end <= body.end) {
            differs |= self.append_marked(*next, &mut kept, rope);
            *mark += 1;
        }
        if self.unmarked < body.end {
            let rest = Place { start: body.start.max(self.unmarked), end: body.end };
            let mut cursor = Cursor::new(&self.request[rest.range()]);
            while let Some(next) = self.next(&mut cursor, body.end)? {
                differs |= self.append_marked(next, &mut kept, rope);
            }
        }
        kept.finish(rope);
        Ok(differs)
    }

    /// Appends what is before an attribute and what becomes of it, unless it is kept. Whether it is not.
    fn append_marked(&self, mark: Mark, kept: &mut Kept<'a>, rope: &mut Rope) -> bool {
        let key = &self.keys[mark.key];
        let fate = match key.first {
            Some(first) if first == mark.whole => key.fate,
            _ if key.alone => Fate::Removed,
            _ => Fate::Kept,
        };
        match fate {
            Fate::Kept => return false,
            Fate::Replaced(pair) => {
                kept.cut(mark.whole, rope);
                self.append_pair(pair, rope);
            }
            Fate::Removed => kept.cut(mark.whole, rope),
        }
        true
    }

    fn append_added(&self, rope: &mut Rope) {
        for (_, pair) in &self.added {
            self.append_pair(*pair, rope);
        }
    }

    fn append_pair(&self, pair: Pair<'a>, rope: &mut Rope) {
        rope.write(&[tag(self.number)]);
        rope.write(self.bytes(pair));
    }
}

impl<'a> Key<'a> {
    fn new(name: &'a str) -> Key<'a> {
        Key { name, first: None, again: false, fate: Fate::Kept, alone: false }
    }

    /// Whether the first attribute is there, and not removed.
    fn is_there(&self) -> bool {
        self.first.is_some() && !matches!(self.fate, Fate::Removed)
    }

    fn differs(&self) -> bool {
        self.alone && self.again || !matches!(self.fate, Fate::Kept)
    }
}

/// The content of a message after its length.
#[cfg(feature = "hash")]
fn content_of(pair: &[u8]) -> Option<&[u8]> {
    Cursor::new(pair).bytes().ok()
}
