//! The owner's end of a queue.

use std::fmt;

use super::{Stealer, raw};

/// In which order the owner of a queue takes back what it pushed. Thieves always take the oldest.
///
/// Complete: an owner takes from one end or from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// The newest first: what was just touched is still in the cache, and a job that waits for its children meets them at once.
    #[default]
    Lifo,
    /// The oldest first: fair between jobs, at the price of meeting the thieves at the same end.
    Fifo,
}

/// A queue with one owner, who pushes and pops at next to no cost, and any number of thieves.
///
/// This is the owner's handle. It can move to another thread but not be shared between threads; others steal through
/// [`stealer`](Self::stealer).
///
/// # Examples
///
/// ```
/// use aqueduct_exec::{Order, WorkStealingQueue};
///
/// let mine = WorkStealingQueue::new(Order::Lifo);
/// let theirs = WorkStealingQueue::new(Order::Fifo);
/// let stealer = mine.stealer();
/// (0..8).for_each(|n| mine.push(n));
///
/// assert_eq!(stealer.steal_half(&theirs), 4); // the older half
/// assert_eq!(theirs.pop(), Some(3)); // in the order in which it would have been taken
/// assert_eq!(mine.pop(), Some(7)); // the newest
/// ```
///
/// The handle of the owner stays with one thread at a time:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<aqueduct_exec::WorkStealingQueue<u64>>();
/// ```
///
/// Items cross threads, so they must be allowed to:
///
/// ```compile_fail,E0277
/// fn sent<T: Send>() {}
/// sent::<aqueduct_exec::WorkStealingQueue<std::rc::Rc<u64>>>();
/// ```
///
/// # Allocation
///
/// The buffer doubles when it is full and halves when it is mostly empty; a push or pop in between allocates nothing.
///
/// # Overload
///
/// Unbounded: whoever pushes bounds it, by [`len`](Self::len) or otherwise. [`WorkerPool`](crate::WorkerPool) does.
///
/// # Progress
///
/// Push and pop of the owner are wait-free except while the buffer is resized; a steal is lock-free.
#[doc(alias("deque", "Worker", "Chase-Lev"))]
pub struct WorkStealingQueue<T> {
    inner: raw::Worker<T>,
    order: Order,
}

impl<T> WorkStealingQueue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new(order: Order) -> WorkStealingQueue<T> {
        let inner = match order {
            Order::Lifo => raw::Worker::new_lifo(),
            Order::Fifo => raw::Worker::new_fifo(),
        };
        WorkStealingQueue { inner, order }
    }

    /// Adds an item at the newest end.
    #[inline]
    pub fn push(&self, item: T) {
        self.inner.push(item);
    }

    /// Takes the next item in the owner's order.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        self.inner.pop()
    }

    /// How many items there are; while thieves are at work, how many there were a moment ago.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether there is nothing to pop; with thieves at work, whether there was nothing a moment ago.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The order in which [`pop`](Self::pop) takes.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// A thief's handle.
    #[must_use]
    pub fn stealer(&self) -> Stealer<T> {
        Stealer { inner: self.inner.stealer() }
    }

    /// Where a batch of thieves' loot goes.
    #[inline]
    pub(super) fn raw(&self) -> &raw::Worker<T> {
        &self.inner
    }
}

impl<T> fmt::Debug for WorkStealingQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkStealingQueue").field("order", &self.order).field("len", &self.len()).finish()
    }
}
