//! The lane's task: decides which batch is tried when, makes the attempts, and settles what they bring.
//!
//! One task per lane owns every move of a batch. A move takes the batch out of one place and puts it into the next
//! under one lock, so a batch is never in none and never in two. Attempts run as tasks of their own that hold the
//! request's bytes but not the receipt: an exporter that panics loses an attempt, never a batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_exec::JobError;
use aqueduct_metrics::DropReason;
use aqueduct_transport::{Failure, FailureKind, Outcome, Request, Turn};
use aqueduct_wire::Merged;
use tokio::task::{Id, JoinError, JoinSet};

use crate::lane::{Content, Counts, Held, Lane, Phase};
use crate::notice::{Notice, NoticeHandler};

/// When to ask a pause clock again whose answer is not understood.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// From this size on batches are prepared by worker threads: compressing this much takes a quarter of a millisecond and more, handing it over
/// some microseconds.
const OFFLOAD_BYTES: usize = 64 * 1024;

/// What the task remembers of an attempt under way.
#[derive(Debug, Clone, Copy)]
struct Flight {
    batch: u64,
    started: Instant,
    probe: bool,
}

type Landing = (Arc<Request>, Outcome);

/// Runs a lane until it is told to end. Spawned once per lane, on the worker.
pub(crate) async fn run(lane: Arc<Lane>, notices: Option<NoticeHandler>) {
    let mut dispatch = Dispatch { lane, notices, attempts: JoinSet::new(), flights: HashMap::new() };
    let mut changes = dispatch.lane.destination.changes();
    loop {
        changes.mark_unchanged();
        let pause = dispatch.start_attempts();
        match dispatch.phase_or_end() {
            Phase::Ended => return,
            Phase::Aborting => return dispatch.abort(),
            Phase::Running | Phase::Draining => {}
        }
        let pause = pause.map(tokio::time::Instant::from_std);
        tokio::select! {
            Some(landed) = dispatch.attempts.join_next_with_id(), if !dispatch.attempts.is_empty() => {
                dispatch.land(landed);
            }
            () = dispatch.lane.wake.notified() => {}
            // The sender lives in the destination, which the lane keeps alive, so this never fails.
            _ = changes.changed() => {}
            () = sleep_until(pause), if pause.is_some() => {}
        }
    }
}

async fn sleep_until(instant: Option<tokio::time::Instant>) {
    if let Some(instant) = instant {
        tokio::time::sleep_until(instant).await;
    }
}

struct Dispatch {
    lane: Arc<Lane>,
    notices: Option<NoticeHandler>,
    attempts: JoinSet<Landing>,
    flights: HashMap<Id, Flight>,
}

impl Dispatch {
    /// Starts as many attempts as the limit and the pause clock allow. When the clock holds waiting batches back,
    /// returns when to ask it again.
    fn start_attempts(&mut self) -> Option<Instant> {
        while self.attempts.len() < self.lane.max_in_flight {
            {
                let state = self.lane.state();
                if !state.has_waiting() || state.phase >= Phase::Aborting {
                    return None;
                }
            }
            let now = Instant::now();
            let probe = match self.lane.destination.turn(now) {
                Turn::Go => false,
                Turn::Probe => true,
                Turn::Wait(until) => return Some(until),
                // `Turn` may grow; whatever is new is no permission, so ask again soon.
                _ => return Some(now + ASK_AGAIN),
            };
            self.start(now, probe);
        }
        None
    }

    fn start(&mut self, now: Instant, probe: bool) {
        let lane = &self.lane;
        let (batch, content, again) = {
            let mut state = lane.state();
            let Some(mut held) = state.take_next() else { return };
            lane.note_backlog(&state);
            held.attempts = held.attempts.saturating_add(1);
            let started = (held.id, held.content.clone(), held.attempts > 1);
            state.in_flight.insert(held.id, held);
            started
        };
        Counts::add(&lane.counts.attempts, 1);
        if again {
            Counts::add(&lane.counts.retries, 1);
        }
        let attempt = attempt(Arc::clone(lane), content);
        let task = self.attempts.spawn(attempt);
        self.flights.insert(task.id(), Flight { batch, started: now, probe });
    }

    fn land(&mut self, landed: Result<(Id, Landing), JoinError>) {
        let now = Instant::now();
        let (id, landing) = match landed {
            Ok((id, landing)) => (id, Some(landing)),
            Err(error) => (error.id(), None),
        };
        let Some(flight) = self.flights.remove(&id) else { return };
        let taken = {
            let mut state = self.lane.state();
            let held = state.in_flight.remove(&flight.batch);
            state.settling = held.as_ref().map(|held| (held.id, held.receipt.items()));
            held
        };
        let Some(mut held) = taken else { return };
        match landing {
            Some((request, outcome)) => {
                held.content = Content::Prepared(request);
                self.settle(held, outcome, flight, now);
            }
            None => {
                Counts::add(&self.lane.counts.panics, 1);
                self.retry(held, None, ("panic", "the exporter panicked".to_owned()), flight, now);
            }
        }
        self.lane.state().settling = None;
        self.lane.announce();
    }

    fn settle(&mut self, held: Held, outcome: Outcome, flight: Flight, now: Instant) {
        let destination = &self.lane.destination;
        match outcome {
            Outcome::Delivered => {
                destination.answered(flight.started, flight.probe, now);
                self.delivered(now);
                self.lane.release(held.charged, now);
                held.receipt.delivered();
            }
            Outcome::Partial { rejected, .. } => {
                destination.answered(flight.started, flight.probe, now);
                self.delivered(now);
                self.lane.release(held.charged, now);
                held.receipt.partial(rejected);
            }
            Outcome::Permanent(failure) => {
                destination.answered(flight.started, flight.probe, now);
                self.drop_batch(held, DropReason::Permanent, &failure.to_string(), now);
            }
            Outcome::TooLarge(failure) => {
                destination.answered(flight.started, flight.probe, now);
                self.drop_batch(held, DropReason::TooLarge, &failure.to_string(), now);
            }
            Outcome::Retry { after, failure } => {
                self.retry(held, after, cause_of(&failure), flight, now);
            }
            // `Outcome` may grow: what is not known to be final is tried again.
            other => self.retry(held, None, ("unknown", format!("{other:?}")), flight, now),
        }
    }

    fn retry(
        &mut self,
        held: Held,
        after: Option<Duration>,
        (kind, cause): (&str, String),
        flight: Flight,
        now: Instant,
    ) {
        let lane = &self.lane;
        // A server that rotates its connections refuses requests unread: no sign of trouble the first time.
        let rotated = kind == FailureKind::Refused.as_str() && held.attempts == 1 && after.is_none();
        if rotated && !flight.probe {
            let mut state = lane.state();
            state.settling = None;
            state.retry.push_back(held);
            lane.note_backlog(&state);
            return;
        }
        lane.destination.failed(flight.started, flight.probe, after, now);
        let age = now.saturating_duration_since(held.sealed);
        let given_up = !lane.destination.allows_retry(held.attempts, age);
        let open = self.open_items();
        let notice = {
            let mut state = lane.state();
            state.last_failure = Some((now, cause.clone()));
            state.notices.failed(kind, &cause, open, now)
        };
        self.tell(notice);
        if given_up {
            self.drop_batch(held, DropReason::MaxAge, &cause, now);
        } else {
            let mut state = self.lane.state();
            state.settling = None;
            state.retry.push_back(held);
            self.lane.note_backlog(&state);
        }
    }

    fn delivered(&mut self, now: Instant) {
        let open = self.open_items();
        let notice = {
            let mut state = self.lane.state();
            state.last_success = Some(now);
            state.notices.delivered(open, now)
        };
        self.tell(notice);
    }

    fn drop_batch(&mut self, held: Held, reason: DropReason, cause: &str, now: Instant) {
        let notice = self.lane.state().notices.dropped(reason, cause, held.receipt.items(), now);
        self.tell(notice);
        self.lane.release(held.charged, now);
        held.receipt.dropped(reason);
    }

    fn open_items(&self) -> u64 {
        self.lane.walk().items()
    }

    fn tell(&self, notice: Option<Notice>) {
        if let (Some(notice), Some(handler)) = (notice, &self.notices) {
            handler(self.lane.signal, self.lane.destination.name(), &notice);
        }
    }

    /// The phase the lane is in; a drained lane ends here.
    fn phase_or_end(&self) -> Phase {
        let mut state = self.lane.state();
        if state.phase == Phase::Draining && state.is_empty() {
            state.phase = Phase::Ended;
            drop(state);
            self.lane.announce();
            return Phase::Ended;
        }
        state.phase
    }

    /// Gives up what is left: batches under way may have arrived, the others have not.
    fn abort(mut self) {
        self.attempts.abort_all();
        if self.flights.values().any(|flight| flight.probe) {
            self.lane.destination.probe_abandoned();
        }
        let (waiting, flying) = {
            let mut state = self.lane.state();
            let retry = std::mem::take(&mut state.retry);
            let queue = std::mem::take(&mut state.queue);
            let flying = std::mem::take(&mut state.in_flight);
            self.lane.note_backlog(&state);
            (retry.into_iter().chain(queue).collect::<Vec<_>>(), flying)
        };
        let now = Instant::now();
        for held in flying.into_values() {
            self.drop_batch(held, DropReason::UnknownOutcome, "no answer before the shutdown deadline", now);
        }
        for held in waiting {
            self.drop_batch(held, DropReason::Shutdown, "not sent before the shutdown deadline", now);
        }
        self.lane.enter(Phase::Ended);
    }
}

fn cause_of(failure: &Failure) -> (&'static str, String) {
    (failure.kind.as_str(), failure.to_string())
}

/// One attempt; the first one prepares (compresses) the batch.
async fn attempt(lane: Arc<Lane>, content: Content) -> Landing {
    let request = match content {
        Content::Prepared(request) => request,
        Content::Merged(merged) => prepare(&lane, merged).await,
    };
    Counts::add(&lane.counts.sent_bytes, request.len() as u64);
    let outcome = lane.destination.exporter().send(&request).await;
    (request, outcome)
}

/// Prepares a batch: a large one on a worker thread if there are any, because compressing it holds up every other lane of the pipeline's thread.
async fn prepare(lane: &Arc<Lane>, merged: Merged) -> Arc<Request> {
    let Some(workers) = lane.offload.as_ref().filter(|_| merged.len() >= OFFLOAD_BYTES) else {
        return Arc::new(lane.destination.exporter().prepare(&merged));
    };
    let again = merged.clone();
    let there = Arc::clone(lane);
    let job = match workers.spawn(move || Arc::new(there.destination.exporter().prepare(&merged))) {
        Ok(job) => job.await,
        // They have too much to do, or have stopped: then it is done here.
        Err(refused) => return refused.into_inner()(),
    };
    match job {
        Ok(request) => request,
        // As if it had been called here: the attempt is lost, and counted, and not the batch.
        Err(JobError::Panicked(message)) => std::panic::resume_unwind(Box::new(message)),
        // They stopped before they came to it.
        Err(_) => Arc::new(lane.destination.exporter().prepare(&again)),
    }
}
