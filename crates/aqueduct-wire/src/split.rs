//! Requests that are too large, in parts that are not.

use crate::error::Fault;
use crate::fields::{Fields, Header, Live, Place, count};
use crate::path::locate;
use crate::rope::{Open, Rope};
use crate::schema::Level;
use crate::varint::field_len;
use crate::{Chunk, Invalid, Merged, Signal, scan};
use core::fmt;
use core::iter::FusedIterator;

/// Splits a request into requests of at most `max_items` items and `max_bytes` bytes each.
///
/// A resource that does not fit is split by scopes, a scope by items, a metric by data points. Each part is
/// filled before the next one is begun, and repeats the envelopes of what it holds: the resource, scope or
/// metric, schema URLs, the unknown fields at every level, and of a metric's data what is not points. The
/// items keep their order. What fits whole stays as it is encoded: a request within the limits comes back as
/// the very same bytes.
///
/// A limit that should not count is the largest value of its type. An item that exceeds a limit by itself
/// comes back as [`TooLarge`], and so does an empty envelope; the rest is still split. Together the parts and
/// the refusals hold exactly the items of the request: **count both**, as in the example. Whoever only takes what is
/// `Ok` (`flatten()`, `filter_map(Result::ok)`) drops items without a word, and whoever stops at the first `Err`
/// drops the parts after it.
///
/// A header is repeated in every part that holds something of it, in as many as there are items if it takes most of
/// `max_bytes` or if `max_items` is 1: together the parts can be many times the request. Nothing of them is kept here,
/// so take them one by one and send each before the next is made; what comes from people who are not to be trusted has
/// its records bounded first ([`Limits::max_record_bytes`](crate::Limits::max_record_bytes)).
///
/// Of a metric that is taken apart only the data that counts is handed on. Data that another kind replaced (of a
/// `oneof` the last member counts), which every decoder drops, is left out; a metric that fits whole keeps it.
///
/// Merging the parts again gives the items in their order, but an envelope for each part:
/// [`fold_scopes`](crate::fold_scopes) takes those together. A metric stays in its pieces, each with its name
/// and kind, as OTLP allows.
///
/// The count of the chunk is trusted: one that says less than the bytes hold may let them pass whole.
///
/// # Errors
///
/// If the structure down to the items is invalid, which that of a validated chunk never is.
///
/// # Allocation
///
/// Of each of the five headers on the way to the items at most one copy at a time, if its fields do not lie side by
/// side. For each part: stretches of less than 16 KiB, so that of each header less than 16 KiB are copied into a
/// part; 32 bytes for each piece, and as much again while the list grows; and less than 500 bytes. Longer stretches are
/// shared: items are slices of the request, and so are headers, or of the one copy of them. Parts are made when they are
/// asked for, so that an envelope repeated in a thousand parts need not be in memory as often.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::{Chunk, Limits, Signal, split};
/// use bytes::Bytes;
///
/// // Log records with the severity texts "A" and "B".
/// let request = Bytes::from_static(b"\x0a\x0c\x12\x0a\x12\x03\x1a\x01A\x12\x03\x1a\x01B");
/// let chunk = Chunk::validate(Signal::Logs, request, &Limits::default())?;
///
/// let (mut sent, mut dropped) = (0, 0);
/// for part in split(&chunk, 1, usize::MAX)? {
///     match part {
///         Ok(part) => {
///             assert_eq!(part.len(), 9);
///             sent += part.items();
///         }
///         Err(refused) => dropped += refused.items(),
///     }
/// }
/// assert_eq!((sent, dropped), (2, 0));
///
/// let refused = split(&chunk, 100, 8)?.next().expect("two of them").unwrap_err();
/// assert_eq!(refused.to_string(), "a log record of 9 bytes with its envelopes is too large");
/// # Ok::<(), aqueduct_wire::Invalid>(())
/// ```
#[doc(alias = "batch_split")]
pub fn split(chunk: &Chunk, max_items: u64, max_bytes: usize) -> Result<Split, Invalid> {
    let mut split = Split {
        chunk: chunk.clone(),
        max_items,
        max_bytes,
        frames: Vec::new(),
        rope: Rope::default(),
        items: 0,
        again: None,
        first: None,
    };
    if chunk.is_empty() {
        return Ok(split);
    }
    if chunk.len() <= max_bytes && chunk.items() <= max_items {
        split.first = Some(Ok(Merged::from_chunk(chunk.clone())));
        return Ok(split);
    }
    // From here on reading cannot fail.
    let items = scan(chunk.signal(), chunk.bytes())?.items;
    let all = Child {
        place: Place::of(chunk.bytes()),
        content: Place::of(chunk.bytes()),
        level: Some(Level::Request),
        items: None,
    };
    match split.enter(&all) {
        Ok(true) => {}
        Ok(false) => {
            // What somebody vouched for may be counted wrongly.
            let request = Chunk::from_valid(chunk.signal(), items, chunk.bytes().clone());
            split.first = Some(Err(TooLarge { request: Merged::from_chunk(request) }));
        }
        Err(fault) => return Err(locate(chunk.signal(), chunk.bytes(), fault)),
    }
    Ok(split)
}

/// The parts of a request, in order: what [`split`] returns.
///
/// An `Err` is no end: it stands for items that no part holds, and parts follow it.
#[must_use = "nothing is split before it is asked for, and what is refused has to be counted"]
pub struct Split {
    chunk: Chunk,
    max_items: u64,
    max_bytes: usize,
    /// The messages that are being split, from the request down.
    frames: Vec<Frame>,
    /// The part that is being filled, and its items.
    rope: Rope,
    items: u64,
    /// What did not fit into the part before.
    again: Option<Child>,
    /// What was known at once.
    first: Option<Result<Merged, TooLarge>>,
}

/// A message whose children are handed out one by one.
#[derive(Debug)]
struct Frame {
    level: Level,
    /// Of the field that the message is.
    key: u8,
    header: Header,
    /// What was not handed out yet.
    rest: Place,
    /// For the data of a metric: the metric's fields that follow, among which there may be more of it.
    more: Option<(Place, Live)>,
    /// Where it is in the part that is being filled, if it is there.
    open: Option<Open>,
    /// Its length there, without the child that is itself open.
    len: usize,
}

/// A message that is to be placed.
#[derive(Debug)]
struct Child {
    place: Place,
    content: Place,
    /// `None` for an item.
    level: Option<Level>,
    /// Once they were counted.
    items: Option<u64>,
}

impl Iterator for Split {
    type Item = Result<Merged, TooLarge>;

    fn next(&mut self) -> Option<Result<Merged, TooLarge>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let next = match self.again.take() {
                Some(child) => Some(child),
                None => self.next_child().ok()?,
            };
            let Some(mut child) = next else {
                return self.finish().map(Ok);
            };
            if self.fits(&mut child).ok()? {
                self.place(&child);
            } else if !self.enter(&child).ok()? {
                if self.rope.len() > 0 {
                    self.again = Some(child);
                    return self.finish().map(Ok);
                }
                self.items_in(&mut child).ok()?;
                self.place(&child);
                return self.finish().map(|request| Err(TooLarge { request }));
            }
        }
    }
}

impl FusedIterator for Split {}

impl Split {
    /// Makes the parts that follow larger or smaller: of at most so many bytes each.
    pub fn set_max_bytes(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
    }
}

impl Split {
    /// The next child of the innermost message that still has one.
    fn next_child(&mut self) -> Result<Option<Child>, Fault> {
        while let Some(frame) = self.frames.last_mut() {
            let request = self.chunk.bytes();
            let mut fields = Fields::new(request, frame.rest, frame.level);
            let next = fields.next_held()?;
            frame.rest = fields.rest();
            if let Some(field) = next {
                let level = frame.level.inner(self.chunk.signal());
                let items = if level.is_none() { Some(1) } else { None };
                return Ok(Some(Child { place: field.whole, content: field.body, level, items }));
            }
            if let Some((rest, live)) = &mut frame.more {
                let mut fields = Fields::new(request, *rest, Level::Metric);
                let next = live.next(&mut fields)?;
                *rest = fields.rest();
                if let Some(data) = next {
                    frame.rest = data.body;
                    continue;
                }
            }
            let last = self.frames.len() - 1;
            self.close(last);
            self.frames.pop();
        }
        Ok(None)
    }

    /// Begins to hand out the children of a child. False if it has none.
    fn enter(&mut self, child: &Child) -> Result<bool, Fault> {
        let Some(level) = child.level else {
            return Ok(false);
        };
        let request = self.chunk.bytes();
        let (header, alone) = Header::of(request, child.content, level)?;
        if alone {
            return Ok(false);
        }
        let mut frame =
            Frame { level, key: level.key(), header, rest: child.content, more: None, open: None, len: 0 };
        if level == Level::Metric {
            // All of its data is handed out as one message: what counts of it are the fields of one kind.
            let Some(live) = Live::of(request, child.content)? else {
                return Ok(false);
            };
            let (header, alone) = live.header(request, child.content)?;
            if alone {
                return Ok(false);
            }
            let nothing = Place { start: child.content.start, end: child.content.start };
            frame.rest = nothing;
            self.frames.push(frame);
            let more = Some((child.content, live));
            frame = Frame {
                level: Level::Data,
                key: live.key(),
                header,
                rest: nothing,
                more,
                open: None,
                len: 0,
            };
        }
        self.frames.push(frame);
        Ok(true)
    }

    fn fits(&self, child: &mut Child) -> Result<bool, Fault> {
        if self.len_with(child.place.len()) > self.max_bytes {
            return Ok(false);
        }
        let items = self.items_in(child)?;
        Ok(self.items.saturating_add(items) <= self.max_items)
    }

    fn items_in(&self, child: &mut Child) -> Result<u64, Fault> {
        let items = match (child.items, child.level) {
            (Some(items), _) => items,
            (None, Some(level)) => count(self.chunk.bytes(), child.content, level, self.chunk.signal())?,
            (None, None) => 1,
        };
        child.items = Some(items);
        Ok(items)
    }

    /// The length of the part with a child of the innermost message that has `len` bytes.
    #[inline]
    fn len_with(&self, len: usize) -> usize {
        let mut len = len;
        for (at, frame) in self.frames.iter().enumerate().rev() {
            len += if frame.open.is_some() { frame.len } else { frame.header.len() };
            if at > 0 {
                len = field_len(len);
            }
        }
        len
    }

    /// Puts a child into the part, with the envelopes that are not there yet.
    fn place(&mut self, child: &Child) {
        for frame in &mut self.frames {
            if frame.open.is_none() {
                frame.open = Some(self.rope.open());
                frame.len = frame.header.len();
                frame.header.append_to(&mut self.rope);
            }
        }
        self.rope.keep(child.place);
        self.items += child.items.unwrap_or_default();
        if let Some(frame) = self.frames.last_mut() {
            frame.len += child.place.len();
        }
    }

    /// Ends a message in the part, if it is there; those in it have been.
    fn close(&mut self, at: usize) {
        let frame = &mut self.frames[at];
        let Some(open) = frame.open.take() else {
            return;
        };
        let len = frame.len;
        // The request itself is no field.
        if at > 0 {
            self.rope.close(open, frame.key);
            self.frames[at - 1].len += field_len(len);
        }
    }

    /// The part, if there is anything in it, with all of its envelopes closed.
    fn finish(&mut self) -> Option<Merged> {
        for at in (0..self.frames.len()).rev() {
            self.close(at);
        }
        let items = core::mem::take(&mut self.items);
        let part = (self.rope.len() > 0)
            .then(|| self.rope.finish_part(self.chunk.signal(), items, self.chunk.bytes()));
        self.rope.clear();
        part
    }
}

/// Without the bytes: they are the data of others, and many.
impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split")
            .field("chunk", &self.chunk)
            .field("max_items", &self.max_items)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

/// What cannot be made smaller and exceeds a limit of [`split`] by itself, as a request of its own.
///
/// Complete: there is nothing else to say of it.
#[must_use = "these items are in no part: count them"]
#[derive(Clone, Debug)]
pub struct TooLarge {
    request: Merged,
}

impl TooLarge {
    /// What it is part of.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.request.signal()
    }

    /// How many items are lost with it: one, or none for an envelope that holds nothing.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.request.items()
    }

    /// Its length in bytes as a request of its own, with all envelopes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.request.len()
    }

    /// The request with nothing else in it, for who would rather let the destination decide.
    #[must_use]
    pub fn into_request(self) -> Merged {
        self.request
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, item) = (self.bytes(), self.signal().item_name());
        match self.items() {
            0 => write!(f, "an envelope of {bytes} bytes without {item}s is too large"),
            _ => write!(f, "a {item} of {bytes} bytes with its envelopes is too large"),
        }
    }
}

impl core::error::Error for TooLarge {}
