//! Settling what comes back: a batch whose attempt has ended is delivered, dropped, made smaller or kept for a retry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_metrics::{DropReason, Receipt};
use aqueduct_transport::{FailureKind, Feedback, Outcome};
use tokio::task::{Id, JoinError};

use super::{Dispatch, Flight};
use crate::attempt::Landing;
use crate::held::Held;
use crate::lane::Counts;

/// Pauses are at most so long while more than half of the budget is used: an outage that is over shall not fill the rest.
const FULL_PAUSE: Duration = Duration::from_secs(5);

/// Pauses are at most so long while nobody listens at the destination: looking whether somebody does burdens nobody, and who is late has a backlog.
const LOOKING_PAUSE: Duration = Duration::from_secs(10);

/// The same (past half of the budget), while nobody listens: looking more often burdens nobody, and what comes in every second may be lost.
const FULL_LOOKING_PAUSE: Duration = Duration::from_secs(2);

/// Pauses are at most so long while the lane drains.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Why an attempt failed.
struct Trouble {
    /// What the exporter called it.
    kind: Option<FailureKind>,
    name: &'static str,
    cause: String,
}

impl Dispatch {
    pub(super) fn land(&mut self, landed: Result<(Id, Landing), JoinError>) {
        let now = Instant::now();
        let (id, landing) = match landed {
            Ok((id, landing)) => (id, Some(landing)),
            Err(error) => (error.id(), None),
        };
        let Some(mut flight) = self.flights.remove(&id) else { return };
        let preparing = flight.permit.is_none();
        if let Some(permit) = flight.permit.take() {
            let feedback = match &landing {
                Some(Landing::Answered(_, outcome)) => Feedback::from(outcome),
                Some(Landing::Prepared(_)) | None => Feedback::Failure,
            };
            self.lane.limit().finished(permit, now, feedback);
        }
        let taken = {
            let mut state = self.lane.state();
            let held = state.in_flight.remove(&flight.batch);
            state.settling = held.as_ref().map(|held| (held.batch, held.receipt.items()));
            held
        };
        let Some(mut held) = taken else { return };
        match landing {
            Some(Landing::Prepared(request)) => {
                held = self.prepared(held, request);
                // It was the next before.
                self.put_first(held);
            }
            Some(Landing::Answered(request, outcome)) => {
                self.lane.measured.attempt(now.saturating_duration_since(flight.started));
                held = match &outcome {
                    Outcome::Delivered
                    | Outcome::Partial { .. }
                    | Outcome::Permanent(_)
                    | Outcome::TooLarge(_) => self.prepared(held, request),
                    // What is not known to be final is tried again.
                    _ => Held { content: held.content.tried(request), ..held },
                };
                self.settle(held, outcome, flight, now);
            }
            None => {
                if preparing {
                    held.attempts = held.attempts.saturating_add(1);
                }
                Counts::add(&self.lane.counts.panics, 1);
                let trouble =
                    Trouble { kind: None, name: "panic", cause: "the exporter panicked".to_owned() };
                self.retry(held, None, trouble, flight, now);
            }
        }
        self.settled();
    }

    fn settle(&mut self, held: Held, outcome: Outcome, flight: Flight, now: Instant) {
        let destination = Arc::clone(&self.lane.destination);
        let len = held.content.len();
        let failed = !matches!(outcome, Outcome::Delivered | Outcome::Partial { .. });
        Counts::add(&self.lane.counts.failed, u64::from(failed));
        match outcome {
            Outcome::Delivered => {
                destination.answered(flight.started, flight.probe, now);
                destination.sizes().delivered(len);
                self.note_alone(&held, len, false);
                self.delivered(&held, now);
                held.receipt.delivered();
            }
            Outcome::Partial { rejected, .. } => {
                destination.answered(flight.started, flight.probe, now);
                destination.sizes().delivered(len);
                self.delivered(&held, now);
                held.receipt.partial(rejected);
            }
            Outcome::Permanent(failure) => {
                destination.answered(flight.started, flight.probe, now);
                self.drop_batch(held, DropReason::Permanent, &failure.to_string(), now);
            }
            Outcome::TooLarge(failure) => {
                if failure.kind != FailureKind::RequestTooLarge {
                    destination.answered(flight.started, flight.probe, now);
                } else if flight.probe {
                    // Our own client did not send it, which says nothing about the destination.
                    destination.probe_abandoned();
                }
                destination.sizes().refused(len, held.part);
                self.too_large(held, &failure.to_string(), now);
            }
            Outcome::Retry { after, failure } => {
                let cause = failure.to_string();
                let trouble = Trouble { kind: Some(failure.kind), name: failure.kind.as_str(), cause };
                self.retry(held, after, trouble, flight, now);
            }
            // `Outcome` may grow: what is not known to be final is tried again.
            other => {
                let trouble = Trouble { kind: None, name: "unknown", cause: format!("{other:?}") };
                self.retry(held, None, trouble, flight, now);
            }
        }
    }

    fn retry(
        &mut self,
        mut held: Held,
        after: Option<Duration>,
        Trouble { kind, name, cause }: Trouble,
        flight: Flight,
        now: Instant,
    ) {
        let lane = Arc::clone(&self.lane);
        held.content = held.content.kept();
        lane.recharge_kept(&mut held);
        // A server that rotates its connections refuses requests unread: no sign of trouble the first time.
        let rotated = kind == Some(FailureKind::Refused) && held.attempts == 1 && after.is_none();
        if rotated && !flight.probe {
            let mut state = lane.state();
            state.settling = None;
            state.retry.push_back(held);
            lane.note_backlog(&state);
            return;
        }
        if kind.is_some_and(|kind| Feedback::from(kind) == Feedback::Backpressure) {
            lane.destination.refused(now);
        }
        lane.destination.failed(flight.started, flight.probe, after, self.longest_pause(kind), now);
        let age = now.saturating_duration_since(held.times.sealed);
        let given_up = !lane.destination.allows_retry(held.attempts, age);
        let open = self.lane.walk().items();
        let notice = {
            let mut state = lane.state();
            state.last_failure = Some((now, cause.clone()));
            state.notices.failed(name, &cause, open, now)
        };
        self.untold.extend(notice);
        if given_up {
            self.drop_batch(held, DropReason::MaxAge, &cause, now);
        } else {
            let mut state = self.lane.state();
            state.settling = None;
            state.retry.push_back(held);
            self.lane.note_backlog(&state);
        }
    }

    /// How long a pause may be that the destination did not ask for: who has little room, or little time, looks more often whether it is back.
    fn longest_pause(&self, kind: Option<FailureKind>) -> Duration {
        if self.lane.destination.is_hurried() {
            return LAST_PAUSE;
        }
        match (kind, self.lane.budget.is_half_full()) {
            (Some(FailureKind::Connect), true) => FULL_LOOKING_PAUSE,
            (Some(FailureKind::Connect), false) => LOOKING_PAUSE,
            (_, true) => FULL_PAUSE,
            (_, false) => Duration::MAX,
        }
    }

    /// The destination has this batch.
    fn delivered(&mut self, held: &Held, now: Instant) {
        let is_failing = {
            let mut state = self.lane.state();
            state.last_success = Some(now);
            state.notices.is_failing()
        };
        if is_failing {
            let open = self.lane.walk().items().saturating_sub(held.receipt.items());
            let notice = self.lane.state().notices.delivered(open, now);
            self.untold.extend(notice);
        }
        self.lane.drained(held.charged, now);
    }

    pub(super) fn drop_batch(&mut self, held: Held, reason: DropReason, cause: &str, now: Instant) {
        self.lane.release(held.charged);
        self.drop_receipt(held.receipt, reason, cause, now);
    }

    pub(super) fn drop_receipt(&mut self, receipt: Receipt, reason: DropReason, cause: &str, now: Instant) {
        let notice = self.lane.state().notices.dropped(reason, cause, receipt.items(), now);
        self.untold.extend(notice);
        receipt.dropped(reason);
    }

    /// Puts what was being settled back, to be tried next.
    pub(super) fn put_first(&self, held: Held) {
        let mut state = self.lane.state();
        state.settling = None;
        if held.is_untried() {
            state.queue.push_front(held);
        } else {
            state.retry.push_front(held);
        }
        self.lane.note_backlog(&state);
    }

    /// What was being settled is. Whoever waits for that has heard of it before.
    pub(super) fn settled(&mut self) {
        self.tell();
        self.lane.state().settling = None;
        self.lane.announce();
    }
}
