//! The lane's task: decides which batch is tried when, makes the attempts, and settles what they bring.
//!
//! One task per lane owns every move of a batch. A move takes the batch out of one place and puts it into the next
//! under one lock, so a batch is never in none and never in two. Attempts run as tasks of their own that hold the
//! request's bytes but not the receipt: an exporter that panics loses an attempt, never a batch.
//!
//! A large batch is *prepared* (compressed) on a worker thread first, if there are any, by a task of its own, and waits for its turn after that like any
//! other: what takes long comes before the pause clock is asked, not after.
//!
//! A batch that is larger than the destination takes becomes parts ([`crate::halve`]), each made when it would be its turn: before it is sent
//! if the destination has refused such a size before, and otherwise when it refuses this one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_metrics::{DropReason, Receipt};
use aqueduct_transport::limit::Permit;
use aqueduct_transport::{Encoding, Failure, FailureKind, Feedback, Outcome, Request, Spend, Turn};
use aqueduct_wire::Merged;
use tokio::task::{Id, JoinError, JoinSet};

use crate::attempt::{Landing, aside, attempt, prepare};
use crate::destination::Hurry;
use crate::halve::{Made, Rest, half_of, only_item};
use crate::held::{Content, Held, Ready};
use crate::lane::{Counts, Lane, Phase, Pick};
use crate::notice::{Notice, NoticeHandler};

/// When to ask a pause clock again whose answer is not understood.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// From this size on batches are prepared by worker threads: compressing this much takes a quarter of a millisecond and more, handing it over
/// some microseconds.
const OFFLOAD_BYTES: usize = 64 * 1024;

/// Pauses are at most so long while more than half of the budget is used: an outage that is over shall not fill the rest.
const FULL_PAUSE: Duration = Duration::from_secs(5);

/// Pauses are at most so long while nobody listens at the destination: looking whether somebody does burdens nobody, and who is late has a backlog.
const LOOKING_PAUSE: Duration = Duration::from_secs(10);

/// Pauses are at most so long while the lane drains.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// What the task remembers of an attempt under way.
#[derive(Debug)]
struct Flight {
    batch: u64,
    started: Instant,
    probe: bool,
    /// `None`: only being prepared, nothing of it was sent.
    permit: Option<Permit>,
}

/// What is to be done with the batch that is next.
enum Next {
    /// A part of it is to be made.
    Halve,
    /// It is to be prepared on a worker thread.
    Prepare,
    Send,
}

/// Runs a lane until it is told to end, and again whenever it panics: what it held is in the lane. Spawned once per lane, on the worker.
pub(crate) async fn supervise(lane: Arc<Lane>, notices: Option<NoticeHandler>) {
    let mut task = JoinSet::new();
    task.spawn(run(Arc::clone(&lane), notices.clone()));
    while let Some(Err(_)) = task.join_next().await {
        lane.recover();
        task.spawn(run(Arc::clone(&lane), notices.clone()));
    }
}

/// Runs a lane until it is told to end.
async fn run(lane: Arc<Lane>, notices: Option<NoticeHandler>) {
    let mut dispatch = Dispatch {
        lane,
        notices,
        attempts: JoinSet::new(),
        squeezes: JoinSet::new(),
        flights: HashMap::new(),
        untold: Vec::new(),
        hurry: None,
        returns: 0,
    };
    let mut changes = dispatch.lane.destination.changes();
    loop {
        changes.mark_unchanged();
        dispatch.tell();
        dispatch.squeeze();
        let pause = dispatch.start_attempts();
        match dispatch.phase_or_end() {
            Phase::Ended => return,
            Phase::Aborting => return dispatch.abort(),
            Phase::Draining if dispatch.hurry.is_none() => {
                dispatch.hurry = Some(dispatch.lane.destination.hurry(Instant::now()));
                continue;
            }
            Phase::Running | Phase::Draining => {}
        }
        let pause = pause.map(tokio::time::Instant::from_std);
        tokio::select! {
            Some(landed) = dispatch.attempts.join_next_with_id(), if !dispatch.attempts.is_empty() => {
                dispatch.land(landed);
            }
            Some(squeezed) = dispatch.squeezes.join_next(), if !dispatch.squeezes.is_empty() => {
                // A codec that panics leaves the batch as it is.
                if let Ok((id, frame)) = squeezed {
                    dispatch.lane.squeezed(id, frame);
                }
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
    /// Batches that are being compressed while they wait.
    squeezes: JoinSet<(u64, Request)>,
    flights: HashMap<Id, Flight>,
    /// Told when no batch is in hand: the handler is somebody else's code, and may panic.
    untold: Vec<Notice>,
    /// Keeps pauses short while the lane drains.
    hurry: Option<Hurry>,
    /// Of the returns of the destination, those that were heeded.
    returns: u64,
}

impl Drop for Dispatch {
    fn drop(&mut self) {
        // Only a panic leaves any behind.
        if self.flights.values().any(|flight| flight.probe) {
            self.lane.destination.probe_abandoned();
        }
    }
}

impl Dispatch {
    /// Starts as many attempts as the limit, the pause clock and the retry budget allow. When one of the latter two holds waiting batches back,
    /// returns when to ask again.
    fn start_attempts(&mut self) -> Option<Instant> {
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
                None => return unpaid,
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
            let permit = self.lane.limit().try_acquire(now)?;
            let probe = match self.lane.destination.turn(now, self.is_pressed()) {
                Turn::Go => false,
                Turn::Probe => true,
                turn => {
                    self.lane.limit().finished(permit, now, Feedback::Failure);
                    // `Turn` may grow; whatever is new is no permission, so ask again soon.
                    return Some(if let Turn::Wait(until) = turn { until } else { now + ASK_AGAIN });
                }
            };
            if !probe
                && pick == Pick::Any
                && let Some(later) = self.unpaid(now)
            {
                self.lane.limit().finished(permit, now, Feedback::Failure);
                unpaid = Some(later);
                continue;
            }
            self.start(pick, now, probe, permit);
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
    fn is_pressed(&self) -> bool {
        self.lane.budget.is_half_full() || self.lane.destination.is_hurried()
    }

    fn preparing(&self) -> usize {
        self.flights.values().filter(|flight| flight.permit.is_none()).count()
    }

    /// What the next batch needs; `None` when there is none, or nothing is to be begun any more.
    fn next(&self, pick: Pick) -> Option<Next> {
        let limit = self.lane.destination.sizes().limit();
        let state = self.lane.state();
        let held = state.next(pick).filter(|_| state.phase < Phase::Aborting)?;
        Some(if held.exceeds(limit) {
            Next::Halve
        } else if self.prepares_aside(&held.content) {
            Next::Prepare
        } else {
            Next::Send
        })
    }

    /// Whether the batch is to be prepared on a worker thread: one that is large and was not.
    fn prepares_aside(&self, content: &Content) -> bool {
        let unprepared = match content.ready(|encoding| self.speaks(encoding)) {
            Some(Ready::Batch(_) | Ready::Frame(_)) => true,
            Some(Ready::Request(_)) | None => false,
        };
        unprepared && content.len() >= OFFLOAD_BYTES && self.lane.offload.is_some()
    }

    /// Makes a part of the batch that is next, which is then next.
    fn halve(&mut self, pick: Pick, now: Instant) {
        let limit = self.lane.destination.sizes().limit();
        let taken = {
            let mut state = self.lane.state();
            let held = state.take_next(pick);
            state.settling = held.as_ref().map(|held| (held.batch, held.receipt.items()));
            held
        };
        let Some(mut held) = taken else { return };
        if let Some(merged) = self.loosened(&mut held) {
            held.content = match Rest::of(&merged, usize::MAX) {
                Ok(rest) => {
                    Counts::add(&self.lane.counts.splits, 1);
                    Content::Rest(Box::new(rest))
                }
                Err(_) => Content::Whole(merged),
            };
        }
        let Content::Rest(rest) = &mut held.content else {
            return self.put_first(held);
        };
        let merged = match rest.next_part(limit) {
            Some(Made::Part(merged)) => merged,
            Some(Made::Hopeless(items)) => return self.give_up(held, items, now),
            None => {
                // The last item was in the part before, unless somebody has counted wrongly.
                self.drop_batch(held, DropReason::TooLarge, "it holds fewer items than it was said to", now);
                return self.settled();
            }
        };
        let id = self.lane.state().take_id();
        let part = Held {
            id,
            batch: held.batch,
            receipt: held.receipt.split(merged.items()),
            charged: held.charged.min(merged.len() as u64),
            sealed: held.sealed,
            attempts: 0,
            part: held.part,
            squeezed: false,
            priority: held.priority,
            content: Content::Merged(merged),
        };
        held.charged -= part.charged;
        if held.receipt.items() > 0 {
            self.put_part(part, held);
        } else {
            // It was the last one.
            self.put_first(Held { charged: part.charged + held.charged, ..part });
        }
    }

    /// Compresses what waits, a batch or two at a time.
    fn squeeze(&mut self) {
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
    fn speaks(&self, encoding: Encoding) -> bool {
        self.lane.destination.exporter().speaks(encoding)
    }

    /// Notes what was made of a batch to be sent.
    fn prepared(&self, held: Held, request: Arc<Request>) -> Held {
        let squeezed = held.content.held_bytes().is_some();
        let mut held = Held { content: held.content.prepared(request), ..held };
        if squeezed && held.content.held_bytes().is_none() {
            self.charge_whole(&mut held);
        }
        held
    }

    /// Of a batch that may have been kept compressed, what it was made of, which is charged from now on.
    fn loosened(&self, held: &mut Held) -> Option<Merged> {
        let batch = held.content.batch();
        if batch.is_some() && held.content.held_bytes().is_some() {
            self.charge_whole(held);
        }
        batch
    }

    fn charge_whole(&self, held: &mut Held) {
        let more = (held.content.len() as u64).saturating_sub(held.charged);
        self.lane.budget.charge(more);
        held.charged += more;
    }

    /// Drops the next items of a batch of which parts are being made.
    fn give_up(&mut self, mut held: Held, items: u64, now: Instant) {
        let cause = "too large alone, as others of this size before it";
        if items < held.receipt.items() {
            self.drop_receipt(held.receipt.split(items), DropReason::TooLarge, cause, now);
            self.put_first(held);
        } else {
            self.drop_batch(held, DropReason::TooLarge, cause, now);
            self.settled();
        }
    }

    /// Puts what was being settled back, to be tried next.
    fn put_first(&self, held: Held) {
        let mut state = self.lane.state();
        state.settling = None;
        if held.is_untried() {
            state.queue.push_front(held);
        } else {
            state.retry.push_front(held);
        }
        self.lane.note_backlog(&state);
    }

    /// The same for a part; the rest comes after one other batch, so that those behind one of many parts get on as well.
    fn put_part(&self, part: Held, rest: Held) {
        let mut state = self.lane.state();
        state.settling = None;
        let after = state.queue.len().min(1);
        state.queue.insert(after, rest);
        state.queue.push_front(part);
        self.lane.note_backlog(&state);
    }

    /// What was being settled is. Whoever waits for that has heard of it before.
    fn settled(&mut self) {
        self.tell();
        self.lane.state().settling = None;
        self.lane.announce();
    }

    fn prepare(&mut self, pick: Pick, now: Instant) {
        let lane = &self.lane;
        let (batch, ready) = {
            let mut state = lane.state();
            let Some(held) = state.take_next(pick) else { return };
            let Some(ready) = held.content.ready(|encoding| self.speaks(encoding)) else {
                // Nobody else takes from the front, so it is the batch that was looked at.
                state.queue.push_front(held);
                return;
            };
            let begun = (held.id, ready);
            state.in_flight.insert(held.id, held);
            lane.note_backlog(&state);
            begun
        };
        let task = self.attempts.spawn(prepare(Arc::clone(lane), ready));
        self.flights.insert(task.id(), Flight { batch, started: now, probe: false, permit: None });
    }

    fn start(&mut self, pick: Pick, now: Instant, probe: bool, permit: Permit) {
        let lane = &self.lane;
        let begun = {
            let mut state = lane.state();
            // An offer may have evicted what was looked at.
            let begun = state.take_next(pick).and_then(|mut held| {
                let Some(ready) = held.content.ready(|encoding| self.speaks(encoding)) else {
                    state.queue.push_front(held);
                    return None;
                };
                held.attempts = held.attempts.saturating_add(1);
                let begun = (held.id, ready, held.attempts > 1);
                state.in_flight.insert(held.id, held);
                Some(begun)
            });
            lane.note_backlog(&state);
            begun
        };
        let Some((batch, ready, again)) = begun else {
            lane.limit().finished(permit, now, Feedback::Failure);
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
        }
        let attempt = attempt(Arc::clone(lane), ready);
        let task = self.attempts.spawn(attempt);
        self.flights.insert(task.id(), Flight { batch, started: now, probe, permit: Some(permit) });
    }

    fn land(&mut self, landed: Result<(Id, Landing), JoinError>) {
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
            if feedback == Feedback::Backpressure {
                self.lane.destination.refused(now);
            }
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
                held = self.prepared(held, request);
                self.settle(held, outcome, flight, now);
            }
            None => {
                if preparing {
                    held.attempts = held.attempts.saturating_add(1);
                }
                Counts::add(&self.lane.counts.panics, 1);
                self.retry(held, None, ("panic", "the exporter panicked".to_owned()), flight, now);
            }
        }
        self.settled();
    }

    fn settle(&mut self, held: Held, outcome: Outcome, flight: Flight, now: Instant) {
        let destination = Arc::clone(&self.lane.destination);
        let len = held.content.len();
        match outcome {
            Outcome::Delivered => {
                destination.answered(flight.started, flight.probe, now);
                destination.sizes().delivered(len);
                self.note_alone(&held, len, false);
                self.delivered(now);
                self.lane.release(held.charged, now);
                held.receipt.delivered();
            }
            Outcome::Partial { rejected, .. } => {
                destination.answered(flight.started, flight.probe, now);
                destination.sizes().delivered(len);
                self.delivered(now);
                self.lane.release(held.charged, now);
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
                self.retry(held, after, cause_of(&failure), flight, now);
            }
            // `Outcome` may grow: what is not known to be final is tried again.
            other => self.retry(held, None, ("unknown", format!("{other:?}")), flight, now),
        }
    }

    /// Makes parts of a batch that the destination does not take, or drops it if there is nothing to divide.
    fn too_large(&mut self, mut held: Held, cause: &str, now: Instant) {
        let made = match self.loosened(&mut held) {
            Some(merged) if held.receipt.items() > 1 => {
                Rest::of(&merged, half_of(merged.len())).ok().map(|rest| Content::Rest(Box::new(rest)))
            }
            Some(merged) => only_item(&merged).map(Content::Merged),
            None => None,
        };
        match made {
            Some(content) => {
                Counts::add(&self.lane.counts.splits, 1);
                self.put_first(Held { content, part: true, ..held });
            }
            None => {
                self.lane.destination.sizes().alone_refused();
                self.note_alone(&held, held.content.len(), true);
                self.drop_batch(held, DropReason::TooLarge, cause, now);
            }
        }
    }

    /// Tells the rest of a batch what became of an item of it that was sent alone.
    fn note_alone(&self, held: &Held, bytes: usize, refused: bool) {
        if held.id == held.batch || held.receipt.items() != 1 {
            return;
        }
        for other in self.lane.state().queue.iter_mut().filter(|other| other.batch == held.batch) {
            if let Content::Rest(rest) = &mut other.content {
                rest.note_alone(bytes, refused);
            }
        }
    }

    fn retry(
        &mut self,
        mut held: Held,
        after: Option<Duration>,
        (kind, cause): (&str, String),
        flight: Flight,
        now: Instant,
    ) {
        let lane = Arc::clone(&self.lane);
        held.content = held.content.kept();
        lane.recharge(&mut held);
        // A server that rotates its connections refuses requests unread: no sign of trouble the first time.
        let rotated = kind == FailureKind::Refused.as_str() && held.attempts == 1 && after.is_none();
        if rotated && !flight.probe {
            let mut state = lane.state();
            state.settling = None;
            state.retry.push_back(held);
            lane.note_backlog(&state);
            return;
        }
        lane.destination.failed(flight.started, flight.probe, after, self.longest_pause(kind), now);
        let age = now.saturating_duration_since(held.sealed);
        let given_up = !lane.destination.allows_retry(held.attempts, age);
        let open = self.open_items();
        let notice = {
            let mut state = lane.state();
            state.last_failure = Some((now, cause.clone()));
            state.notices.failed(kind, &cause, open, now)
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
    fn longest_pause(&self, kind: &str) -> Duration {
        if self.lane.destination.is_hurried() {
            LAST_PAUSE
        } else if self.lane.budget.is_half_full() {
            FULL_PAUSE
        } else if kind == FailureKind::Connect.as_str() {
            LOOKING_PAUSE
        } else {
            Duration::MAX
        }
    }

    fn delivered(&mut self, now: Instant) {
        let open = self.open_items();
        let notice = {
            let mut state = self.lane.state();
            state.last_success = Some(now);
            state.notices.delivered(open, now)
        };
        self.untold.extend(notice);
    }

    fn drop_batch(&mut self, held: Held, reason: DropReason, cause: &str, now: Instant) {
        self.lane.release(held.charged, now);
        self.drop_receipt(held.receipt, reason, cause, now);
    }

    fn drop_receipt(&mut self, receipt: Receipt, reason: DropReason, cause: &str, now: Instant) {
        let notice = self.lane.state().notices.dropped(reason, cause, receipt.items(), now);
        self.untold.extend(notice);
        receipt.dropped(reason);
    }

    fn open_items(&self) -> u64 {
        self.lane.walk().items()
    }

    fn tell(&mut self) {
        self.untold.append(&mut self.lane.state().untold);
        let Some(handler) = &self.notices else { return self.untold.clear() };
        while !self.untold.is_empty() {
            let notice = self.untold.remove(0);
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
        let (waiting, flying) = {
            let mut state = self.lane.state();
            let retry = std::mem::take(&mut state.retry);
            let queue = std::mem::take(&mut state.queue);
            let flying = std::mem::take(&mut state.in_flight);
            self.lane.note_backlog(&state);
            (retry.into_iter().chain(queue).collect::<Vec<_>>(), flying)
        };
        let now = Instant::now();
        let preparing: Vec<u64> = self
            .flights
            .values()
            .filter(|flight| flight.permit.is_none())
            .map(|flight| flight.batch)
            .collect();
        let (unsent, sent): (Vec<Held>, Vec<Held>) =
            flying.into_values().partition(|held| preparing.contains(&held.id));
        for held in sent {
            self.drop_batch(held, DropReason::UnknownOutcome, "no answer before the shutdown deadline", now);
        }
        for held in unsent.into_iter().chain(waiting) {
            self.drop_batch(held, DropReason::Shutdown, "not sent before the shutdown deadline", now);
        }
        // Before the end is told, after which nobody may listen.
        self.tell();
        self.lane.enter(Phase::Ended);
    }
}

fn cause_of(failure: &Failure) -> (&'static str, String) {
    (failure.kind.as_str(), failure.to_string())
}
