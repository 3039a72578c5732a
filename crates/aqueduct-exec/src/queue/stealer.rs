//! The thieves' end of a queue.

use std::fmt;

use super::{WorkStealingQueue, decided, raw};

/// Takes the oldest items of a queue that belongs to somebody else. Cheap to clone, shared freely.
///
/// # Progress
///
/// Lock-free: an attempt fails only when another thread succeeded, and is then repeated.
pub struct Stealer<T> {
    pub(super) inner: raw::Stealer<T>,
}

impl<T> Stealer<T> {
    /// Takes the oldest item.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = aqueduct_exec::WorkStealingQueue::new(Default::default());
    /// queue.push('a');
    /// queue.push('b');
    /// assert_eq!(queue.stealer().steal(), Some('a'));
    /// ```
    #[inline]
    pub fn steal(&self) -> Option<T> {
        decided(|| self.inner.steal())
    }

    /// Moves the older half, rounded up, into `into`, and returns how many items came.
    ///
    /// From a queue that works in [`Order::Fifo`](crate::Order::Fifo) the half comes with one atomic step; in
    /// [`Order::Lifo`](crate::Order::Lifo) item by item, so that it may end early when its owner is quicker.
    ///
    /// They arrive so that the owner of `into` takes them in the order in which their former owner would have: after a steal from a queue
    /// in [`Order::Lifo`](crate::Order::Lifo) the newest of them first.
    ///
    /// While others steal from `into` at the same time, the count is that of what is still there.
    #[inline]
    pub fn steal_half(&self, into: &WorkStealingQueue<T>) -> usize {
        let before = into.len();
        let stolen = decided(|| self.inner.steal_batch_with_limit(into.raw(), usize::MAX));
        if stolen.is_some() { into.len().saturating_sub(before) } else { 0 }
    }

    /// Takes up to half of the items, the older ones, at least one and at most `limit`: one to work on at once, the others into `into`, all
    /// in the order in which their former owner would have taken them.
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

    /// Whether there was nothing to steal a moment ago.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Stealer<T> {
        Stealer { inner: self.inner.clone() }
    }
}

impl<T> fmt::Debug for Stealer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stealer").field("len", &self.len()).finish()
    }
}
