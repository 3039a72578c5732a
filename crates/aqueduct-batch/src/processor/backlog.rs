//! Sealed batches that wait: for a free place, or for their next attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::bundle::{Bundle, Tag};
use crate::SealReason;

/// A sealed batch that is not being handled.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    pub(super) bundle: Bundle<T>,
    pub(super) opened: Instant,
    pub(super) reason: SealReason,
    /// Attempts that were made.
    pub(super) attempts: u32,
}

/// Sealed batches by number, which is the order in which they were opened. Each is *ready* or *delayed* until an instant.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    batches: BTreeMap<u64, Entry<T>>,
    ready: BTreeSet<u64>,
    delayed: BTreeSet<(Instant, u64)>,
    /// The lowest priority in each batch: the first is where an item goes first.
    lowest: BTreeSet<(u8, u64)>,
}

#[derive(Debug)]
struct Entry<T> {
    waiting: Waiting<T>,
    /// `None` if it is ready.
    due: Option<Instant>,
}

impl<T> Backlog<T> {
    pub(super) fn new() -> Backlog<T> {
        Backlog {
            batches: BTreeMap::new(),
            ready: BTreeSet::new(),
            delayed: BTreeSet::new(),
            lowest: BTreeSet::new(),
        }
    }

    /// Adds a batch that has items; ready at once if there is no instant.
    pub(super) fn insert(&mut self, id: u64, due: Option<Instant>, waiting: Waiting<T>) {
        self.lowest.insert((waiting.bundle.lowest(), id));
        match due {
            None => self.ready.insert(id),
            Some(due) => self.delayed.insert((due, id)),
        };
        self.batches.insert(id, Entry { waiting, due });
    }

    /// Takes the oldest batch that is ready.
    pub(super) fn pop(&mut self) -> Option<(u64, Waiting<T>)> {
        let id = self.ready.first().copied()?;
        self.remove(id).map(|waiting| (id, waiting))
    }

    /// Takes any batch.
    pub(super) fn pop_any(&mut self) -> Option<Waiting<T>> {
        let id = self.oldest()?;
        self.remove(id)
    }

    /// Makes ready what is delayed until `now` or earlier.
    pub(super) fn mature(&mut self, now: Instant) {
        while self.next_due().is_some_and(|due| due <= now) {
            self.promote_first();
        }
    }

    /// Makes ready what is delayed until after `limit`.
    pub(super) fn hurry(&mut self, limit: Instant) {
        let late: Vec<(Instant, u64)> =
            self.delayed.iter().rev().take_while(|(due, _)| *due > limit).copied().collect();
        for key in late {
            self.delayed.remove(&key);
            self.make_ready(key.1);
        }
    }

    /// When the next delay is over.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first().map(|(due, _)| *due)
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The number of the oldest batch, delayed or not.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.batches.keys().next().copied()
    }

    /// The lowest priority of all items.
    pub(super) fn lowest(&self) -> Option<u8> {
        self.lowest.first().map(|(priority, _)| *priority)
    }

    /// Takes the oldest item of the lowest priority, and with its last item a batch.
    pub(super) fn evict(&mut self) -> Option<(T, Tag)> {
        let (priority, id) = self.lowest.first().copied()?;
        let bundle = &mut self.batches.get_mut(&id)?.waiting.bundle;
        let evicted = bundle.evict();
        let (is_empty, lowest) = (bundle.is_empty(), bundle.lowest());
        if is_empty {
            self.remove_key(id, priority);
        } else if lowest != priority {
            self.lowest.remove(&(priority, id));
            self.lowest.insert((lowest, id));
        }
        evicted
    }

    #[cfg(test)]
    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.batches.values().flat_map(|entry| entry.waiting.bundle.tags())
    }

    fn promote_first(&mut self) {
        if let Some((_, id)) = self.delayed.pop_first() {
            self.make_ready(id);
        }
    }

    fn make_ready(&mut self, id: u64) {
        self.ready.insert(id);
        if let Some(entry) = self.batches.get_mut(&id) {
            entry.due = None;
        }
    }

    fn remove(&mut self, id: u64) -> Option<Waiting<T>> {
        let priority = self.batches.get(&id)?.waiting.bundle.lowest();
        self.remove_key(id, priority)
    }

    fn remove_key(&mut self, id: u64, priority: u8) -> Option<Waiting<T>> {
        let Entry { waiting, due } = self.batches.remove(&id)?;
        self.lowest.remove(&(priority, id));
        match due {
            None => self.ready.remove(&id),
            Some(due) => self.delayed.remove(&(due, id)),
        };
        Some(waiting)
    }
}
