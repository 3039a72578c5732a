//! Making less of a batch that a destination finds too large: parts of it, one by one, as they can be sent.
//!
//! The bytes are not copied (but for short pieces and the envelopes that each part needs): a part is made of slices of its batch, and is made when there is room
//! for another attempt, so that however many there will be, only some exist. [`Sizes`] remembers what a destination
//! has refused and taken, so that the next batch is made smaller before it is sent.

use std::collections::VecDeque;

use aqueduct_wire::{Chunk, Invalid, Merged, Merger, Signal, Split, scan, split};

/// So many requests of about the limit are delivered before larger ones are tried; twice as many after each time that this failed,
/// up to [`SELDOM`].
const OFTEN: u32 = 256;
const SELDOM: u32 = 16_384;

/// What a destination has taught about the size of requests, in bytes before compression.
///
/// Of a request that was refused a little more than half is tried next, so that two parts of it will do although both
/// carry the envelopes. A size that was delivered is never given up for a smaller one: where requests of that size pass, one
/// that was refused has something in it that is too large by itself, or compresses badly, and others need not suffer. If it is the
/// destination that has changed, the second refusal is believed, unless such a size was delivered in between.
///
/// The limit is raised by a quarter after [`OFTEN`] deliveries near to it. A destination that has not changed refuses that,
/// and is asked the more seldom.
#[derive(Debug)]
pub(crate) struct Sizes {
    limit: usize,
    /// The largest size that was delivered.
    delivered: usize,
    /// A size that was refused although as much or more was delivered before. No such size was delivered since.
    doubted: Option<usize>,
    /// Deliveries of more than half of the limit since it was last changed.
    in_a_row: u32,
    /// How many of them it takes to raise the limit.
    patience: u32,
    /// Whether it was raised since it was last lowered.
    raised: bool,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { limit: usize::MAX, delivered: 0, doubted: None, in_a_row: 0, patience: OFTEN, raised: false }
    }
}

impl Sizes {
    /// What is worth sending. Without a limit everything is.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// A request of so many bytes was too large. `part`: it had been made smaller because of a refusal, so this may be the same
    /// refusal again, and is no further evidence against a size that passes.
    pub(crate) fn refused(&mut self, bytes: usize, part: bool) {
        if bytes <= self.delivered {
            if part {
                return;
            }
            if self.doubted.is_none() {
                self.doubted = Some(bytes);
                return;
            }
            self.delivered = 0;
        }
        self.doubted = None;
        self.limit = self.limit.min(half_of(bytes).max(self.delivered));
        self.in_a_row = 0;
        if std::mem::take(&mut self.raised) {
            self.patience = (self.patience * 2).min(SELDOM);
        }
    }

    /// A request of so many bytes was delivered, whatever became of others.
    pub(crate) fn delivered(&mut self, bytes: usize) {
        self.delivered = self.delivered.max(bytes);
        self.doubted = self.doubted.filter(|doubted| bytes < *doubted);
        if self.limit == usize::MAX {
            return;
        }
        self.limit = self.limit.max(bytes);
        if bytes > self.limit / 2 {
            self.in_a_row += 1;
        }
        if self.in_a_row >= self.patience {
            self.in_a_row = 0;
            self.limit = self.limit.saturating_add(self.limit / 4 + 1);
            // That it was raised before and not refused since is a sign of change.
            if std::mem::replace(&mut self.raised, true) {
                self.patience = OFTEN;
            }
        }
    }
}

/// A little more than half, and always less than the whole.
pub(crate) fn half_of(bytes: usize) -> usize {
    (bytes / 2).saturating_add(bytes / 16)
}

/// The rest of a batch of which parts are being made.
#[derive(Debug)]
pub(crate) struct Rest {
    signal: Signal,
    limit: usize,
    /// Whole records each, in order; nothing of them was handed out.
    pieces: VecDeque<Chunk>,
    /// The piece that is larger than the limit by itself.
    open: Option<Open>,
    /// What did not fit into the part before.
    next: Option<Merged>,
}

impl Rest {
    /// Prepares to make parts of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be read, which can only be if somebody vouched for a chunk wrongly.
    pub(crate) fn of(batch: &Merged, limit: usize) -> Result<Rest, Invalid> {
        let signal = batch.signal();
        // The pieces of a batch that was merged are records, none of them cut through; what reads as such is. Those of a part are not, as a rule.
        let pieces = batch.pieces().iter().map(|piece| Chunk::from_valid(signal, 0, piece.clone()));
        let pieces = match pieces.map(counted).collect() {
            Ok(pieces) => pieces,
            Err(_) => VecDeque::from([counted(Chunk::from_valid(signal, 0, batch.to_bytes()))?]),
        };
        Ok(Rest { signal, limit, pieces, open: None, next: None })
    }

    /// The next part: of at most the limit, or one item that is larger alone. `None` when there is nothing left.
    pub(crate) fn next_part(&mut self) -> Option<Merged> {
        // By reference: what is in a batch is in memory already.
        let mut part = Merger::new(self.signal).with_copy_below(0);
        while let Some(next) = self.next.take().or_else(|| self.next_fitting()) {
            if !part.is_empty() && part.len().saturating_add(next.len()) > self.limit {
                self.next = Some(next);
                break;
            }
            let mut items = next.items();
            for piece in next.pieces() {
                part.push(Chunk::from_valid(self.signal, std::mem::take(&mut items), piece.clone()));
            }
        }
        (!part.is_empty()).then(|| part.finish())
    }

    /// The next piece that fits, or the next part of one that does not.
    fn next_fitting(&mut self) -> Option<Merged> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(part) = open.next_part() {
                    return Some(part);
                }
                self.open = None;
            }
            let piece = self.pieces.pop_front()?;
            if piece.len() <= self.limit {
                return Some(Merged::from_chunk(piece));
            }
            // It was read before, so it can be now.
            self.open = Open::new(piece, self.limit).ok();
        }
    }
}

/// The chunk with the items that it holds.
fn counted(chunk: Chunk) -> Result<Chunk, Invalid> {
    let items = scan(chunk.signal(), chunk.bytes())?.items;
    Ok(Chunk::from_valid(chunk.signal(), items, chunk.into_bytes()))
}

/// A piece that is being split.
#[derive(Debug)]
struct Open {
    piece: Chunk,
    parts: Split,
    /// Items handed out.
    done: u64,
    /// The same piece, an item at a time, and the items of it that were passed. Made for the first item that does not fit alone.
    singly: Option<(Split, u64)>,
}

impl Open {
    fn new(piece: Chunk, limit: usize) -> Result<Open, Invalid> {
        let parts = split(&piece, u64::MAX, limit)?;
        Ok(Open { piece, parts, done: 0, singly: None })
    }

    fn next_part(&mut self) -> Option<Merged> {
        loop {
            let (items, part) = match self.parts.next()? {
                Ok(part) => (part.items(), Some(part)),
                // Only the destination can say that it is too large, so it is sent alone. An envelope of nothing need not be.
                Err(alone) if alone.items() == 0 => continue,
                Err(alone) => (alone.items(), self.alone(self.done)),
            };
            self.done += items;
            if part.is_some() {
                return part;
            }
        }
    }

    /// The item at this place as a request of its own.
    fn alone(&mut self, place: u64) -> Option<Merged> {
        if self.singly.is_none() {
            self.singly = Some((split(&self.piece, 1, usize::MAX).ok()?, 0));
        }
        let (singly, passed) = self.singly.as_mut()?;
        loop {
            let item = singly.next()?.ok()?;
            let found = *passed == place && item.items() > 0;
            *passed += item.items();
            if found {
                return Some(item);
            }
        }
    }
}

#[cfg(test)]
mod tests;
