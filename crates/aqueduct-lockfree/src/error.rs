//! Refusals. Each gives the value back.

use std::fmt;

/// A push was refused; the value comes back with the reason.
///
/// Complete: a bounded queue refuses for want of room or because it was closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PushError<T> {
    /// There is no room at the moment.
    Full(T),
    /// Nothing will be accepted any more.
    Closed(T),
}

impl<T> PushError<T> {
    /// The value that was refused.
    pub fn into_inner(self) -> T {
        match self {
            PushError::Full(value) | PushError::Closed(value) => value,
        }
    }

    /// Whether a later attempt may succeed.
    pub const fn is_full(&self) -> bool {
        matches!(self, PushError::Full(_))
    }

    /// Whether no later attempt can succeed.
    pub const fn is_closed(&self) -> bool {
        matches!(self, PushError::Closed(_))
    }
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "Full(..)" } else { "Closed(..)" })
    }
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "the queue is full" } else { "the queue is closed" })
    }
}

impl<T> std::error::Error for PushError<T> {}

/// The queue was closed; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq)]

pub struct Closed<T>(pub T);

impl<T> fmt::Debug for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed(..)")
    }
}

impl<T> fmt::Display for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is closed")
    }
}

impl<T> std::error::Error for Closed<T> {}
