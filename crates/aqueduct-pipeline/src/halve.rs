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
/// What was taken is doubled with every delivery, up to what was refused: after a refusal that was not about size, or no longer
/// holds, a few requests are small and not thousands. From there on the limit is raised by a quarter after [`OFTEN`] deliveries near to it. A
/// destination that has not changed refuses that, and is asked the more seldom.
#[derive(Debug)]
pub(crate) struct Sizes {
    limit: usize,
    /// The largest size that was delivered.
    delivered: usize,
    /// The smallest size that was refused, unless an item that was refused alone may be why. Nothing of that size was delivered since.
    refused: usize,
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
        Self {
            limit: usize::MAX,
            delivered: 0,
            refused: usize::MAX,
            doubted: None,
            in_a_row: 0,
            patience: OFTEN,
            raised: false,
        }
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
        self.refused = self.refused.min(bytes);
        self.limit = self.limit.min(half_of(bytes).max(self.delivered));
        self.in_a_row = 0;
        if std::mem::take(&mut self.raised) {
            self.patience = (self.patience * 2).min(SELDOM);
        }
    }

    /// An item was refused alone, for which larger requests with it may have been refused.
    pub(crate) fn alone_refused(&mut self) {
        self.refused = usize::MAX;
    }

    /// A request of so many bytes was delivered, whatever became of others.
    pub(crate) fn delivered(&mut self, bytes: usize) {
        self.delivered = self.delivered.max(bytes);
        self.doubted = self.doubted.filter(|doubted| bytes < *doubted);
        if self.limit == usize::MAX {
            return;
        }
        self.limit = self.limit.max(bytes);
        if bytes >= self.refused {
            self.refused = usize::MAX;
        }
        if bytes > self.limit / 2 {
            let twice = self.limit.saturating_mul(2);
            if twice < self.refused {
                self.limit = twice;
                return;
            }
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
    /// What no part may exceed, whatever the destination's limit becomes.
    most: usize,
    /// Whole records each, in order; nothing of them was handed out.
    pieces: VecDeque<Chunk>,
    /// The piece that is larger than the limit by itself.
    open: Option<Split>,
    /// What did not fit into the part before.
    next: Option<Piece>,
    refusals: Refusals,
}

/// What comes next of a [`Rest`].
#[derive(Debug)]
pub(crate) enum Made {
    /// A part within the limit, or one item that is larger alone.
    Part(Merged),
    /// So many items that are not worth sending: each is at least as large as others, which were refused alone.
    Hopeless(u64),
}

#[derive(Debug)]
enum Piece {
    Fitting(Merged),
    /// An item that exceeds the limit by itself.
    Alone(Merged),
}

/// Items that were refused alone.
#[derive(Debug, Default)]
struct Refusals {
    count: u32,
    /// The length of the smallest one.
    least: usize,
}

/// After so many refusals of items alone, with none delivered of such a size, others of that size are not sent any more. Under a
/// header that is itself too large, each item would be sent with all of it, and in vain.
const CONVINCED: u32 = 3;

impl Rest {
    /// Prepares to make parts of at most `most` bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be read, which can only be if somebody vouched for a chunk wrongly.
    pub(crate) fn of(batch: &Merged, most: usize) -> Result<Rest, Invalid> {
        let signal = batch.signal();
        // The pieces of a batch that was merged are records, none of them cut through; what reads as such is. Those of a part are not, as a rule.
        let pieces = batch.pieces().iter().map(|piece| Chunk::from_valid(signal, 0, piece.clone()));
        let pieces = match pieces.map(counted).collect() {
            Ok(pieces) => pieces,
            Err(_) => VecDeque::from([counted(Chunk::from_valid(signal, 0, batch.to_bytes()))?]),
        };
        Ok(Rest { signal, most, pieces, open: None, next: None, refusals: Refusals::default() })
    }

    /// The next part, when requests of `limit` bytes are worth sending. `None` when there is nothing left.
    pub(crate) fn next_part(&mut self, limit: usize) -> Option<Made> {
        let limit = limit.min(self.most);
        // By reference: what is in a batch is in memory already.
        let mut part = Merger::new(self.signal).with_copy_below(0);
        let mut hopeless = 0;
        while let Some(next) = self.next.take().or_else(|| self.next_piece(limit)) {
            match next {
                Piece::Alone(item) if part.is_empty() && self.is_hopeless(&item) => hopeless += item.items(),
                next if hopeless > 0 => {
                    self.next = Some(next);
                    break;
                }
                Piece::Alone(item) if part.is_empty() => return Some(Made::Part(item)),
                Piece::Fitting(next) if part.is_empty() || part.len().saturating_add(next.len()) <= limit => {
                    let mut items = next.items();
                    for piece in next.pieces() {
                        part.push(Chunk::from_valid(self.signal, std::mem::take(&mut items), piece.clone()));
                    }
                }
                next => {
                    self.next = Some(next);
                    break;
                }
            }
        }
        if hopeless > 0 {
            return Some(Made::Hopeless(hopeless));
        }
        (!part.is_empty()).then(|| Made::Part(part.finish()))
    }

    /// An item of the same batch was sent alone, as a request of so many bytes, and was refused, or taken.
    pub(crate) fn note_alone(&mut self, bytes: usize, refused: bool) {
        let Refusals { count, least } = &mut self.refusals;
        if refused {
            *least = if *count == 0 { bytes } else { (*least).min(bytes) };
            *count = count.saturating_add(1);
        } else if bytes >= *least {
            *count = 0;
        }
    }

    fn is_hopeless(&self, item: &Merged) -> bool {
        self.refusals.count >= CONVINCED && item.len() >= self.refusals.least
    }

    /// The next piece that fits, or the next part of one that does not.
    fn next_piece(&mut self, limit: usize) -> Option<Piece> {
        loop {
            if let Some(open) = &mut self.open {
                open.set_max_bytes(limit);
                match open.next() {
                    Some(Ok(part)) => return Some(Piece::Fitting(part)),
                    // Only the destination can say that it is too large. An envelope of nothing need not be sent.
                    Some(Err(alone)) if alone.items() > 0 => return Some(Piece::Alone(alone.into_request())),
                    Some(Err(_)) => continue,
                    None => self.open = None,
                }
            }
            let piece = self.pieces.pop_front()?;
            if piece.len() <= limit {
                return Some(Piece::Fitting(Merged::from_chunk(piece)));
            }
            // It was read before, so it can be now.
            self.open = split(&piece, u64::MAX, limit).ok();
        }
    }
}

/// The item of a batch that has one, without what else is in it; `None` if there is nothing else.
pub(crate) fn only_item(batch: &Merged) -> Option<Merged> {
    let mut rest = Rest::of(batch, half_of(batch.len())).ok()?;
    while let Some(Made::Part(part)) = rest.next_part(usize::MAX) {
        if part.items() > 0 {
            return (part.len() < batch.len()).then_some(part);
        }
    }
    None
}

/// The chunk with the items that it holds.
fn counted(chunk: Chunk) -> Result<Chunk, Invalid> {
    let items = scan(chunk.signal(), chunk.bytes())?.items;
    Ok(Chunk::from_valid(chunk.signal(), items, chunk.into_bytes()))
}

#[cfg(test)]
mod tests;
