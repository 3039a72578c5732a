//! What a handler is given, and what it gives back.

use std::time::{Duration, Instant};

use super::bundle::Tag;
use crate::{SealReason, Weight};

/// A batch in the hands of a handler.
///
/// It knows the weight of each of its items, so that what a handler gives back can be counted.
///
/// # Examples
///
/// A handler that sends what it can and gives back the rest:
///
/// ```
/// use aqueduct_batch::{Batch, Failed};
///
/// fn send(item: &String) -> bool {
///     !item.is_empty()
/// }
///
/// fn handle(mut batch: Batch<String>) -> Result<(), Failed<String>> {
///     // What is not retained was handled.
///     batch.retain(|item| !send(item));
///     if batch.is_empty() { Ok(()) } else { Err(Failed::retry(batch)) }
/// }
/// # let _ = handle;
/// ```
#[derive(Debug)]
pub struct Batch<T> {
    pub(super) id: u64,
    pub(super) items: Vec<T>,
    /// One for each item.
    pub(super) tags: Vec<Tag>,
    pub(super) opened: Instant,
    pub(super) reason: SealReason,
    pub(super) attempt: u32,
}

impl<T> Batch<T> {
    /// The items, in the order in which they were added.
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// The items by themselves. They cannot be given back after that; to try again later, look at them in the batch.
    pub fn into_items(self) -> Vec<T> {
        self.items
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether no item is left.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// What the items weigh together.
    pub fn weight(&self) -> Weight {
        self.tags.iter().fold(Weight::default(), |sum, tag| sum.plus(tag.weight))
    }

    /// When the first of its items was added.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Why it was sealed.
    pub fn reason(&self) -> SealReason {
        self.reason
    }

    /// Which attempt this is; 1 is the first.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Keeps the items for which `keep` returns true; the others count as handled, whatever becomes of the batch.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let mut kept = Vec::with_capacity(self.tags.len());
        let mut tags = self.tags.iter();
        self.items.retain(|item| {
            let tag = tags.next();
            let keeps = keep(item);
            kept.extend(tag.filter(|_| keeps));
            keeps
        });
        self.tags = kept;
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Batch<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// A handler's failure, with what is left of the batch. What is not given back of it counts as handled, unless nothing is.
///
/// # Examples
///
/// ```
/// use aqueduct_batch::{Batch, Failed};
/// use std::time::Duration;
///
/// fn handle(batch: Batch<u32>) -> Result<(), Failed<u32>> {
///     match batch.len() % 3 {
///         0 => Ok(()),
///         // The destination asks for patience: not before this time, later if the retry policy says so.
///         1 => Err(Failed::retry_after(batch, Duration::from_secs(3))),
///         // It will never take this.
///         _ => Err(Failed::permanent(batch)),
///     }
/// }
/// # let _ = handle;
/// ```
#[derive(Debug)]
pub struct Failed<T> {
    pub(super) batch: Option<Batch<T>>,
    /// `None` if trying again is of no use.
    pub(super) retry: Option<Duration>,
}

impl<T> Failed<T> {
    /// To be tried again as the [`Retry`](crate::Retry) policy says.
    pub fn retry(batch: Batch<T>) -> Self {
        Failed { batch: Some(batch), retry: Some(Duration::ZERO) }
    }

    /// To be tried again as the policy says, and not before this time has passed.
    pub fn retry_after(batch: Batch<T>, delay: Duration) -> Self {
        Failed { batch: Some(batch), retry: Some(delay) }
    }

    /// What is in the batch can never be handled: it counts as failed.
    pub fn permanent(batch: Batch<T>) -> Self {
        Failed { batch: Some(batch), retry: None }
    }

    /// The handler has used up the batch: all of it counts as failed.
    pub fn lost() -> Self {
        Failed { batch: None, retry: None }
    }
}
