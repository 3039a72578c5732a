//! What a client counts and remembers, and the snapshot a user sees.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::failure::{Failure, FailureKind};
use crate::outcome::Outcome;

/// A snapshot of a client's connections, counts and last events. All counts are since the client was built.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClientStatus {
    /// Whether at least one connection is up. Connections are opened by the first send, not by building a client.
    pub connected: bool,
    /// Connections that are up now.
    pub connections: usize,
    /// Connections that came about.
    pub connects: u64,
    /// Connections that did not come about.
    pub connect_failures: u64,
    /// Attempts that ended with [`Outcome::Delivered`].
    pub delivered: u64,
    /// Attempts that ended with [`Outcome::Partial`].
    pub partial: u64,
    /// Attempts that ended with [`Outcome::Retry`].
    pub retryable: u64,
    /// Attempts that ended with [`Outcome::Permanent`].
    pub permanent: u64,
    /// Attempts that ended with [`Outcome::TooLarge`].
    pub too_large: u64,
    /// Bytes of bodies, as compressed, in attempts that the peer took.
    pub delivered_bytes: u64,
    /// When the peer last took something.
    pub last_success: Option<Instant>,
    /// The last failure in words.
    pub last_error: Option<String>,
    /// The cause of the last failure.
    pub last_error_kind: Option<FailureKind>,
    /// When the last failure was.
    pub last_error_at: Option<Instant>,
    /// The last thing that was odd about a delivery: a warning of the server, an answer that made no sense, files with
    /// certificates that changed and make no sense any more.
    pub last_warning: Option<String>,
}

impl ClientStatus {
    /// Attempts that ended, in whatever way.
    #[must_use]
    pub const fn attempts(&self) -> u64 {
        self.delivered + self.partial + self.retryable + self.permanent + self.too_large
    }

    /// The share of ended attempts that the peer took, from 0 to 1; 1 before the first.
    #[must_use]
    pub fn success_rate(&self) -> f64 {
        match self.attempts() {
            0 => 1.0,
            attempts => (self.delivered + self.partial) as f64 / attempts as f64,
        }
    }
}

/// The live counters behind [`ClientStatus`]. All are plain counters, so every access is relaxed: no reader infers
/// anything about other memory from them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicUsize,
    connects: AtomicU64,
    connect_failures: AtomicU64,
    delivered: AtomicU64,
    partial: AtomicU64,
    retryable: AtomicU64,
    permanent: AtomicU64,
    too_large: AtomicU64,
    delivered_bytes: AtomicU64,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    success: Option<Instant>,
    failure: Option<(Failure, Instant)>,
    warning: Option<String>,
}

impl Counters {
    /// Counts the end of an attempt with a body of `len` bytes.
    pub(crate) fn ended(&self, outcome: &Outcome, len: usize) {
        let counter = match outcome {
            Outcome::Delivered => &self.delivered,
            Outcome::Partial { .. } => &self.partial,
            Outcome::Retry { .. } => &self.retryable,
            Outcome::Permanent(_) => &self.permanent,
            Outcome::TooLarge(_) => &self.too_large,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        match outcome.failure() {
            None => {
                self.delivered_bytes.fetch_add(len as u64, Ordering::Relaxed);
                self.last().success = Some(now);
            }
            Some(failure) => self.last().failure = Some((failure.clone(), now)),
        }
    }

    pub(crate) fn warned(&self, warning: String) {
        self.last().warning = Some(warning);
    }

    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn connect_failed(&self) {
        self.connect_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection for as long as the returned guard lives.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn connected(self: &std::sync::Arc<Self>) -> Connected {
        self.connects.fetch_add(1, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connected(self.clone())
    }

    #[cfg(feature = "grpc")]
    pub(crate) fn connects(&self) -> u64 {
        self.connects.load(Ordering::Relaxed)
    }

    pub(crate) fn snapshot(&self) -> ClientStatus {
        let connections = self.connections.load(Ordering::Relaxed);
        let last = self.last();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ClientStatus {
            connected: connections > 0,
            connections,
            connects: count(&self.connects),
            connect_failures: count(&self.connect_failures),
            delivered: count(&self.delivered),
            partial: count(&self.partial),
            retryable: count(&self.retryable),
            permanent: count(&self.permanent),
            too_large: count(&self.too_large),
            delivered_bytes: count(&self.delivered_bytes),
            last_success: last.success,
            last_error: last.failure.as_ref().map(|(failure, _)| failure.to_string()),
            last_error_kind: last.failure.as_ref().map(|(failure, _)| failure.kind),
            last_error_at: last.failure.as_ref().map(|(_, at)| *at),
            last_warning: last.warning.clone(),
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        // Every write replaces one field as a whole, so a panic of a holder leaves nothing half done.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection that is up.
#[cfg(any(feature = "grpc", feature = "http"))]
#[derive(Debug)]
pub(crate) struct Connected(std::sync::Arc<Counters>);

#[cfg(any(feature = "grpc", feature = "http"))]
impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
