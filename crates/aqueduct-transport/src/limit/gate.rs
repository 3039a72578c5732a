//! A limit that tasks wait at.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{ConcurrencyLimit, Feedback, Permit};
use crate::clock;
use crate::error::ConfigError;

/// A [`ConcurrencyLimit`] that tasks share and wait at; clones share it. Tasks that wait are woken in the order in which they came; one that comes at the right
/// moment may go before them.
///
/// ```
/// use aqueduct_transport::limit::{ConcurrencyGate, ConcurrencyLimit, Feedback};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let gate = ConcurrencyGate::from(ConcurrencyLimit::default());
/// let slot = gate.acquire().await;
/// // One attempt here.
/// slot.finished(Feedback::Success);
/// assert_eq!((gate.limit(), gate.in_flight()), (2, 0));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ConcurrencyGate(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    limit: Mutex<ConcurrencyLimit>,
    /// Told once for each task that may go on; who goes on tells the next if there is room for another.
    room: Notify,
}

impl ConcurrencyGate {
    /// Waits for the right to send one more request.
    ///
    /// # Cancel safety
    ///
    /// A task that stops waiting loses its place and nothing else.
    pub async fn acquire(&self) -> Slot {
        loop {
            let mut room = pin!(self.0.room.notified());
            // From here on no call is missed, although it is awaited only later.
            room.as_mut().enable();
            if let Some(slot) = self.try_acquire() {
                return slot;
            }
            room.await;
        }
    }

    /// The right to send one more request, if there is one now.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Slot> {
        let permit = self.locked().try_acquire(clock::now())?;
        self.tell();
        Some(Slot { gate: self.clone(), permit: Some(permit) })
    }

    /// As [`ConcurrencyLimit::set_bounds`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Range`] for bounds that are zero or contradict each other; nothing changes then.
    pub fn set_bounds(&self, min: usize, max: usize) -> Result<(), ConfigError> {
        self.locked().set_bounds(min, max)?;
        self.tell();
        Ok(())
    }

    /// How many requests may be in flight at once now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.locked().limit()
    }

    /// How many are.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.locked().in_flight()
    }

    /// Tells one task that waits, if there is room for it.
    fn tell(&self) {
        let limit = self.locked();
        if limit.in_flight() < limit.limit() {
            self.0.room.notify_one();
        }
    }

    fn locked(&self) -> MutexGuard<'_, ConcurrencyLimit> {
        // Each of its methods leaves it whole, so a panic elsewhere does not spoil it.
        self.0.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<ConcurrencyLimit> for ConcurrencyGate {
    fn from(limit: ConcurrencyLimit) -> Self {
        Self(Arc::new(Shared { limit: Mutex::new(limit), room: Notify::new() }))
    }
}

/// The right to have one request in flight. Dropped without a word, the request ended with [`Feedback::Failure`]: it was
/// cancelled.
#[derive(Debug)]
pub struct Slot {
    gate: ConcurrencyGate,
    permit: Option<Permit>,
}

impl Slot {
    /// Tells how the request ended, and makes room for another.
    pub fn finished(mut self, feedback: Feedback) {
        self.give_back(feedback);
    }

    fn give_back(&mut self, feedback: Feedback) {
        if let Some(permit) = self.permit.take() {
            self.gate.locked().finished(permit, clock::now(), feedback);
            self.gate.tell();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.give_back(Feedback::Failure);
    }
}
