//! A request that is made of another one: stretches of it that are kept, and the few bytes that are new.

use crate::fields::Place;
use crate::merge::COPY_BELOW;
use crate::{Merged, Signal, varint};
use bytes::{Bytes, BytesMut};

/// A part of a [`Rope`].
#[derive(Copy, Clone, Debug)]
enum Part {
    /// Of the source.
    Kept(Place),
    /// Of what was written.
    Written(Place),
    /// One of what was lent.
    Lent(usize),
}

/// Stretches of a source and new bytes in the order in which they will be sent.
///
/// Holds places only; the source is given when it is finished.
#[derive(Debug, Default)]
pub(crate) struct Rope {
    parts: Vec<Part>,
    written: Vec<u8>,
    lent: Vec<Bytes>,
    len: usize,
}

/// A message whose length is not known yet, by the state of the rope before it.
#[derive(Copy, Clone, Debug)]
#[must_use]
pub(crate) struct Open {
    part: usize,
    written: usize,
    lent: usize,
    len: usize,
}

impl Rope {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends a stretch of the source. What lies side by side there becomes one piece.
    #[inline]
    pub(crate) fn keep(&mut self, place: Place) {
        self.len += place.len();
        match self.parts.last_mut() {
            Some(Part::Kept(last)) if last.end == place.start => last.end = place.end,
            _ if place.len() == 0 => {}
            _ => self.parts.push(Part::Kept(place)),
        }
    }

    /// Appends new bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let start = self.written.len();
        self.written.extend_from_slice(bytes);
        self.len += bytes.len();
        let end = self.written.len();
        match self.parts.last_mut() {
            Some(Part::Written(last)) if last.end == start && last.len() > 0 => last.end = end,
            _ => self.parts.push(Part::Written(Place { start, end })),
        }
    }

    /// Appends bytes that others hold as well; not empty.
    pub(crate) fn lend(&mut self, bytes: &Bytes) {
        self.len += bytes.len();
        self.parts.push(Part::Lent(self.lent.len()));
        self.lent.push(bytes.clone());
    }

    /// Begins a message: what is appended from here on is its content. To be closed or discarded in the
    /// opposite order.
    pub(crate) fn open(&mut self) -> Open {
        let open = Open {
            part: self.parts.len(),
            written: self.written.len(),
            lent: self.lent.len(),
            len: self.len,
        };
        // The place of the key and the length; being no kept part, it also keeps the content from growing
        // together with what is before it.
        self.parts.push(Part::Written(Place { start: 0, end: 0 }));
        open
    }

    /// Ends a message, which becomes a field with the one-byte key `key`.
    pub(crate) fn close(&mut self, open: Open, key: u8) {
        let start = self.written.len();
        self.written.push(key);
        varint::push(&mut self.written, (self.len - open.len) as u64);
        let end = self.written.len();
        self.len += end - start;
        self.parts[open.part] = Part::Written(Place { start, end });
    }

    /// Takes back everything, and keeps the memory for the next one.
    pub(crate) fn clear(&mut self) {
        self.parts.clear();
        self.written.clear();
        self.lent.clear();
        self.len = 0;
    }

    /// Takes back everything since the message was opened.
    pub(crate) fn discard(&mut self, open: Open) {
        self.parts.truncate(open.part);
        self.written.truncate(open.written);
        self.lent.truncate(open.lent);
        self.len = open.len;
    }

    /// The request, of which nothing else is made: edited, filtered, folded.
    ///
    /// Stretches of at least [`COPY_BELOW`] bytes stay slices of `source`, unless they are less than a quarter of it:
    /// then they are copied too, so that a small result does not keep a large source from being freed. If any
    /// stay, all of the source is held.
    ///
    /// # Allocation
    ///
    /// One buffer for what is copied, and the list of pieces.
    pub(crate) fn finish(&self, signal: Signal, items: u64, source: &Bytes) -> Merged {
        debug_assert!(self.lent.is_empty(), "only what is repeated is lent");
        let slices = self.slices(|place| shared(place, source));
        let worth = slices > 0 && slices >= source.len() / WORTH_KEEPING;
        let held = if worth { source.len() + self.len - slices } else { self.len };
        let pieces = self.pieces(source, |place| worth && shared(place, source));
        Merged::of_pieces(signal, items, self.len, held, pieces)
    }

    /// One of many requests that are made of the same source: split, grouped. Stretches of at least
    /// [`COPY_BELOW`] bytes always stay slices, also of what is lent, and what is held are their lengths.
    ///
    /// A large header that each result copied would make of a small source results without measure; and a source that
    /// each result counted would be counted as often as there are results, where together they hold it once.
    ///
    /// # Allocation
    ///
    /// As [`Rope::finish`].
    pub(crate) fn finish_part(&self, signal: Signal, items: u64, source: &Bytes) -> Merged {
        let pieces = self.pieces(source, |place| shared(place, source));
        Merged::of_pieces(signal, items, self.len, self.len, pieces)
    }

    /// How many bytes are in stretches that stay slices.
    fn slices(&self, is_slice: impl Fn(Place) -> bool) -> usize {
        let len = |part: &Part| match *part {
            Part::Kept(place) if is_slice(place) => place.len(),
            _ => 0,
        };
        self.parts.iter().map(len).sum()
    }

    /// The pieces, none of them empty: stretches that stay slices, and everything else copied to one buffer.
    fn pieces(&self, source: &Bytes, is_slice: impl Fn(Place) -> bool) -> Vec<Bytes> {
        let lent = self.lent.iter().map(Bytes::len).filter(|&len| len >= COPY_BELOW);
        let mut copied = BytesMut::with_capacity(self.len - self.slices(&is_slice) - lent.sum::<usize>());
        let mut pieces = Vec::new();
        for &part in &self.parts {
            let whole = match part {
                Part::Kept(place) if is_slice(place) => Some(source.slice(place.range())),
                Part::Lent(at) if self.lent[at].len() >= COPY_BELOW => Some(self.lent[at].clone()),
                _ => None,
            };
            if let Some(whole) = whole {
                if !copied.is_empty() {
                    pieces.push(copied.split().freeze());
                }
                pieces.push(whole);
                continue;
            }
            copied.extend_from_slice(match part {
                Part::Kept(place) => &source[place.range()],
                Part::Written(place) => &self.written[place.range()],
                Part::Lent(at) => &self.lent[at],
            });
        }
        if !copied.is_empty() {
            pieces.push(copied.freeze());
        }
        pieces
    }
}

/// Slices that are less than one in so many bytes of their source are copied. What a result holds is so at most this
/// many times its length.
const WORTH_KEEPING: usize = 4;

/// Whether a stretch of `source` may stay a slice: what is shorter is cheaper to copy, and to send.
#[inline]
fn shared(place: Place, source: &[u8]) -> bool {
    place.len() >= COPY_BELOW || place.len() == source.len()
}
