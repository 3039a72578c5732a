//! Who waits for which items of a receipt, and what each of them is told.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Acknowledge, DropReason, Settled};

/// The waiters of one receipt. One waiter, by far the most common number, needs no list.
#[derive(Default)]
pub(super) enum Waiters {
    #[default]
    None,
    One(Waiter),
    Many(Vec<Waiter>),
}

/// One waiter and the range of the receipt's items that are its own.
pub(super) struct Waiter {
    /// Position of its first item in the receipt.
    start: u64,
    /// How many of the receipt's items are its own.
    items: u64,
    line: Line,
}

/// How a waiter is reached.
enum Line {
    /// All its items are in this receipt: tell it directly.
    Direct(Arc<dyn Acknowledge>),
    /// Its items were split over several receipts: the last of them to be settled tells it.
    Shared(Arc<Shared>),
}

impl Waiters {
    pub(super) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Waiters::None)
    }

    pub(super) fn attach(&mut self, waiter: Arc<dyn Acknowledge>, items: u64) {
        self.push(Waiter { start: 0, items, line: Line::Direct(waiter) });
    }

    /// Appends `other`, whose items begin at `offset` of this receipt.
    pub(super) fn append(&mut self, mut other: Waiters, offset: u64) {
        for waiter in other.as_mut_slice() {
            waiter.start = waiter.start.wrapping_add(offset);
        }
        match other {
            Waiters::None => {}
            Waiters::One(waiter) => self.push(waiter),
            Waiters::Many(mut list) => match self {
                Waiters::None => *self = Waiters::Many(list),
                Waiters::One(_) => {
                    // The order of the list means nothing, `start` does: the longer side need not move.
                    if let Waiters::One(first) = mem::take(self) {
                        list.push(first);
                    }
                    *self = Waiters::Many(list);
                }
                Waiters::Many(mine) => {
                    if mine.len() < list.len() {
                        mem::swap(mine, &mut list);
                    }
                    mine.append(&mut list);
                }
            },
        }
    }

    /// Takes the waiters of the first `items` items; one that lies on both sides is then in both.
    pub(super) fn split(&mut self, items: u64) -> Waiters {
        let mut front = Waiters::None;
        for waiter in mem::take(self).into_list() {
            match waiter.cut(items) {
                Cut::Before(waiter) => front.push(waiter),
                Cut::After(waiter) => self.push(waiter),
                Cut::Through(before, after) => {
                    front.push(before);
                    self.push(after);
                }
            }
        }
        front
    }

    /// Tells every waiter of a receipt of `items` items that was settled as `how`.
    pub(super) fn tell(mut self, items: u64, how: Settled) {
        if matches!(how, Settled::Partial { .. }) {
            self.rejoin();
        }
        let mut telling = Telling { rest: self, items, how };
        telling.run();
    }

    /// Joins the parts of a waiter that was split and has come together again: how many refused items are certainly its own is said
    /// by its number of items in the whole receipt.
    fn rejoin(&mut self) {
        let Waiters::Many(list) = self else { return };
        list.sort_unstable_by_key(Waiter::shared);
        list.dedup_by(|part, kept| {
            let same = part.shared().is_some() && part.shared() == kept.shared();
            if same {
                kept.items += part.items;
            }
            same
        });
    }

    fn push(&mut self, waiter: Waiter) {
        match self {
            Waiters::None => *self = Waiters::One(waiter),
            Waiters::One(_) => {
                if let Waiters::One(first) = mem::take(self) {
                    *self = Waiters::Many(vec![first, waiter]);
                }
            }
            Waiters::Many(list) => list.push(waiter),
        }
    }

    fn pop(&mut self) -> Option<Waiter> {
        match self {
            Waiters::Many(list) => list.pop(),
            _ => match mem::take(self) {
                Waiters::One(waiter) => Some(waiter),
                _ => None,
            },
        }
    }

    fn into_list(self) -> impl Iterator<Item = Waiter> {
        let (one, many) = match self {
            Waiters::None => (None, Vec::new()),
            Waiters::One(waiter) => (Some(waiter), Vec::new()),
            Waiters::Many(list) => (None, list),
        };
        one.into_iter().chain(many)
    }

    fn as_slice(&self) -> &[Waiter] {
        match self {
            Waiters::None => &[],
            Waiters::One(waiter) => std::slice::from_ref(waiter),
            Waiters::Many(list) => list,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Waiter] {
        match self {
            Waiters::None => &mut [],
            Waiters::One(waiter) => std::slice::from_mut(waiter),
            Waiters::Many(list) => list,
        }
    }
}

/// Where a cut leaves a waiter.
enum Cut {
    Before(Waiter),
    After(Waiter),
    Through(Waiter, Waiter),
}

impl Waiter {
    /// Cuts the receipt after its first `at` items.
    fn cut(self, at: u64) -> Cut {
        if self.start >= at {
            return Cut::After(Waiter { start: self.start - at, ..self });
        }
        let before = at - self.start;
        if before >= self.items {
            return Cut::Before(self);
        }
        let shared = match self.line {
            Line::Direct(waiter) => Arc::new(Shared::new(waiter, self.items)),
            Line::Shared(shared) => shared,
        };
        Cut::Through(
            Waiter { start: self.start, items: before, line: Line::Shared(Arc::clone(&shared)) },
            Waiter { start: 0, items: self.items - before, line: Line::Shared(shared) },
        )
    }

    /// Which split waiter this is a part of; only compared, never followed.
    fn shared(&self) -> Option<*const Shared> {
        match &self.line {
            Line::Direct(_) => None,
            Line::Shared(shared) => Some(Arc::as_ptr(shared)),
        }
    }

    /// Tells this waiter what became of its part of a receipt of `all` items that was settled as `how`.
    fn tell(self, all: u64, how: Settled) {
        let how = match how {
            // Nothing of nothing was refused.
            Settled::Partial { .. } if self.items == 0 => Settled::Delivered,
            // Even if all other items of the receipt were refused, so many of the refused are this waiter's.
            Settled::Partial { rejected } => {
                Settled::Partial { rejected: rejected.saturating_sub(all - self.items) }
            }
            how => how,
        };
        match self.line {
            Line::Direct(waiter) => waiter.settled(self.items, &how),
            Line::Shared(shared) => shared.settled(self.items, how),
        }
    }
}

/// A loop over waiters that finishes even if one of them panics: the others must not wait for ever because of it.
struct Telling {
    rest: Waiters,
    items: u64,
    how: Settled,
}

impl Telling {
    fn run(&mut self) {
        while let Some(waiter) = self.rest.pop() {
            waiter.tell(self.items, self.how);
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        // Nothing is left but during a panic. A second panic aborts, as it does anywhere.
        self.run();
    }
}

/// A waiter whose items were split over several receipts.
struct Shared {
    waiter: Arc<dyn Acknowledge>,
    items: u64,
    tally: Mutex<Tally>,
}

/// What the settled parts of a waiter came to so far.
#[derive(Default)]
struct Tally {
    settled: u64,
    /// Some part was delivered, wholly or partly.
    delivered: bool,
    /// Some part was refused, wholly or partly.
    refused: bool,
    /// Items that were certainly refused.
    rejected: u64,
    /// The reason of the first part that was given up; a loss replaces a reason that is none.
    dropped: Option<DropReason>,
}

impl Shared {
    fn new(waiter: Arc<dyn Acknowledge>, items: u64) -> Self {
        Shared { waiter, items, tally: Mutex::default() }
    }

    /// Adds one part; the last part tells the waiter.
    fn settled(&self, items: u64, how: Settled) {
        // Nothing in here can panic half way, so a poisoned tally is still a right one.
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.add(items, how);
        if tally.settled == self.items {
            let how = tally.outcome(self.items);
            drop(tally);
            self.waiter.settled(self.items, &how);
        }
    }
}

impl Tally {
    fn add(&mut self, items: u64, how: Settled) {
        // Parts are never empty: a cut through a waiter leaves items on both sides.
        self.settled += items;
        match how {
            Settled::Delivered => self.delivered = true,
            Settled::Partial { rejected } => {
                self.refused = true;
                self.rejected += rejected;
            }
            Settled::Rejected => {
                self.refused = true;
                self.rejected += items;
            }
            Settled::Dropped(reason) => {
                if self.dropped.is_none_or(|first| !first.is_loss()) {
                    self.dropped = Some(reason);
                }
            }
        }
    }

    /// The most serious outcome of all parts.
    fn outcome(&self, items: u64) -> Settled {
        match self.dropped {
            Some(reason) if reason.is_loss() => Settled::Dropped(reason),
            _ if self.refused && self.rejected == items => Settled::Rejected,
            _ if self.refused => Settled::Partial { rejected: self.rejected },
            Some(reason) if !self.delivered => Settled::Dropped(reason),
            _ => Settled::Delivered,
        }
    }
}
