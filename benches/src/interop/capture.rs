//! What a judge has received, and waiting for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aqueduct_wire::Signal;

use super::items;
use super::message::Message;

/// A request that arrived.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) message: Message,
    pub(super) content_type: String,
    /// gzip, zstd, or empty.
    pub(super) encoding: String,
    pub(super) user_agent: String,
}

/// Requests in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Capture {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    arrivals: Vec<Arrival>,
    complaints: Vec<String>,
}

impl Capture {
    pub(super) fn add(&self, arrival: Arrival) {
        self.lock().arrivals.push(arrival);
        self.changed.notify_all();
    }

    /// Something arrived that cannot be read.
    pub(super) fn complain(&self, complaint: String) {
        self.lock().complaints.push(complaint);
        self.changed.notify_all();
    }

    /// Waits until at least this many items of a signal are here, or something could not be read, or the time is over.
    pub(super) fn wait(&self, signal: Signal, count: u64, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        while inner.count(signal) < count && inner.complaints.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes what has arrived of a signal, and all complaints.
    pub(super) fn take(&self, signal: Signal) -> (Vec<Arrival>, Vec<String>) {
        let mut inner = self.lock();
        let (taken, left) = std::mem::take(&mut inner.arrivals)
            .into_iter()
            .partition(|arrival| arrival.message.signal() == signal);
        inner.arrivals = left;
        (taken, std::mem::take(&mut inner.complaints))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn count(&self, signal: Signal) -> u64 {
        let messages = self.arrivals.iter().map(|arrival| &arrival.message);
        messages.filter(|message| message.signal() == signal).map(items::count).sum()
    }
}
