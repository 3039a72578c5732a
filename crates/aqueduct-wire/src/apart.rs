//! Items out of their requests, and a request out of items.

use crate::error::Fault;
use crate::fields::{Fields, Header, Place};
use crate::item::{Around, Described, Known};
use crate::path::locate;
use crate::schema::Level;
use crate::varint::{self, field_len};
use crate::view::{Resource, ResourceSpans};
use crate::{Chunk, Invalid, Item, Signal};
use bytes::Bytes;
use core::fmt;
use std::sync::Arc;

/// What is around items in a request, and shared by those that stand side by side: everything of their resource, scope, metric and of the request
/// itself but the messages on the way to the items. Made by [`take_apart`].
///
/// It is a copy, and keeps nothing of the request.
pub struct Envelope {
    signal: Signal,
    /// Of the request.
    outer: Box<[u8]>,
    /// From the record on: the key of the field that each message is, and its header.
    levels: Box<[(u8, Box<[u8]>)]>,
    item: u8,
}

impl Envelope {
    /// What the items are.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The resource; `None` if there is none.
    #[must_use]
    pub fn resource(&self) -> Option<Resource<'_>> {
        // The field has the same number in every signal.
        ResourceSpans::new(&self.levels.first()?.1).resource()
    }

    /// Bytes of memory that it takes, without what the allocator adds.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let headers = self.levels.iter().map(|(_, header)| header.len() + size_of::<(u8, Box<[u8]>)>());
        size_of::<Envelope>() + self.outer.len() + headers.sum::<usize>()
    }
}

/// Shows each item of a request with what is around it, in order: for whoever keeps items apart and makes requests of them later, with
/// [`put_together`]. Items that stand side by side have the same envelope.
///
/// # Errors
///
/// If the structure down to the items is invalid, which that of a validated chunk never is. Items before that were shown.
///
/// # Allocation
///
/// A copy of what is around items, once for each envelope.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::{Chunk, Limits, Signal, put_together, take_apart};
/// use bytes::Bytes;
///
/// // Log records with the severity texts "A" and "B".
/// let request = Bytes::from_static(b"\x0a\x0c\x12\x0a\x12\x03\x1a\x01A\x12\x03\x1a\x01B");
/// let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
///
/// let mut items = Vec::new();
/// take_apart(&chunk, |item, envelope| items.push((envelope.clone(), item.bytes().to_vec())))?;
/// items.reverse();
/// let reversed = put_together(Signal::Logs, items.iter().map(|(envelope, item)| (envelope, &item[..])));
/// assert_eq!(reversed.bytes()[..], b"\x0a\x0c\x12\x0a\x12\x03\x1a\x01B\x12\x03\x1a\x01A"[..]);
/// # Ok::<(), aqueduct_wire::Invalid>(())
/// ```
pub fn take_apart(chunk: &Chunk, each: impl FnMut(&Item<'_>, &Arc<Envelope>)) -> Result<(), Invalid> {
    let (signal, request) = (chunk.signal(), chunk.bytes());
    let mut pass = Pass { signal, request, path: Vec::new(), each };
    pass.message(Place::of(request), Level::Request, 0, &Around::new(signal, request))
        .map_err(|fault| locate(signal, request, fault))
}

struct Pass<'a, F> {
    signal: Signal,
    request: &'a [u8],
    /// The messages around: the key and the header of each, the request first.
    path: Vec<(u8, Header)>,
    each: F,
}

impl<F: FnMut(&Item<'_>, &Arc<Envelope>)> Pass<'_, F> {
    /// Shows the items in a message, which is a field with this key. As deep as the way to the items: five levels.
    fn message(&mut self, body: Place, level: Level, key: u8, around: &Around<'_>) -> Result<(), Fault> {
        let depth = self.path.len();
        self.path.push((key, Header::of(self.request, body, level)?.0));
        let described = Described::new(body, level);
        let metric = if level == Level::Metric { Some(Known::of(self.request, body)?) } else { None };
        let around = &match &metric {
            Some(metric) => around.within_metric(metric),
            None => around.within(&described),
        };
        let live = metric.and_then(|metric| metric.live);
        if let Some(live) = live {
            self.path.push((live.key(), live.header(self.request, body)?.0));
        }
        let mut envelope = None;
        let mut fields = Fields::new(self.request, body, level);
        while let Some(field) = fields.next_held()? {
            match level.inner(self.signal) {
                None => self.item(field.body, level, &mut envelope, around),
                Some(Level::Data) => {
                    if live.is_some_and(|live| live.includes(field)) {
                        let mut points = Fields::new(self.request, field.body, Level::Data);
                        while let Some(point) = points.next_held()? {
                            self.item(point.body, Level::Data, &mut envelope, around);
                        }
                    }
                }
                Some(inner) => self.message(field.body, inner, inner.key(), around)?,
            }
        }
        self.path.truncate(depth);
        Ok(())
    }

    fn item(&mut self, body: Place, level: Level, envelope: &mut Option<Arc<Envelope>>, around: &Around<'_>) {
        let envelope = envelope.get_or_insert_with(|| {
            let header = |header: &Header| -> Box<[u8]> { header.bytes(self.request).into() };
            let mut path = self.path.iter();
            Arc::new(Envelope {
                signal: self.signal,
                outer: path.next().map(|(_, outer)| header(outer)).unwrap_or_default(),
                levels: path.map(|(key, level)| (*key, header(level))).collect(),
                item: level.items_key(),
            })
        });
        (self.each)(&Item::new(body, around), envelope);
    }
}

/// Makes a request of items, each the content of one with the [`Envelope`] that it was in. Items that follow each other and have the same envelope
/// share it; sort them by it to keep the request small. Items of another signal are left out.
///
/// # Allocation
///
/// The request.
pub fn put_together<'a>(
    signal: Signal,
    items: impl IntoIterator<Item = (&'a Arc<Envelope>, &'a [u8])>,
) -> Chunk {
    let items: Vec<_> = items.into_iter().filter(|(envelope, _)| envelope.signal == signal).collect();
    let mut out = Vec::new();
    for run in items.chunk_by(|(one, _), (next, _)| Arc::ptr_eq(one, next)) {
        let Some((envelope, _)) = run.first() else { continue };
        out.extend_from_slice(&envelope.outer);
        // The lengths of the contents, from the inside.
        let mut content: usize = run.iter().map(|(_, item)| field_len(item.len())).sum();
        let mut contents = Vec::with_capacity(envelope.levels.len());
        for (_, header) in envelope.levels.iter().rev() {
            content += header.len();
            contents.push(content);
            content = field_len(content);
        }
        out.reserve(content);
        for ((key, header), content) in envelope.levels.iter().zip(contents.into_iter().rev()) {
            out.push(*key);
            varint::push(&mut out, content as u64);
            out.extend_from_slice(header);
        }
        for (_, item) in run {
            out.push(envelope.item);
            varint::push(&mut out, item.len() as u64);
            out.extend_from_slice(item);
        }
    }
    Chunk::from_valid(signal, items.len() as u64, Bytes::from(out))
}

/// Without the bytes: they are the data of others.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("signal", &self.signal)
            .field("levels", &self.levels.len())
            .finish_non_exhaustive()
    }
}
