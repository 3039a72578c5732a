//! Making parts of a batch that is larger than the destination takes.
//!
//! Each part ([`crate::halve`]) is made when it would be its turn: before it is sent if the destination has refused such a size before,
//! and otherwise when it refuses this one.

use std::time::Instant;

use aqueduct_metrics::DropReason;

use super::Dispatch;
use crate::halve::{Made, Rest, half_of, only_item};
use crate::held::{Content, Held};
use crate::lane::{Counts, Pick};

impl Dispatch {
    /// Makes a part of the batch that is next, which is then next.
    pub(super) fn halve(&mut self, pick: Pick, now: Instant) {
        let limit = self.lane.destination.sizes().limit();
        let taken = {
            let mut state = self.lane.state();
            let held = state.take_next(pick);
            state.settling = held.as_ref().map(|held| (held.batch, held.receipt.items()));
            held
        };
        let Some(mut held) = taken else { return };
        if let Some(merged) = self.loosened(&mut held) {
            held.content = match Rest::of(&merged, usize::MAX) {
                Ok(rest) => {
                    Counts::add(&self.lane.counts.splits, 1);
                    Content::Rest(Box::new(rest))
                }
                Err(_) => Content::Whole(merged),
            };
        } else if let Content::Squeezed { tried, .. } = &mut held.content {
            // No batch can be made of it, so it is sent as it is.
            *tried = true;
        }
        let Content::Rest(rest) = &mut held.content else {
            return self.put_first(held);
        };
        let merged = match rest.next_part(limit) {
            Some(Made::Part(merged)) => merged,
            Some(Made::Hopeless(items)) => return self.give_up(held, items, now),
            None => {
                // The last item was in the part before, unless somebody has counted wrongly.
                self.drop_batch(held, DropReason::TooLarge, "it holds fewer items than it was said to", now);
                return self.settled();
            }
        };
        let id = self.lane.state().take_id();
        let part = Held {
            id,
            batch: held.batch,
            receipt: held.receipt.split(merged.items()),
            charged: held.charged.min(merged.len() as u64),
            times: held.times,
            attempts: 0,
            part: held.part,
            squeezed: false,
            priority: held.priority,
            content: Content::Merged(merged),
        };
        held.charged -= part.charged;
        if held.receipt.items() > 0 {
            self.put_part(part, held);
        } else {
            // It was the last one.
            self.put_first(Held { charged: part.charged + held.charged, ..part });
        }
    }

    /// Drops the next items of a batch of which parts are being made.
    fn give_up(&mut self, mut held: Held, items: u64, now: Instant) {
        let cause = "too large alone, as others of this size before it";
        if items < held.receipt.items() {
            self.drop_receipt(held.receipt.split(items), DropReason::TooLarge, cause, now);
            self.put_first(held);
        } else {
            self.drop_batch(held, DropReason::TooLarge, cause, now);
            self.settled();
        }
    }

    /// The same for a part; the rest comes after one other batch, so that those behind one of many parts get on as well.
    fn put_part(&self, part: Held, rest: Held) {
        let mut state = self.lane.state();
        state.settling = None;
        let after = state.queue.len().min(1);
        state.queue.insert(after, rest);
        state.queue.push_front(part);
        self.lane.note_backlog(&state);
    }

    /// Makes parts of a batch that the destination does not take, or drops it if there is nothing to divide.
    pub(super) fn too_large(&mut self, mut held: Held, cause: &str, now: Instant) {
        let made = match self.loosened(&mut held) {
            Some(merged) if held.receipt.items() > 1 => {
                Rest::of(&merged, half_of(merged.len())).ok().map(|rest| Content::Rest(Box::new(rest)))
            }
            Some(merged) => only_item(&merged).map(Content::Merged),
            None => None,
        };
        match made {
            Some(content) => {
                Counts::add(&self.lane.counts.splits, 1);
                self.put_first(Held { content, part: true, ..held });
            }
            None => {
                self.lane.destination.sizes().alone_refused();
                self.note_alone(&held, held.content.len(), true);
                self.drop_batch(held, DropReason::TooLarge, cause, now);
            }
        }
    }

    /// Tells the rest of a batch what became of an item of it that was sent alone.
    pub(super) fn note_alone(&self, held: &Held, bytes: usize, refused: bool) {
        if held.id == held.batch || held.receipt.items() != 1 {
            return;
        }
        for other in self.lane.state().queue.iter_mut().filter(|other| other.batch == held.batch) {
            if let Content::Rest(rest) = &mut other.content {
                rest.note_alone(bytes, refused);
            }
        }
    }
}
