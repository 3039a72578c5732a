//! Telling the sender of a chunk what became of it at every destination.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aqueduct_metrics::{Acknowledge, DropReason, Settled};
use tokio::sync::oneshot;

/// Resolves when a chunk has settled at every destination; made by [`crate::Intake::offer_acknowledged`].
#[derive(Debug)]
pub struct Delivery(oneshot::Receiver<Settled>);

impl Future for Delivery {
    type Output = Settled;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Settled> {
        // A sender that went away settled nothing: the same as a leak, and as loud.
        Pin::new(&mut self.0).poll(cx).map(|settled| settled.unwrap_or(Settled::Dropped(DropReason::Leaked)))
    }
}

/// Collects one settlement per lane and tells the worst.
#[derive(Debug)]
pub(crate) struct Fanout(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    lanes: usize,
    worst: Settled,
    tell: oneshot::Sender<Settled>,
}

impl Fanout {
    pub(crate) fn new(lanes: usize) -> (Arc<Self>, Delivery) {
        let (tell, told) = oneshot::channel();
        let open = Open { lanes, worst: Settled::Delivered, tell };
        (Arc::new(Self(Mutex::new(Some(open)))), Delivery(told))
    }

    /// For a chunk without content.
    pub(crate) fn nothing_to_deliver(&self) {
        if let Some(open) = self.0.lock().ok().and_then(|mut open| open.take()) {
            let _ = open.tell.send(Settled::Delivered);
        }
    }
}

impl Acknowledge for Fanout {
    fn settled(&self, _items: u64, how: &Settled) {
        let Ok(mut guard) = self.0.lock() else { return };
        let Some(open) = guard.as_mut() else { return };
        if severity(how) > severity(&open.worst) {
            open.worst = *how;
        }
        open.lanes = open.lanes.saturating_sub(1);
        if open.lanes == 0
            && let Some(open) = guard.take()
        {
            // The sender may have stopped waiting.
            let _ = open.tell.send(open.worst);
        }
    }
}

/// Items that are lost for a passing reason are worse than items that a destination will never take: the first are
/// worth sending again.
fn severity(settled: &Settled) -> u64 {
    match settled {
        Settled::Delivered => 0,
        Settled::Partial { rejected } => rejected.saturating_add(1).min(u64::MAX - 3),
        Settled::Rejected => u64::MAX - 2,
        Settled::Dropped(DropReason::Permanent | DropReason::TooLarge) => u64::MAX - 1,
        _ => u64::MAX,
    }
}
