//! A request that is made of another one: stretches of it that are kept, and the few bytes that are new.

use crate::fields::Place;
use crate::merge::COPY_BELOW;
use crate::{Merged, Signal};
use bytes::{Bytes, BytesMut};

/// A part of a [`Rope`].
#[derive(Copy, Clone, Debug)]
enum Part {
    /// Of the source.
    Kept(Place),
    /// Of what was written.
    Written(Place),
}

/// Stretches of a source and new bytes in the order in which they will be sent.
///
/// Holds places only; the source is given when it is finished.
#[derive(Debug, Default)]
pub(crate) struct Rope {
    parts: Vec<Part>,
    written: Vec<u8>,
    len: usize,
}

/// A message whose length is not known yet, by the state of the rope before it.
#[derive(Copy, Clone, Debug)]
#[must_use]
pub(crate) struct Open {
    part: usize,
    written: usize,
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

    /// Begins a message: what is appended from here on is its content. To be closed or discarded in the
    /// opposite order.
    pub(crate) fn open(&mut self) -> Open {
        let open = Open { part: self.parts.len(), written: self.written.len(), len: self.len };
        // The place of the key and the length; being no kept part, it also keeps the content from growing
        // together with what is before it.
        self.parts.push(Part::Written(Place { start: 0, end: 0 }));
        open
    }

    /// Ends a message, which becomes a field with the one-byte key `key`.
    pub(crate) fn close(&mut self, open: Open, key: u8) {
        let start = self.written.len();
        self.written.push(key);
        let mut rest = self.len - open.len;
        while rest >= 0x80 {
            self.written.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.written.push(rest as u8);
        let end = self.written.len();
        self.len += end - start;
        self.parts[open.part] = Part::Written(Place { start, end });
    }

    /// Takes back everything since the message was opened.
    pub(crate) fn discard(&mut self, open: Open) {
        self.parts.truncate(open.part);
        self.written.truncate(open.written);
        self.len = open.len;
    }

    /// The request. Stretches of at least [`COPY_BELOW`] bytes stay slices of `source`, everything else goes
    /// to one buffer.
    ///
    /// # Allocation
    ///
    /// That buffer and the list of pieces.
    pub(crate) fn finish(&self, signal: Signal, items: u64, source: &Bytes) -> Merged {
        let shared = |place: Place| place.len() >= COPY_BELOW || place.len() == source.len();
        let by_reference: usize =
            self.parts.iter().map(|part| self.kept(*part, shared).map_or(0, Place::len)).sum();
        let mut copied = BytesMut::with_capacity(self.len - by_reference);
        let held = by_reference + copied.capacity();
        let mut pieces = Vec::new();
        for &part in &self.parts {
            if let Some(place) = self.kept(part, shared) {
                if !copied.is_empty() {
                    pieces.push(copied.split().freeze());
                }
                pieces.push(source.slice(place.range()));
            } else {
                copied.extend_from_slice(match part {
                    Part::Kept(place) => &source[place.range()],
                    Part::Written(place) => &self.written[place.range()],
                });
            }
        }
        if !copied.is_empty() {
            pieces.push(copied.freeze());
        }
        Merged::of_pieces(signal, items, self.len, held, pieces)
    }

    /// The place of a part that stays a slice.
    #[inline]
    fn kept(&self, part: Part, shared: impl Fn(Place) -> bool) -> Option<Place> {
        match part {
            Part::Kept(place) if shared(place) => Some(place),
            _ => None,
        }
    }
}

/// The length of a field with a one-byte key and `content` bytes of content.
#[inline]
pub(crate) fn field_len(content: usize) -> usize {
    let bits = usize::BITS - (content | 1).leading_zeros();
    1 + bits.div_ceil(7) as usize + content
}
