//! Compressing what waits while much is held, and charging it whole again once it is used.

use std::sync::Arc;
use std::time::Instant;

use aqueduct_transport::{Encoding, Request};
use aqueduct_wire::Merged;

use super::Dispatch;
use crate::attempt::aside;
use crate::held::Held;

impl Dispatch {
    /// Compresses what waits, a batch or two at a time.
    pub(super) fn squeeze(&mut self) {
        let at_once = if self.lane.offload.is_some() { 2 } else { 1 };
        let now = Instant::now();
        while self.squeezes.len() < at_once && self.lane.squeezes(now) && self.lane.destination.can_squeeze()
        {
            let paused = self.lane.destination.paused(now).is_some();
            // What is about to be sent is prepared for that.
            let skip = if paused { 0 } else { self.lane.limit().limit() };
            let Some((id, batch)) = self.lane.next_to_squeeze(skip) else { return };
            let lane = Arc::clone(&self.lane);
            self.squeezes.spawn(async move {
                let there = Arc::clone(&lane);
                let work = move || there.destination.squeeze(&batch);
                (id, aside(lane.offload.as_ref(), work).await)
            });
        }
    }

    /// Whether what was compressed to be kept may be sent as it is.
    pub(super) fn speaks(&self, encoding: Encoding) -> bool {
        self.lane.destination.exporter().speaks(encoding)
    }

    /// Notes what was made of a batch to be sent.
    pub(super) fn prepared(&self, held: Held, request: Arc<Request>) -> Held {
        let was_squeezed = held.content.held_bytes().is_some();
        let mut held = Held { content: held.content.prepared(request), ..held };
        if was_squeezed {
            // The frame is gone, or what it was inflated to.
            let kept = held.content.held_bytes().unwrap_or(held.whole());
            self.lane.recharge(&mut held, kept);
        }
        held
    }

    /// Of a batch that may have been kept compressed, what it was made of, which is charged from now on.
    pub(super) fn loosened(&self, held: &mut Held) -> Option<Merged> {
        let batch = held.content.batch();
        if batch.is_some() && held.content.held_bytes().is_some() {
            let more = held.whole().saturating_sub(held.charged);
            self.charge(held, more);
        }
        batch
    }

    /// Charges a batch for what is made of it.
    pub(super) fn charge(&self, held: &mut Held, more: u64) {
        self.lane.budget.charge(more);
        held.charged += more;
    }
}
