//! Sorting items into requests of their own.

use crate::error::Fault;
use crate::fields::{Fields, Header, Place};
use crate::item::{Around, Described, Known};
use crate::path::locate;
use crate::rope::{Open, Rope};
use crate::schema::Level;
use crate::{Chunk, Invalid, Item, Merged};
use core::fmt;
use core::hash::Hash;
use core::iter::FusedIterator;
use std::collections::{HashMap, HashSet};

/// Makes a request for each key of the items, in the order in which the keys first occur: for each trace, for
/// each tenant.
///
/// Each request repeats the envelopes of its items: the resource, scope or metric, schema URLs, unknown
/// fields at every level, and of a metric's data what is not points. The items of a key keep their order, and
/// stay as they are encoded. If all have the same key, the request comes back as the very same bytes;
/// otherwise envelopes without items belong to no key and are left out, and so is the data of a metric that
/// data of another kind replaced (of a `oneof` the last member counts). A request without items has no keys,
/// and nothing comes of it.
///
/// An envelope is repeated for each key that has items in it, and so a large resource with many keys makes many
/// large requests: take them one by one, as they are made when they are asked for, or bound them with
/// [`group_by_at_most`] where the keys are chosen by others. Who groups by trace id lets the sender choose.
///
/// # Errors
///
/// If the structure down to the items is invalid, which that of a validated chunk never is.
///
/// # Allocation
///
/// 32 bytes for each item, and for each key and each envelope around items at most about 150 bytes, with a
/// copy of its fields if they do not lie side by side (lists grow by doubling). For each request as
/// [`split`](crate::split): they are made when they are asked for, so that an envelope of a thousand keys need not
/// be in memory as often, and an envelope of 16 KiB or more is shared by all of them.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::{Chunk, Limits, Signal, group_by};
/// use bytes::Bytes;
///
/// // Log records with the severity texts "A", "B" and "A", without trace ids.
/// let request = Bytes::from_static(b"\x0a\x11\x12\x0f\x12\x03\x1a\x01A\x12\x03\x1a\x01B\x12\x03\x1a\x01A");
/// let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
///
/// let by_trace: Vec<_> = group_by(&chunk, |record| record.trace_id().copied())?.collect();
/// assert_eq!(by_trace.len(), 1);
///
/// let by_text: Vec<_> = group_by(&chunk, |record| record.bytes().last().copied())?.collect();
/// assert_eq!((by_text[0].0, by_text[0].1.items()), (Some(b'A'), 2));
/// assert_eq!((by_text[1].0, by_text[1].1.items()), (Some(b'B'), 1));
/// # Ok::<(), aqueduct_wire::Invalid>(())
/// ```
#[doc(alias = "group_by_trace")]
pub fn group_by<K, F>(chunk: &Chunk, key: F) -> Result<Groups<K>, Invalid>
where
    K: Clone + Eq + Hash,
    F: FnMut(&Item<'_>) -> K,
{
    let request = chunk.bytes();
    let mut sorting =
        Sorting { chunk, key, by_key: HashMap::new(), groups: Vec::new(), sorted: Sorted::default() };
    let all = Envelope { parent: 0, key: 0, header: Header::EMPTY };
    sorting
        .message(Place::of(request), Level::Request, all, &Around::new(chunk.signal(), request))
        .map_err(|fault| locate(chunk.signal(), request, fault))?;
    let whole = (sorting.groups.len() == 1).then(|| chunk.clone());
    Ok(Groups {
        chunk: chunk.clone(),
        whole,
        groups: sorting.groups.into_iter(),
        sorted: sorting.sorted,
        rope: Rope::default(),
    })
}

/// As [`group_by`], but for the first `max_groups` keys only: the items of all further keys are one more group, which comes
/// last and has the key `None`.
///
/// For keys that are chosen by whoever sends the request: a hundred thousand traces in one are a hundred thousand
/// requests with the same envelope, whatever it takes.
///
/// # Errors
///
/// As [`group_by`].
///
/// # Allocation
///
/// As [`group_by`], and a second copy of each key.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::{Chunk, Limits, Signal, group_by_at_most};
/// use bytes::Bytes;
///
/// // Log records with the severity texts "A", "B", "A" and "C".
/// let request = Bytes::from_static(
///     b"\x0a\x16\x12\x14\x12\x03\x1a\x01A\x12\x03\x1a\x01B\x12\x03\x1a\x01A\x12\x03\x1a\x01C",
/// );
/// let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
///
/// let groups = group_by_at_most(&chunk, 1, |record| record.bytes().last().copied())?;
/// let counts: Vec<_> = groups.map(|(text, request)| (text, request.items())).collect();
/// assert_eq!(counts, [(Some(Some(b'A')), 2), (None, 2)]);
/// # Ok::<(), aqueduct_wire::Invalid>(())
/// ```
pub fn group_by_at_most<K, F>(
    chunk: &Chunk,
    max_groups: usize,
    mut key: F,
) -> Result<Groups<Option<K>>, Invalid>
where
    K: Clone + Eq + Hash,
    F: FnMut(&Item<'_>) -> K,
{
    let mut known = HashSet::new();
    group_by(chunk, |item| {
        let key = key(item);
        if !known.contains(&key) {
            if known.len() == max_groups {
                return None;
            }
            known.insert(key.clone());
        }
        Some(key)
    })
}

/// The requests of [`group_by`], each with its key.
#[must_use = "nothing is made before it is asked for"]
pub struct Groups<K> {
    chunk: Chunk,
    /// The request, if it is one group.
    whole: Option<Chunk>,
    groups: std::vec::IntoIter<Group<K>>,
    sorted: Sorted,
    /// Empty between two requests.
    rope: Rope,
}

/// The items of a key.
struct Group<K> {
    key: K,
    items: u64,
    first: usize,
    last: usize,
}

#[derive(Default)]
struct Sorted {
    items: Vec<Placed>,
    /// The request first, each one after the one that is around it.
    envelopes: Vec<Envelope>,
}

/// An item.
struct Placed {
    whole: Place,
    /// The envelope that it is in.
    envelope: usize,
    /// The next item of the same key; of the last one itself.
    next: usize,
}

/// A message around items.
struct Envelope {
    /// The one around this one; of the request itself.
    parent: usize,
    /// Of the field that it is.
    key: u8,
    header: Header,
}

struct Sorting<'a, K, F> {
    chunk: &'a Chunk,
    key: F,
    by_key: HashMap<K, usize>,
    groups: Vec<Group<K>>,
    sorted: Sorted,
}

impl<K, F> Sorting<'_, K, F>
where
    K: Clone + Eq + Hash,
    F: FnMut(&Item<'_>) -> K,
{
    /// Sorts the items in a message, which is `envelope` but for its header. As deep as the way to the items:
    /// five levels.
    fn message(
        &mut self,
        body: Place,
        level: Level,
        mut envelope: Envelope,
        around: &Around<'_>,
    ) -> Result<(), Fault> {
        let request = self.chunk.bytes();
        let before = self.sorted.items.len();
        let at = self.sorted.envelopes.len();
        envelope.header = Header::of(request, body, level)?.0;
        self.sorted.envelopes.push(envelope);
        let described = Described::new(body, level);
        let metric = if level == Level::Metric { Some(Known::of(request, body)?) } else { None };
        let around = &match &metric {
            Some(metric) => around.within_metric(metric),
            None => around.within(&described),
        };
        let live = metric.and_then(|metric| metric.live);
        if let Some(live) = live {
            let header = live.header(request, body)?.0;
            self.sorted.envelopes.push(Envelope { parent: at, key: live.key(), header });
        }
        let mut fields = Fields::new(request, body, level);
        while let Some(field) = fields.next_held()? {
            match level.inner(self.chunk.signal()) {
                None => self.item(field.whole, field.body, around, at),
                Some(Level::Data) => {
                    if live.is_some_and(|live| live.includes(field)) {
                        self.points(field.body, around, at + 1)?;
                    }
                }
                Some(inner) => {
                    let envelope = Envelope { parent: at, key: inner.key(), header: Header::EMPTY };
                    self.message(field.body, inner, envelope, around)?;
                }
            }
        }
        if self.sorted.items.len() == before {
            self.sorted.envelopes.truncate(at);
        }
        Ok(())
    }

    /// Sorts the points of one of a metric's data. All that counts of it shares an envelope.
    fn points(&mut self, body: Place, around: &Around<'_>, envelope: usize) -> Result<(), Fault> {
        let mut fields = Fields::new(self.chunk.bytes(), body, Level::Data);
        while let Some(field) = fields.next_held()? {
            self.item(field.whole, field.body, around, envelope);
        }
        Ok(())
    }

    fn item(&mut self, whole: Place, body: Place, around: &Around<'_>, envelope: usize) {
        let key = (self.key)(&Item::new(body, around));
        let item = self.sorted.items.len();
        self.sorted.items.push(Placed { whole, envelope, next: item });
        match self.by_key.get(&key) {
            Some(&group) => {
                let group = &mut self.groups[group];
                self.sorted.items[group.last].next = item;
                group.last = item;
                group.items += 1;
            }
            None => {
                self.by_key.insert(key.clone(), self.groups.len());
                self.groups.push(Group { key, items: 1, first: item, last: item });
            }
        }
    }
}

impl<K> Iterator for Groups<K> {
    type Item = (K, Merged);

    fn next(&mut self) -> Option<(K, Merged)> {
        let group = self.groups.next()?;
        let merged = match self.whole.take() {
            Some(chunk) => Merged::from_chunk(chunk),
            None => {
                self.sorted.append(group.first, &mut self.rope);
                let merged = self.rope.finish_part(self.chunk.signal(), group.items, self.chunk.bytes());
                self.rope.clear();
                merged
            }
        };
        Some((group.key, merged))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.groups.size_hint()
    }
}

impl<K> ExactSizeIterator for Groups<K> {}
impl<K> FusedIterator for Groups<K> {}

/// Envelopes around an item: request, record, scope, metric, data.
const PATH: usize = 5;

impl Sorted {
    /// Appends the items from this one on, in their envelopes.
    fn append(&self, first: usize, rope: &mut Rope) {
        let mut open: Vec<(usize, Open)> = Vec::with_capacity(PATH);
        let mut at = first;
        loop {
            let item = &self.items[at];
            if open.last().is_none_or(|&(envelope, _)| envelope != item.envelope) {
                self.change(&mut open, item.envelope, rope);
            }
            rope.keep(item.whole);
            if item.next == at {
                break;
            }
            at = item.next;
        }
        self.close(&mut open, 0, rope);
    }

    /// Closes what is not around `envelope`, and opens it with what is.
    fn change(&self, open: &mut Vec<(usize, Open)>, envelope: usize, rope: &mut Rope) {
        let mut path = [envelope; PATH];
        let mut depth = 1;
        while depth < PATH && path[depth - 1] != 0 {
            path[depth] = self.envelopes[path[depth - 1]].parent;
            depth += 1;
        }
        let path = path[..depth].iter().rev();
        let common =
            open.iter().zip(path.clone()).take_while(|((open, _), envelope)| open == *envelope).count();
        self.close(open, common, rope);
        for &envelope in path.skip(common) {
            open.push((envelope, rope.open()));
            self.envelopes[envelope].header.append_to(rope);
        }
    }

    /// Closes all but the outermost `left`.
    fn close(&self, open: &mut Vec<(usize, Open)>, left: usize, rope: &mut Rope) {
        for (envelope, place) in open.drain(left.min(open.len())..).rev() {
            // The request itself is no field.
            if envelope != 0 {
                rope.close(place, self.envelopes[envelope].key);
            }
        }
    }
}

/// Without the keys and the bytes: they are the data of others, and many.
impl<K> fmt::Debug for Groups<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups")
            .field("chunk", &self.chunk)
            .field("left", &self.groups.len())
            .finish_non_exhaustive()
    }
}
