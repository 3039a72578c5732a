//! Starting attempts: which batch is next, and whether it may be tried now.
//!
//! The limit, the pause clock with the throttle, and the retry budget are asked, in this order, and each can hold a batch back.
//!
//! A large batch is *prepared* (compressed) on a worker thread first, if there are any, by a task of its own, and waits for its turn after that like any
//! other: what takes long comes before the pause clock is asked, not after. But what was kept compressed is inflated in its turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_transport::{Feedback, Spend, Turn};

use super::{Dispatch, Flight};
use crate::attempt::{OFFLOAD_BYTES, attempt, prepare};
use crate::held::{Ready, Times};
use crate::lane::{Counts, Phase, Pick};

/// When to ask a pause clock again whose answer is not understood.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// So many batches are inflated to be sent whatever the budget says: they can exceed it by as many at most, and a full lane gets on.
const ALWAYS: usize = 4;

/// What is to be done with the batch that is next.
enum Next {
    /// A part of it is to be made.
    Halve,
    /// It is to be prepared on a worker thread.
    Prepare,
    Send,
    /// It waits: there is no room to inflate it before something else has settled.
    Wait,
}

/// A batch that leaves: what it begins with, and whether it was tried before.
struct Departure {
    id: u64,
    ready: Ready,
    again: bool,
    times: Times,
    items: u64,
    bytes: usize,
}

impl Dispatch {
    /// Starts as many attempts as the limit, the pause clock and the retry budget allow. When one of the latter two holds waiting batches back,
    /// returns when to ask again.
    pub(super) fn start_attempts(&mut self) -> Option<Instant> {
        let returns = self.lane.destination.returns();
        if std::mem::replace(&mut self.returns, returns) != returns {
            self.lane.limit().restart();
        }
        // When the next retry can be paid for; until then only what was never tried is sent.
        let mut unpaid = None;
        loop {
            let now = Instant::now();
            let pick = if unpaid.is_some() { Pick::Untried } else { Pick::Any };
            match self.next(pick) {
                None | Some(Next::Wait) => return unpaid,
                Some(Next::Halve) => {
                    self.halve(pick, now);
                    continue;
                }
                Some(Next::Prepare) => {
                    if self.preparing() >= self.lane.limit().limit() {
                        return unpaid;
                    }
                    self.prepare(pick, now);
                    continue;
                }
                Some(Next::Send) => {}
            }
            if self.lane.limit().is_reached() {
                return None;
            }
            let probe = match self.lane.destination.turn(now, self.is_urgent()) {
                Turn::Go => false,
                Turn::Probe => true,
                Turn::Wait(until) => return Some(until),
                // `Turn` may grow; whatever is new is no permission, so ask again soon.
                _ => return Some(now + ASK_AGAIN),
            };
            if !probe
                && pick == Pick::Any
                && let Some(later) = self.unpaid(now)
            {
                unpaid = Some(later);
                continue;
            }
            self.start(pick, now, probe);
        }
    }

    /// When the batch that is next may be tried again, if not now. Pays for it if it is now.
    fn unpaid(&self, now: Instant) -> Option<Instant> {
        {
            let state = self.lane.state();
            // A pipeline that ends has no later.
            if state.phase > Phase::Running || state.next(Pick::Any).is_none_or(|held| held.attempts == 0) {
                return None;
            }
        }
        // One at a time is nobody's burden, and is how a lane with nothing but retries gets on.
        if self.flights.values().all(|flight| flight.permit.is_none()) {
            return None;
        }
        match self.lane.destination.retries().try_spend(now) {
            Spend::Now => None,
            Spend::WaitUntil(later) => Some(later),
            // `Spend` may grow; whatever is new is no permission.
            _ => Some(now + ASK_AGAIN),
        }
    }

    /// Whether there is no room, or no time, to wait for a better moment.
    fn is_urgent(&self) -> bool {
        self.lane.budget.is_half_full() || self.lane.destination.is_hurried()
    }

    fn preparing(&self) -> usize {
        self.flights.values().filter(|flight| flight.permit.is_none()).count()
    }

    /// Attempts under way of what was kept compressed and is sent otherwise.
    fn inflating(&self) -> usize {
        self.flights.values().filter(|flight| flight.inflates).count()
    }

    /// What the next batch needs; `None` when there is none, or nothing is to be begun any more.
    fn next(&self, pick: Pick) -> Option<Next> {
        let limit = self.lane.destination.sizes().limit();
        let state = self.lane.state();
        let held = state.next(pick).filter(|_| state.phase < Phase::Aborting)?;
        if held.exceeds(limit) {
            return Some(Next::Halve);
        }
        Some(match held.content.ready(|encoding| self.speaks(encoding)) {
            // Inflated when it is its turn, and not before: an outage would have it wait so.
            Some(Ready::Frame(_)) if self.inflating() >= ALWAYS => {
                if self.lane.budget.has_room_for(held.whole()) { Next::Send } else { Next::Wait }
            }
            Some(Ready::Batch(_)) if held.content.len() >= OFFLOAD_BYTES && self.lane.offload.is_some() => {
                Next::Prepare
            }
            _ => Next::Send,
        })
    }

    /// Moves the batch that is next among those under way. `None`: there is none any more, or an offer has evicted the one that was looked at, and
    /// this is one of which parts are to be made.
    fn depart(&self, pick: Pick, tries: u32) -> Option<Departure> {
        let mut state = self.lane.state();
        // Asked before the batch is taken, as whether an encoding is spoken is somebody else's code, and may panic.
        let ready = state.next(pick)?.content.ready(|encoding| self.speaks(encoding))?;
        let mut held = state.take_next(pick)?;
        held.attempts = held.attempts.saturating_add(tries);
        if let Ready::Frame(_) = ready {
            // Besides the frame, which is kept until there is an answer.
            let more = held.whole();
            self.charge(&mut held, more);
        }
        let departure = Departure {
            id: held.id,
            ready,
            again: held.attempts > 1,
            times: held.times,
            items: held.receipt.items(),
            bytes: held.content.len(),
        };
        state.in_flight.insert(held.id, held);
        self.lane.note_backlog(&state);
        Some(departure)
    }

    fn prepare(&mut self, pick: Pick, now: Instant) {
        let Some(Departure { id, ready, .. }) = self.depart(pick, 0) else { return };
        let task = self.attempts.spawn(prepare(Arc::clone(&self.lane), ready));
        self.flights.insert(
            task.id(),
            Flight { batch: id, started: now, probe: false, inflates: false, permit: None },
        );
    }

    fn start(&mut self, pick: Pick, now: Instant, probe: bool) {
        let permit = self.lane.limit().try_acquire(now);
        let departure = permit.and_then(|permit| match self.depart(pick, 1) {
            Some(departure) => Some((permit, departure)),
            None => {
                self.lane.limit().finished(permit, now, Feedback::Failure);
                None
            }
        });
        let lane = &self.lane;
        let Some((permit, Departure { id, ready, again, times, items, bytes })) = departure else {
            if probe {
                lane.destination.probe_abandoned();
            }
            return;
        };
        lane.destination.starts(now);
        Counts::add(&lane.counts.attempts, 1);
        if again {
            Counts::add(&lane.counts.retries, 1);
        } else {
            lane.destination.retries().first_attempt();
            lane.measured.departs(now, times, items, bytes);
        }
        let inflates = matches!(ready, Ready::Frame(_));
        let task = self.attempts.spawn(attempt(Arc::clone(lane), ready));
        self.flights
            .insert(task.id(), Flight { batch: id, started: now, probe, inflates, permit: Some(permit) });
    }
}
