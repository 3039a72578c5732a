//! The credit that all lanes share: how many items may still be pushed.
//!
//! Invariant: credit + grants not used + items in lanes = capacity, at rest; in between, what the consumer took and has not given back yet
//! is missing. So the lanes never hold more than the capacity.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crossbeam_utils::{Backoff, CachePadded};

use super::producer::EARLY;
use crate::sync::atomic::AtomicUsize;

/// A grant is at least this much, if there is as much: the line of the credit costs about 100 ns when another core has it, and near the end
/// each producer would fetch it for every item.
const LEAST: usize = 8;
/// A grant is at most this much: 100 ns are then well below 1 ns an item, and a producer that stops keeps little from the others.
const MOST: usize = 256;

#[derive(Debug)]
pub(super) struct Credit {
    /// Taken by producers, given back by the consumer and by producers that end.
    free: CachePadded<AtomicUsize>,
    /// What producers were granted and, as far as they have said, have not used. Changed by producers when they ask and end.
    lent: AtomicUsize,
    capacity: usize,
    /// At most this much is granted in advance over all producers, about: half of the threshold that wakes.
    advance: usize,
}

/// What a producer got.
pub(super) struct Grant {
    pub(super) items: usize,
    /// The items that wait or may be pushed without asking, this grant included.
    pub(super) used: usize,
}

impl Credit {
    pub(super) fn new(capacity: usize, threshold: usize) -> Credit {
        Credit {
            free: CachePadded::new(AtomicUsize::new(capacity)),
            lent: AtomicUsize::new(0),
            capacity,
            advance: threshold / 2,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Takes a share of what is free for one of `producers`: the less is free, the less, so that it does not lie idle with few.
    pub(super) fn take(&self, producers: usize, spent: usize) -> Option<Grant> {
        let producers = producers.max(1);
        let sharers = 2 * producers;
        // A producer asks while it still holds a little.
        // Relaxed: about how much is enough. Half of what is left, so that those who came first do not keep it all. What this producer has
        // spent is taken off below, in one step with what it gets: it is part of `lent` until then.
        let lent = self.lent.load(Relaxed) - spent;
        let left = self.advance.saturating_sub(lent) / 2;
        let most = (self.advance / producers).saturating_sub(EARLY as usize).min(left).clamp(1, MOST);
        let backoff = Backoff::new();
        // Relaxed: only a hint, confirmed by the exchange.
        let mut free = self.free.load(Relaxed);
        while free > 0 {
            let items = (free / sharers).max(LEAST).min(most).clamp(1, free);
            // Acquire: pairs with the release of `give`; who gets credit of items that were taken also sees the `head` behind them, and does
            // not take the lane's memory for full. Relaxed on failure: a hint.
            match self.free.compare_exchange_weak(free, free - items, Acquire, Relaxed) {
                Ok(_) => {
                    self.lend(items.wrapping_sub(spent));
                    return Some(Grant { items, used: self.capacity - (free - items) });
                }
                Err(now) => {
                    free = now;
                    backoff.spin();
                }
            }
        }
        self.lend(spent.wrapping_neg());
        None
    }

    /// Adds to what is lent, or takes off what was added before. Mostly as much is granted as was spent, and nothing is to be written.
    fn lend(&self, difference: usize) {
        if difference != 0 {
            // Relaxed: a number.
            self.lent.fetch_add(difference, Relaxed);
        }
    }

    pub(super) fn give(&self, items: usize) {
        if items > 0 {
            // Release: pairs with the acquire of `take`.
            self.free.fetch_add(items, Release);
        }
    }

    /// A producer ended.
    pub(super) fn settle(&self, lent: usize) {
        self.lent.fetch_sub(lent, Relaxed);
    }

    /// For prefetching.
    pub(super) fn word(&self) -> *const AtomicUsize {
        &*self.free
    }
}
