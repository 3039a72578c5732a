//! The `debug` exporter: a line a second that says what passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aqueduct::pipeline::{Attempt, Exporter};
use aqueduct::transport::{Outcome, Request};
use aqueduct::wire::Signal;

/// Counts what it is given and delivers it nowhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct DebugExporter {
    counters: Arc<[Counters; 3]>,
}

/// Plain counters: relaxed, they order nothing.
#[derive(Debug, Default)]
struct Counters {
    items: AtomicU64,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Exporter for DebugExporter {
    fn send<'a>(&'a self, request: &'a Request) -> Attempt<'a> {
        let counters = &self.counters[request.signal().index()];
        counters.items.fetch_add(request.items(), Ordering::Relaxed);
        counters.requests.fetch_add(1, Ordering::Relaxed);
        counters.bytes.fetch_add(request.len() as u64, Ordering::Relaxed);
        Box::pin(std::future::ready(Outcome::Delivered))
    }
}

impl DebugExporter {
    /// What passed since the last call, as one line; `None` when nothing did.
    pub(crate) fn summary(&self) -> Option<String> {
        let parts: Vec<String> = Signal::ALL.into_iter().filter_map(|signal| self.part(signal)).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn part(&self, signal: Signal) -> Option<String> {
        let counters = &self.counters[signal.index()];
        let items = counters.items.swap(0, Ordering::Relaxed);
        let requests = counters.requests.swap(0, Ordering::Relaxed);
        let bytes = counters.bytes.swap(0, Ordering::Relaxed);
        let noun = signal.item_name();
        let plural = if items == 1 { "" } else { "s" };
        (requests > 0)
            .then(|| format!("{signal}: {items} {noun}{plural}, {requests} requests, {bytes} bytes"))
    }
}
