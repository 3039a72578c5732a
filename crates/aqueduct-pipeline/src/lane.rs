//! One lane: everything that one pipeline holds for one destination.
//!
//! A batch is in exactly one of four places: `queue` (never tried), `retry` (tried, may be tried again), `in_flight`,
//! or `settling` while its outcome is booked. It moves between them only under the state's lock, so walking the four gives what is held at an
//! instant. The lane's task ([`crate::dispatch`]) alone moves batches on; intakes only append to `queue`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aqueduct_exec::Spawner;
use aqueduct_metrics::{Ledger, Receipt};
use aqueduct_transport::Request;
use aqueduct_wire::{Merged, Signal};
use tokio::sync::Notify;

use crate::budget::Budget;
use crate::config::LaneConfig;
use crate::destination::Destination;
use crate::notice::Notices;

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) signal: Signal,
    pub(crate) destination: Arc<Destination>,
    pub(crate) ledger: Ledger,
    pub(crate) budget: Budget,
    pub(crate) max_in_flight: usize,
    /// Worker threads for what would hold up the lane's own.
    pub(crate) offload: Option<Spawner>,
    pub(crate) counts: Counts,
    state: Mutex<State>,
    /// Wakes the lane's task after a push or a change of phase.
    pub(crate) wake: Notify,
    /// Wakes threads that wait for batches to settle.
    settled: Condvar,
    /// Wakes who waits for the lane to be no longer pressed.
    relief: Notify,
    /// Whether a sealed batch waits for its turn. Written under the state's lock, read without.
    backlog: AtomicBool,
}

/// Plain counters: relaxed, they order nothing.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Attempts made.
    pub(crate) attempts: AtomicU64,
    /// Attempts that were made because an earlier one failed.
    pub(crate) retries: AtomicU64,
    /// Bytes sent, after compression, over all attempts.
    pub(crate) sent_bytes: AtomicU64,
    /// Attempts that ended by a panic of the exporter.
    pub(crate) panics: AtomicU64,
}

impl Counts {
    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}

/// How far the lane's task is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// Send what is held, then end.
    Draining,
    /// End now and count what is left.
    Aborting,
    /// The task has ended.
    Ended,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) queue: VecDeque<Held>,
    pub(crate) retry: VecDeque<Held>,
    pub(crate) in_flight: BTreeMap<u64, Held>,
    /// The one batch (id and items) whose outcome is being booked. Without it a flush could return between the end of
    /// the attempt and the entry in the ledger.
    pub(crate) settling: Option<(u64, u64)>,
    pub(crate) phase: Phase,
    pub(crate) notices: Notices,
    next_id: u64,
    pub(crate) last_success: Option<Instant>,
    pub(crate) last_failure: Option<(Instant, String)>,
}

/// A batch with its receipt.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) id: u64,
    pub(crate) content: Content,
    pub(crate) receipt: Receipt,
    pub(crate) charged: u64,
    pub(crate) sealed: Instant,
    pub(crate) attempts: u32,
}

/// The bytes of a batch: as merged, or, once it was tried, as sent (the merged bytes are released then).
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Merged(Merged),
    Prepared(Arc<Request>),
}

/// What a lane holds, found by walking it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) queued_items: u64,
    pub(crate) queued_batches: u64,
    pub(crate) retry_items: u64,
    pub(crate) retry_batches: u64,
    pub(crate) in_flight_items: u64,
    pub(crate) in_flight_batches: u64,
}

impl Walk {
    pub(crate) fn items(&self) -> u64 {
        self.queued_items + self.retry_items + self.in_flight_items
    }
}

impl Lane {
    pub(crate) fn new(
        signal: Signal,
        destination: Arc<Destination>,
        config: &LaneConfig,
        offload: Option<Spawner>,
    ) -> Self {
        Self {
            signal,
            destination,
            ledger: Ledger::new(),
            budget: Budget::new(config.queue_bytes),
            max_in_flight: config.max_in_flight,
            offload,
            counts: Counts::default(),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                retry: VecDeque::new(),
                in_flight: BTreeMap::new(),
                settling: None,
                phase: Phase::Running,
                notices: Notices::default(),
                next_id: 0,
                last_success: None,
                last_failure: None,
            }),
            wake: Notify::new(),
            settled: Condvar::new(),
            relief: Notify::new(),
            backlog: AtomicBool::new(false),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held cannot tear the state: every section moves whole batches.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a sealed batch over. It always succeeds: the budget was asked when the chunks came in.
    pub(crate) fn push(&self, merged: Merged, receipt: Receipt, charged: u64, now: Instant) {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        let content = Content::Merged(merged);
        state.queue.push_back(Held { id, content, receipt, charged, sealed: now, attempts: 0 });
        self.note_backlog(&state);
        drop(state);
        self.wake.notify_one();
    }

    /// To be called after `queue` or `retry` has changed.
    pub(crate) fn note_backlog(&self, state: &State) {
        let waits = state.has_waiting();
        if self.backlog.swap(waits, Ordering::Relaxed) && !waits {
            self.relief.notify_waiters();
        }
    }

    /// Whether senders are faster than the destination. Open batches and attempts under way alone are no sign of that: with many
    /// threads they can be half of the budget while nothing waits.
    ///
    /// Asked far more often than there is pressure, so the clock is read last.
    pub(crate) fn is_pressed(&self) -> bool {
        self.budget.is_half_full()
            && self.backlog.load(Ordering::Relaxed)
            && self.budget.has_drained_lately(Instant::now())
    }

    /// Gives back what a settled batch was charged.
    pub(crate) fn release(&self, charged: u64, now: Instant) {
        self.budget.drained(charged, now);
        if !self.is_pressed() {
            // Its lock is what makes registering and then asking, as `relieved` does, safe with relaxed counters.
            self.relief.notify_waiters();
        }
    }

    /// Resolves when the lane is not pressed.
    pub(crate) async fn relieved(&self) {
        loop {
            let mut relief = std::pin::pin!(self.relief.notified());
            // Registered before the question is asked, so that relief in between is not missed.
            relief.as_mut().enable();
            if !self.is_pressed() {
                return;
            }
            relief.await;
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = state.phase.max(phase);
        drop(state);
        self.wake.notify_one();
        self.settled.notify_all();
    }

    /// Tells waiting threads that something settled.
    pub(crate) fn announce(&self) {
        self.settled.notify_all();
    }

    /// Items held, counted by walking queue, retries and attempts; the open batches are the intake's part.
    pub(crate) fn walk(&self) -> Walk {
        let state = self.state();
        let sum = |batches: &mut dyn Iterator<Item = &Held>| {
            batches.fold((0, 0), |(items, count), held| (items + held.receipt.items(), count + 1))
        };
        let (queued_items, queued_batches) = sum(&mut state.queue.iter());
        let (retry_items, retry_batches) = sum(&mut state.retry.iter());
        let (in_flight_items, in_flight_batches) = sum(&mut state.in_flight.values());
        let in_flight_items = in_flight_items + state.settling.map_or(0, |(_, items)| items);
        Walk { queued_items, queued_batches, retry_items, retry_batches, in_flight_items, in_flight_batches }
    }

    /// Blocks until every batch that was pushed before the call is settled; `false` when the deadline came first.
    pub(crate) fn wait_settled(&self, deadline: Instant) -> bool {
        let until = self.state().next_id;
        self.wait(deadline, |state| state.oldest().is_none_or(|oldest| oldest >= until))
    }

    /// Blocks until the lane's task has ended; `false` when the deadline came first.
    pub(crate) fn wait_ended(&self, deadline: Instant) -> bool {
        self.wait(deadline, |state| state.phase == Phase::Ended)
    }

    fn wait(&self, deadline: Instant, done: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state();
        loop {
            if done(&state) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            state = self.settled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    /// The batch to try next: one that was tried before goes first.
    pub(crate) fn take_next(&mut self) -> Option<Held> {
        self.retry.pop_front().or_else(|| self.queue.pop_front())
    }

    /// The content of the batch to try next.
    pub(crate) fn next_content(&self) -> Option<&Content> {
        self.retry.front().or_else(|| self.queue.front()).map(|held| &held.content)
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.retry.is_empty() || !self.queue.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.has_waiting() && self.in_flight.is_empty()
    }

    fn oldest(&self) -> Option<u64> {
        let waiting = self.queue.iter().chain(&self.retry).map(|held| held.id).min();
        let flying = self.in_flight.keys().next().copied();
        let settling = self.settling.map(|(id, _)| id);
        waiting.into_iter().chain(flying).chain(settling).min()
    }
}
