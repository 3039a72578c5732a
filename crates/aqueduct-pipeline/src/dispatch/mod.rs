//! The lane's task: decides which batch is tried when, makes the attempts, and settles what they bring.
//!
//! One task per lane owns every move of a batch. A move takes the batch out of one place and puts it into the next
//! under one lock, so a batch is never in none and never in two. Attempts run as tasks of their own that hold the
//! request's bytes but not the receipt: an exporter that panics loses an attempt, never a batch.
//!
//! | file | what |
//! |---|---|
//! | this one | the task itself: its loop, its end, and telling notices |
//! | `start` | which batch is next, and whether it may be tried now |
//! | `parts` | making less of a batch that is larger than the destination takes |
//! | `squeeze` | compressing what waits, and charging it whole again once it is used |
//! | `settle` | what becomes of a batch when its attempt has ended |

mod parts;
mod settle;
mod squeeze;
mod start;

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use aqueduct_metrics::DropReason;
use aqueduct_transport::Request;
use aqueduct_transport::limit::Permit;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use crate::attempt::Landing;
use crate::destination::Hurry;
use crate::held::Held;
use crate::lane::{Lane, Phase};
use crate::notice::{Notice, NoticeHandler};

/// What the task remembers of an attempt under way.
#[derive(Debug)]
struct Flight {
    batch: u64,
    started: Instant,
    probe: bool,
    /// Whether it was kept compressed and is sent otherwise.
    inflates: bool,
    /// `None`: only being prepared, nothing of it was sent.
    permit: Option<Permit>,
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
    let returns = lane.destination.returns();
    let mut dispatch = Dispatch {
        lane,
        notices,
        attempts: JoinSet::new(),
        squeezes: JoinSet::new(),
        flights: HashMap::new(),
        untold: Vec::new(),
        hurry: None,
        returns,
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
        match next(&mut dispatch, &mut changes, pause).await {
            Next::Landed(landed) => dispatch.land(landed),
            Next::Squeezed(squeezed) => {
                // A codec that panics leaves the batch as it is.
                if let Ok((id, frame)) = squeezed {
                    dispatch.lane.squeezed(id, frame);
                }
            }
            Next::Woken => {}
        }
    }
}

/// What the task waits for.
enum Next {
    Landed(Result<(Id, Landing), JoinError>),
    Squeezed(Result<(u64, Request), JoinError>),
    /// To look at everything anew.
    Woken,
}

/// Whatever comes first. By hand: `select!` costs whoever compiles this crate a procedural macro.
///
/// # Cancel safety
///
/// As of each that is polled: what is not returned is still there.
async fn next(
    dispatch: &mut Dispatch,
    changes: &mut watch::Receiver<u64>,
    pause: Option<tokio::time::Instant>,
) -> Next {
    let Dispatch { lane, attempts, squeezes, .. } = dispatch;
    let mut woken = pin!(lane.wake.notified());
    // The sender lives in the destination, which the lane keeps alive, so this never fails.
    let mut changed = pin!(changes.changed());
    let mut paused = pin!(sleep_until(pause));
    poll_fn(|cx| {
        if let Poll::Ready(Some(landed)) = attempts.poll_join_next_with_id(cx) {
            return Poll::Ready(Next::Landed(landed));
        }
        if let Poll::Ready(Some(squeezed)) = squeezes.poll_join_next(cx) {
            return Poll::Ready(Next::Squeezed(squeezed));
        }
        let woken = woken.as_mut().poll(cx).is_ready()
            || changed.as_mut().poll(cx).is_ready()
            || (pause.is_some() && paused.as_mut().poll(cx).is_ready());
        if woken { Poll::Ready(Next::Woken) } else { Poll::Pending }
    })
    .await
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
        // A panic leaves them behind, and so does an abort.
        if self.flights.values().any(|flight| flight.probe) {
            self.lane.destination.probe_abandoned();
        }
    }
}

impl Dispatch {
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
