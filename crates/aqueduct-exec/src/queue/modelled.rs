//! A deque for the model checker, which cannot look into crossbeam's: the same operations under a lock.
//!
//! The lock would order more than the real deque does, so whether there is something is answered from a relaxed counter beside it:
//! what the pool relies upon must then come from the pool's own fences.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

#[derive(Debug)]
pub(super) enum Steal<T> {
    Success(T),
    Empty,
    #[expect(dead_code, reason = "the model decides at once; the real deque may not")]
    Retry,
}

impl<T> From<Option<T>> for Steal<T> {
    fn from(item: Option<T>) -> Steal<T> {
        item.map_or(Steal::Empty, Steal::Success)
    }
}

#[derive(Debug)]
struct Items<T> {
    items: Mutex<VecDeque<T>>,
    /// Written under the lock, read without it. Relaxed on purpose, see the module.
    len: AtomicUsize,
}

impl<T> Default for Items<T> {
    fn default() -> Items<T> {
        Items { items: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0) }
    }
}

impl<T> Items<T> {
    fn with<R>(&self, work: impl FnOnce(&mut VecDeque<T>) -> R) -> R {
        let mut items = lock(&self.items);
        let result = work(&mut items);
        // Relaxed on purpose, see the module.
        self.len.store(items.len(), Ordering::Relaxed);
        result
    }

    fn len(&self) -> usize {
        // Relaxed on purpose, see the module.
        self.len.load(Ordering::Relaxed)
    }

    fn batch_and_pop(&self, into: &Worker<T>, limit: usize) -> Steal<T> {
        // As many as may be, which shows more than the real deque's half. They are in no queue for a moment, as there.
        let mut batch = self.with(|items| {
            let count = items.len().min(limit);
            items.drain(..count).collect::<VecDeque<T>>()
        });
        let first = batch.pop_front();
        if !batch.is_empty() {
            into.take_in(batch);
        }
        first.into()
    }
}

#[derive(Debug)]
pub(super) struct Worker<T> {
    items: Arc<Items<T>>,
    lifo: bool,
}

impl<T> Worker<T> {
    pub(super) fn new_lifo() -> Worker<T> {
        Worker { items: Arc::default(), lifo: true }
    }

    pub(super) fn new_fifo() -> Worker<T> {
        Worker { items: Arc::default(), lifo: false }
    }

    pub(super) fn push(&self, item: T) {
        self.items.with(|items| items.push_back(item));
    }

    /// What a thief has taken, the oldest first, so that it comes out in the order in which it would have been taken.
    fn take_in(&self, batch: VecDeque<T>) {
        self.items.with(|items| match self.lifo {
            true => items.extend(batch.into_iter().rev()),
            false => items.extend(batch),
        });
    }

    pub(super) fn pop(&self) -> Option<T> {
        if self.is_empty() {
            // Only the owner pushes, so its own view of an empty queue is right.
            return None;
        }
        self.items.with(|items| if self.lifo { items.pop_back() } else { items.pop_front() })
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn stealer(&self) -> Stealer<T> {
        Stealer { items: Arc::clone(&self.items) }
    }
}

#[derive(Debug)]
pub(super) struct Stealer<T> {
    items: Arc<Items<T>>,
}

impl<T> Stealer<T> {
    pub(super) fn steal(&self) -> Steal<T> {
        if self.is_empty() {
            return Steal::Empty;
        }
        self.items.with(VecDeque::pop_front).into()
    }

    pub(super) fn steal_batch_with_limit(&self, into: &Worker<T>, limit: usize) -> Steal<()> {
        let half: Vec<T> = self.items.with(|items| {
            let count = items.len().div_ceil(2).min(limit);
            items.drain(..count).collect()
        });
        let stolen = if half.is_empty() { Steal::Empty } else { Steal::Success(()) };
        into.items.with(|items| items.extend(half));
        stolen
    }

    pub(super) fn steal_batch_with_limit_and_pop(&self, into: &Worker<T>, limit: usize) -> Steal<T> {
        if self.is_empty() {
            return Steal::Empty;
        }
        self.items.batch_and_pop(into, limit)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Stealer<T> {
        Stealer { items: Arc::clone(&self.items) }
    }
}

#[derive(Debug)]
pub(super) struct Injector<T> {
    items: Items<T>,
}

impl<T> Default for Injector<T> {
    fn default() -> Injector<T> {
        Injector::new()
    }
}

impl<T> Injector<T> {
    pub(super) fn new() -> Injector<T> {
        Injector { items: Items::default() }
    }

    pub(super) fn push(&self, item: T) {
        self.items.with(|items| items.push_back(item));
    }

    pub(super) fn steal(&self) -> Steal<T> {
        if self.is_empty() {
            return Steal::Empty;
        }
        self.items.with(VecDeque::pop_front).into()
    }

    pub(super) fn steal_batch_with_limit_and_pop(&self, into: &Worker<T>, limit: usize) -> Steal<T> {
        if self.is_empty() {
            return Steal::Empty;
        }
        self.items.batch_and_pop(into, limit)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
