//! The queue through which items reach the owners from outside.

use std::fmt;

use super::{WorkStealingQueue, decided, raw};

/// A queue without an owner: anybody pushes, anybody takes, the oldest first.
///
/// # Examples
///
/// ```
/// use aqueduct_exec::{Injector, Order, WorkStealingQueue};
///
/// let injector = Injector::new();
/// (0..100).for_each(|n| injector.push(n));
/// let mine = WorkStealingQueue::new(Order::Fifo);
/// assert_eq!(injector.steal_batch_and_pop(&mine, 32), Some(0));
/// assert_eq!(mine.len() + injector.len(), 99);
/// ```
///
/// # Allocation
///
/// A block for every 63 items.
///
/// # Overload
///
/// Unbounded: whoever pushes bounds it. [`WorkerPool`](crate::WorkerPool) does.
///
/// # Progress
///
/// Pushing blocks for a few instructions while another thread installs the next block; otherwise lock-free.
#[derive(Default)]
pub struct Injector<T> {
    inner: raw::Injector<T>,
}

impl<T> Injector<T> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Injector<T> {
        Injector { inner: raw::Injector::new() }
    }

    /// Adds an item as the newest.
    #[inline]
    pub fn push(&self, item: T) {
        self.inner.push(item);
    }

    /// Takes the oldest item.
    #[inline]
    pub fn steal(&self) -> Option<T> {
        decided(|| self.inner.steal())
    }

    /// Takes the oldest item to work on at once, and moves up to half of the others, at most `limit` in all, into `into`.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    #[inline]
    pub fn steal_batch_and_pop(&self, into: &WorkStealingQueue<T>, limit: usize) -> Option<T> {
        decided(|| self.inner.steal_batch_with_limit_and_pop(into.raw(), limit))
    }

    /// How many items there were a moment ago.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether there was nothing to take a moment ago.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl<T> fmt::Debug for Injector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injector").field("len", &self.len()).finish()
    }
}
