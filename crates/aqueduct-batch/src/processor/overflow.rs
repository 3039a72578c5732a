//! What happens to an item that finds the queue full.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Which item goes when the queue is full.
///
/// Only items that wait can go, not those of a batch that is being handled. [`BatchProcessor::add_async`](crate::BatchProcessor::add_async)
/// waits for room under every policy.
///
/// # Examples
///
/// ```
/// use aqueduct_batch::Overflow;
///
/// struct Line { text: String, is_error: bool }
///
/// let drop_oldest: Overflow<Line> = Overflow::DropOldest;
/// // Errors stay, and among equals the latest.
/// let keep_errors = Overflow::priority(|line: &Line| u8::from(line.is_error));
/// # let _ = (drop_oldest, keep_errors, Line { text: String::new(), is_error: true }.text);
/// ```
#[non_exhaustive]
pub enum Overflow<T> {
    /// The new item goes back to the caller. The default.
    DropNewest,
    /// The oldest items that wait are dropped until the new one fits. If it cannot fit, because what is being handled takes the room, nothing is
    /// dropped and it goes back to the caller.
    DropOldest,
    /// The items of the lowest priority are dropped until the new one fits, the oldest among equals first. A new item that would only fit in
    /// place of items of higher priority goes back to the caller.
    Priority(Priority<T>),
    /// The calling thread waits for room, for so long at most. Called from the handler it does not wait, because nobody else would make
    /// room.
    Block {
        /// How long it waits.
        deadline: Duration,
    },
}

/// A function that says how important an item is; higher is kept longer.
///
/// Made by [`Overflow::priority`].
pub struct Priority<T>(Arc<dyn Fn(&T) -> u8 + Send + Sync>);

impl<T> Overflow<T> {
    /// [`Overflow::Priority`] by a function. It is called once for each item, on the thread that adds it.
    pub fn priority(of: impl Fn(&T) -> u8 + Send + Sync + 'static) -> Self {
        Overflow::Priority(Priority(Arc::new(of)))
    }

    /// What counts for the order in which items go. All the same where that is age.
    pub(super) fn rank(&self, item: &T) -> u8 {
        match self {
            Overflow::Priority(Priority(of)) => of(item),
            Overflow::DropNewest | Overflow::DropOldest | Overflow::Block { .. } => 0,
        }
    }
}

// Not derived: an item need not be `Clone` or `Debug` for it.
impl<T> Clone for Priority<T> {
    fn clone(&self) -> Self {
        Priority(Arc::clone(&self.0))
    }
}

impl<T> Clone for Overflow<T> {
    fn clone(&self) -> Self {
        match self {
            Overflow::DropNewest => Overflow::DropNewest,
            Overflow::DropOldest => Overflow::DropOldest,
            Overflow::Priority(priority) => Overflow::Priority(priority.clone()),
            Overflow::Block { deadline } => Overflow::Block { deadline: *deadline },
        }
    }
}

impl<T> fmt::Debug for Priority<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Priority(..)")
    }
}

impl<T> fmt::Debug for Overflow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Overflow::DropNewest => f.write_str("DropNewest"),
            Overflow::DropOldest => f.write_str("DropOldest"),
            Overflow::Priority(_) => f.write_str("Priority(..)"),
            Overflow::Block { deadline } => f.debug_struct("Block").field("deadline", deadline).finish(),
        }
    }
}
