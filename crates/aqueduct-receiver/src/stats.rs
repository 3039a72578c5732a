//! Everything is counted.

use crate::metrics;
use aqueduct_lockfree::ShardedCounter;
use aqueduct_metrics::Exposition;
use aqueduct_wire::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Why a request was not accepted, or a connection not served. Complete as far as counters go: the labels of
/// `aqueduct_receiver_refused_requests_total`; later versions only add.
#[non_exhaustive]
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum RefuseReason {
    /// No room in the [`ReceiveBudget`](crate::ReceiveBudget). Retryable.
    Budget,
    /// The handler answered [`Answer::Overloaded`](crate::Answer::Overloaded). Retryable.
    Overloaded,
    /// The handler answered with a status of its own, or with none.
    Rejected,
    /// The handler panicked.
    Panicked,
    /// Larger than allowed, on the wire or inflated.
    TooLarge,
    /// Not valid OTLP.
    Invalid,
    /// Not the compressed data it claims to be.
    Inflate,
    /// A gRPC message that is cut short, too long for its length, or doubled.
    Framing,
    /// A content type that is none of OTLP's.
    ContentType,
    /// A content encoding that is not supported.
    ContentEncoding,
    /// No such path or method of gRPC.
    NotFound,
    /// A health check for a service that is not served here.
    UnknownService,
    /// An HTTP method other than POST.
    Method,
    /// A header that may be there only once is there twice.
    DuplicateHeader,
    /// More headers than allowed.
    HeaderTooLarge,
    /// Headers or a body that did not come in time.
    Timeout,
    /// The client went away, or reset the stream, before it had an answer. (The handler may have taken the request.)
    Disconnected,
    /// Not HTTP, or a violation of its rules.
    Protocol,
    /// One connection more than allowed.
    Connections,
}

impl RefuseReason {
    /// Every reason, in the order of [`RefuseReason::index`].
    pub const ALL: [RefuseReason; 19] = [
        RefuseReason::Budget,
        RefuseReason::Overloaded,
        RefuseReason::Rejected,
        RefuseReason::Panicked,
        RefuseReason::TooLarge,
        RefuseReason::Invalid,
        RefuseReason::Inflate,
        RefuseReason::Framing,
        RefuseReason::ContentType,
        RefuseReason::ContentEncoding,
        RefuseReason::NotFound,
        RefuseReason::UnknownService,
        RefuseReason::Method,
        RefuseReason::DuplicateHeader,
        RefuseReason::HeaderTooLarge,
        RefuseReason::Timeout,
        RefuseReason::Disconnected,
        RefuseReason::Protocol,
        RefuseReason::Connections,
    ];

    /// Position in [`RefuseReason::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The label, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RefuseReason::Budget => "budget",
            RefuseReason::Overloaded => "overloaded",
            RefuseReason::Rejected => "rejected",
            RefuseReason::Panicked => "panicked",
            RefuseReason::TooLarge => "too_large",
            RefuseReason::Invalid => "invalid",
            RefuseReason::Inflate => "inflate",
            RefuseReason::Framing => "framing",
            RefuseReason::ContentType => "content_type",
            RefuseReason::ContentEncoding => "content_encoding",
            RefuseReason::NotFound => "not_found",
            RefuseReason::UnknownService => "unknown_service",
            RefuseReason::Method => "method",
            RefuseReason::DuplicateHeader => "duplicate_header",
            RefuseReason::HeaderTooLarge => "header_too_large",
            RefuseReason::Timeout => "timeout",
            RefuseReason::Disconnected => "disconnected",
            RefuseReason::Protocol => "protocol",
            RefuseReason::Connections => "connections",
        }
    }
}

/// What a [`Server`](crate::Server) has counted. Cloning gives another handle on the same counters.
///
/// Each connection adds up what it did in one turn of its task and brings it here before the answers leave, so a
/// client that has its answer finds it counted.
#[doc(alias = "otelcol_receiver_accepted_spans")]
#[doc(alias = "otelcol_receiver_refused_spans")]
#[derive(Clone, Debug, Default)]
pub struct ReceiverStats {
    inner: Arc<Inner>,
}

/// All are plain counters that guard no other memory, so every access is relaxed.
#[derive(Debug, Default)]
struct Inner {
    signals: [PerSignal; 3],
    refused: [AtomicU64; RefuseReason::ALL.len()],
    open_connections: AtomicUsize,
    connections: AtomicU64,
}

/// Added to by every connection in every turn of its task, so the threads that serve them have cells of their own.
#[derive(Debug, Default)]
struct PerSignal {
    requests: ShardedCounter,
    items: ShardedCounter,
    rejected_items: ShardedCounter,
    wire_bytes: ShardedCounter,
    bytes: ShardedCounter,
}

/// A reading of [`ReceiverStats`].
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// One row for each signal, in the order of [`Signal::index`].
    pub signals: [SignalSnapshot; 3],
    /// Requests (and connections) refused, in the order of [`RefuseReason::index`].
    pub refused: [u64; RefuseReason::ALL.len()],
    /// Connections open now.
    pub open_connections: usize,
    /// Connections opened so far, with those closed at once because there were too many.
    pub connections: u64,
}

/// What was accepted of one signal.
#[non_exhaustive]
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalSnapshot {
    /// Requests answered with success, full or partial.
    pub requests: u64,
    /// Items in them: spans, data points or log records.
    pub items: u64,
    /// Those of these items that the answer told to be rejected.
    pub rejected_items: u64,
    /// Bytes of their bodies on the wire.
    pub wire_bytes: u64,
    /// Bytes of their bodies inflated and as protobuf.
    pub bytes: u64,
}

impl StatsSnapshot {
    /// The row of one signal.
    #[must_use]
    pub fn of(&self, signal: Signal) -> SignalSnapshot {
        self.signals[signal.index()]
    }

    /// How many requests were refused for this reason.
    #[must_use]
    pub fn refused(&self, reason: RefuseReason) -> u64 {
        self.refused[reason.index()]
    }

    /// Adds another server's counters, for a process that has several.
    pub fn add(&mut self, other: &StatsSnapshot) {
        for (row, more) in self.signals.iter_mut().zip(&other.signals) {
            row.requests += more.requests;
            row.items += more.items;
            row.rejected_items += more.rejected_items;
            row.wire_bytes += more.wire_bytes;
            row.bytes += more.bytes;
        }
        for (cell, more) in self.refused.iter_mut().zip(other.refused) {
            *cell += more;
        }
        self.open_connections += other.open_connections;
        self.connections += other.connections;
    }

    /// Writes the families of [`METRICS`](crate::METRICS) with these values.
    pub fn write_metrics(&self, page: &mut Exposition) {
        metrics::write(self, page);
    }

    /// How many requests were refused in all.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().sum()
    }
}

impl ReceiverStats {
    /// All counters now. They are read one after the other, so a reading taken while requests arrive may be apart by those.
    #[must_use]
    pub fn snapshot(&self) -> StatsSnapshot {
        let inner = &*self.inner;
        let mut signals = [SignalSnapshot::default(); 3];
        for (row, of) in signals.iter_mut().zip(&inner.signals) {
            row.requests = of.requests.sum();
            row.items = of.items.sum();
            row.rejected_items = of.rejected_items.sum();
            row.wire_bytes = of.wire_bytes.sum();
            row.bytes = of.bytes.sum();
        }
        let mut refused = [0; RefuseReason::ALL.len()];
        for (cell, of) in refused.iter_mut().zip(&inner.refused) {
            *cell = of.load(Ordering::Relaxed);
        }
        StatsSnapshot {
            signals,
            refused,
            open_connections: inner.open_connections.load(Ordering::Relaxed),
            connections: inner.connections.load(Ordering::Relaxed),
        }
    }

    /// Writes the families of [`METRICS`](crate::METRICS) with the values of now.
    pub fn write_metrics(&self, page: &mut Exposition) {
        self.snapshot().write_metrics(page);
    }

    pub(crate) fn refuse(&self, reason: RefuseReason) {
        self.inner.refused[reason.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection as open until the guard is dropped; `None`, counted as refused, beyond `max`.
    pub(crate) fn connect(&self, max: usize) -> Option<OpenConnection> {
        self.inner.connections.fetch_add(1, Ordering::Relaxed);
        let one_more = |open: usize| (open < max).then_some(open + 1);
        if self.inner.open_connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            self.refuse(RefuseReason::Connections);
            return None;
        }
        Some(OpenConnection { stats: self.clone() })
    }
}

/// Counts a connection as open while it lives.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    stats: ReceiverStats,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.stats.inner.open_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one connection accepted since it last told the shared counters: plain numbers, so that a request costs no
/// shared cache line.
#[derive(Debug)]
pub(crate) struct Tally {
    stats: ReceiverStats,
    signals: [SignalSnapshot; 3],
    dirty: bool,
}

impl Tally {
    pub(crate) fn new(stats: ReceiverStats) -> Tally {
        Tally { stats, signals: Default::default(), dirty: false }
    }

    pub(crate) fn accepted(&mut self, signal: Signal, accepted: SignalSnapshot) {
        let row = &mut self.signals[signal.index()];
        row.requests += accepted.requests;
        row.items += accepted.items;
        row.rejected_items += accepted.rejected_items;
        row.wire_bytes += accepted.wire_bytes;
        row.bytes += accepted.bytes;
        self.dirty = true;
    }

    /// Refusals are rare and go to the shared counters at once.
    pub(crate) fn refuse(&self, reason: RefuseReason) {
        self.stats.refuse(reason);
    }

    pub(crate) fn publish(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        for (row, of) in self.signals.iter_mut().zip(&self.stats.inner.signals) {
            if row.requests == 0 {
                continue;
            }
            let row = std::mem::take(row);
            of.requests.add(row.requests);
            of.items.add(row.items);
            of.rejected_items.add(row.rejected_items);
            of.wire_bytes.add(row.wire_bytes);
            of.bytes.add(row.bytes);
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.publish();
    }
}
