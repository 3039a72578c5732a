//! One lane: everything that one pipeline holds for one destination.
//!
//! A batch is in exactly one of four places: `queue` (never tried), `retry` (tried, may be tried again), `in_flight`,
//! or `settling` while its outcome is booked. It moves between them only under the state's lock, so walking the four gives what is held at an
//! instant. The lane's task ([`crate::dispatch`]) alone moves batches on; intakes only append to `queue`.
//!
//! A batch that is too large becomes parts ([`crate::halve`]). A part is a batch like any other, with its share of the receipt and
//! of the charge; the rest, with the rest of both, waits in `queue`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aqueduct_exec::Spawner;
use aqueduct_metrics::{DropReason, Ledger, Receipt};
use aqueduct_transport::{ConcurrencyLimit, Encoding, LimitConfig, Request};
use aqueduct_wire::{Merged, Signal};
use tokio::sync::Notify;

use crate::budget::Budget;
use crate::config::{LaneConfig, Priority};
use crate::destination::Here;
use crate::held::{Content, Held, Times};
use crate::measured::Measured;
use crate::notice::{Notice, Notices};

/// What is smaller than this is left as it is: less than a page is won.
const WORTH_SQUEEZING: usize = 8 << 10;

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) signal: Signal,
    pub(crate) destination: Arc<Here>,
    pub(crate) ledger: Ledger,
    /// Items that the process before this one held for the lane when this one was forked. No item of this ledger.
    pub(crate) inherited: u64,
    pub(crate) budget: Budget,
    /// How many requests may be under way.
    limit: Mutex<ConcurrencyLimit>,
    /// Whether that is found by trying, between [`LEAST_LIMIT`] and the most.
    adapts: bool,
    max_in_flight: AtomicUsize,
    /// Past so many percent of the budget what waits is compressed.
    compress_held_above: u8,
    /// Worker threads for what would hold up the lane's own.
    pub(crate) offload: Option<Spawner>,
    pub(crate) counts: Counts,
    pub(crate) measured: Measured,
    state: Mutex<State>,
    /// Wakes the lane's task after a push or a change of phase.
    pub(crate) wake: Notify,
    /// Wakes threads that wait for batches to settle.
    settled: Condvar,
    /// The same for tasks.
    settled_tasks: Notify,
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
    /// Attempts with an outcome after which the destination did not have the batch.
    pub(crate) failed: AtomicU64,
    /// Bytes sent, after compression, over all attempts.
    pub(crate) sent_bytes: AtomicU64,
    /// Attempts that ended by a panic of the exporter.
    pub(crate) panics: AtomicU64,
    /// Batches and parts of them that were made smaller.
    pub(crate) splits: AtomicU64,
    /// Tasks of the worker that were begun again after a panic.
    pub(crate) restarts: AtomicU64,
    /// Items of chunks for which there was no room.
    pub(crate) refused: AtomicU64,
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
    /// The one batch (the id as sealed, and items) whose outcome is being booked, or of which a part is being made. Without it a flush could return between the end of
    /// the attempt and the entry in the ledger.
    pub(crate) settling: Option<(u64, u64)>,
    pub(crate) phase: Phase,
    pub(crate) notices: Notices,
    /// Notices that came up on other threads, for the lane's own to tell.
    pub(crate) untold: Vec<Notice>,
    next_id: u64,
    pub(crate) last_success: Option<Instant>,
    pub(crate) last_failure: Option<(Instant, String)>,
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
    /// Of what is held compressed: bytes before, and after.
    pub(crate) squeezed_from: u64,
    pub(crate) squeezed_to: u64,
}

impl Walk {
    pub(crate) fn items(&self) -> u64 {
        self.queued_items + self.retry_items + self.in_flight_items
    }
}

impl Lane {
    pub(crate) fn new(
        signal: Signal,
        destination: Arc<Here>,
        config: &LaneConfig,
        offload: Option<Spawner>,
        inherited: u64,
    ) -> Self {
        Self {
            signal,
            inherited,
            destination,
            ledger: Ledger::new(),
            budget: Budget::new(config.queue_bytes),
            limit: Mutex::new(limit(config.max_in_flight, config.adaptive)),
            adapts: config.adaptive,
            max_in_flight: AtomicUsize::new(config.max_in_flight),
            compress_held_above: config.compress_held_above,
            offload,
            counts: Counts::default(),
            measured: Measured::default(),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                retry: VecDeque::new(),
                in_flight: BTreeMap::new(),
                settling: None,
                phase: Phase::Running,
                notices: Notices::default(),
                untold: Vec::new(),
                next_id: 0,
                last_success: None,
                last_failure: None,
            }),
            wake: Notify::new(),
            settled: Condvar::new(),
            settled_tasks: Notify::new(),
            relief: Notify::new(),
            backlog: AtomicBool::new(false),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held cannot tear the state: every section moves whole batches.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a sealed batch over. It always succeeds: the budget was asked when the chunks came in.
    pub(crate) fn push(
        &self,
        merged: Merged,
        receipt: Receipt,
        charged: u64,
        priority: Priority,
        times: Times,
    ) {
        let mut state = self.state();
        let id = state.take_id();
        let content = Content::Merged(merged);
        let held = Held {
            id,
            batch: id,
            content,
            receipt,
            charged,
            times,
            attempts: 0,
            part: false,
            squeezed: false,
            priority,
        };
        state.queue.push_back(held);
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

    /// Charges a batch that is kept for what it keeps allocated.
    pub(crate) fn recharge_kept(&self, held: &mut Held) {
        if let Some(bytes) = held.content.held_bytes() {
            self.recharge(held, bytes);
        }
    }

    /// Charges a batch for so many bytes, if it is charged for more.
    pub(crate) fn recharge(&self, held: &mut Held, bytes: u64) {
        if bytes >= held.charged {
            return;
        }
        self.budget.release(held.charged - bytes);
        held.charged = bytes;
        if !self.is_pressed() {
            // As in `release`.
            self.relief.notify_waiters();
        }
    }

    /// Gives back what a batch was charged that the destination has.
    pub(crate) fn drained(&self, charged: u64, now: Instant) {
        self.budget.note_drained(charged, now);
        self.release(charged);
    }

    /// Gives back what a settled batch was charged.
    pub(crate) fn release(&self, charged: u64) {
        self.budget.release(charged);
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

    pub(crate) fn limit(&self) -> MutexGuard<'_, ConcurrencyLimit> {
        // Its calls leave it whole.
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests under way at most, whatever the limit is now.
    pub(crate) fn max_in_flight(&self) -> usize {
        self.max_in_flight.load(Ordering::Relaxed)
    }

    /// At least 1.
    pub(crate) fn set_max_in_flight(&self, requests: usize) {
        self.max_in_flight.store(requests, Ordering::Relaxed);
        let least = if self.adapts { requests.min(LEAST_LIMIT) } else { requests };
        // Bounds that contradict each other are refused; these do not.
        let _ = self.limit().set_bounds(least, requests);
        self.wake.notify_one();
    }

    /// Whether so much is held, for so long, that it is worth the CPU time to compress it.
    pub(crate) fn squeezes(&self, now: Instant) -> bool {
        self.budget.exceeds_percent(self.compress_held_above)
            && (self.destination.paused(now).is_some() || !self.budget.empties_soon(now))
    }

    /// The next batch to compress, with its id: the first of those that were not looked at, but for the `skip` that are about to be sent.
    pub(crate) fn next_to_squeeze(&self, skip: usize) -> Option<(u64, Merged)> {
        let mut state = self.state();
        let State { retry, queue, .. } = &mut *state;
        let mut waiting = retry.iter_mut().chain(queue).skip(skip);
        let held = waiting.find(|held| {
            !held.squeezed && held.content.loose().is_some_and(|batch| batch.len() >= WORTH_SQUEEZING)
        })?;
        held.squeezed = true;
        Some((held.id, held.content.loose()?.clone()))
    }

    /// A batch was compressed. If it still waits it is kept so, and if it is under way it may be compressed again when it waits once more.
    pub(crate) fn squeezed(&self, id: u64, frame: Request) {
        if frame.encoding() == Encoding::Identity {
            return;
        }
        let mut state = self.state();
        let State { retry, queue, in_flight, .. } = &mut *state;
        if let Some(held) = in_flight.get_mut(&id) {
            held.squeezed = false;
        }
        let waiting = retry.iter_mut().chain(queue).find(|held| held.id == id);
        if let Some(held) = waiting.filter(|held| held.content.loose().is_some()) {
            held.content = Content::Squeezed { frame: Arc::new(frame), tried: false };
            self.recharge_kept(held);
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = state.phase.max(phase);
        drop(state);
        self.wake.notify_one();
        self.announce();
    }

    /// Tells those who wait that something settled.
    pub(crate) fn announce(&self) {
        self.settled.notify_all();
        self.settled_tasks.notify_waiters();
    }

    /// Drops the oldest batches that wait, of this priority at most and the lowest first, until there is room for `bytes`; whether there is then. Nothing is
    /// dropped if that would not do.
    pub(crate) fn evict(&self, bytes: u64, most: Priority, now: Instant) -> bool {
        let evicted = {
            let mut state = self.state();
            let missing = self.budget.held().saturating_add(bytes).saturating_sub(self.budget.limit());
            let Some(evicted) = state.take_oldest(missing, most) else { return false };
            for held in &evicted {
                let items = held.receipt.items();
                let told = state.notices.dropped(DropReason::Budget, "the byte budget is full", items, now);
                state.untold.extend(told);
            }
            self.note_backlog(&state);
            evicted
        };
        let any = !evicted.is_empty();
        for held in evicted {
            self.budget.release(held.charged);
            held.receipt.dropped(DropReason::Budget);
        }
        if any {
            // Somebody may wait for what is gone, and the notice is the lane's to tell.
            self.announce();
            self.wake.notify_one();
        }
        true
    }

    /// After a panic of the lane's task: what was under way is tried again. It may have arrived.
    pub(crate) fn recover(&self) {
        Counts::add(&self.counts.restarts, 1);
        // The permits have gone with the task.
        *self.limit() = limit(self.max_in_flight(), self.adapts);
        let mut state = self.state();
        state.settling = None;
        for (_, mut held) in std::mem::take(&mut state.in_flight) {
            self.recharge_kept(&mut held);
            state.retry.push_back(held);
        }
        self.note_backlog(&state);
        drop(state);
        self.announce();
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
        let (mut squeezed_from, mut squeezed_to) = (0, 0);
        for held in state.queue.iter().chain(&state.retry).chain(state.in_flight.values()) {
            if let Content::Squeezed { frame, .. } = &held.content {
                squeezed_from += frame.uncompressed_len() as u64;
                squeezed_to += frame.len() as u64;
            }
        }
        Walk {
            queued_items,
            queued_batches,
            retry_items,
            retry_batches,
            in_flight_items,
            in_flight_batches,
            squeezed_from,
            squeezed_to,
        }
    }

    /// Blocks until every batch that was pushed before the call is settled; `false` when the deadline came first.
    pub(crate) fn wait_settled(&self, deadline: Instant) -> bool {
        let until = self.next_id();
        self.wait(deadline, |state| state.oldest().is_none_or(|oldest| oldest >= until))
    }

    /// The first batch that has not been pushed yet.
    pub(crate) fn next_id(&self) -> u64 {
        self.state().next_id
    }

    /// Resolves when every batch before this one has settled.
    pub(crate) async fn settled(&self, before: u64) {
        loop {
            let mut settled = std::pin::pin!(self.settled_tasks.notified());
            // Registered before the question is asked, so that an answer in between is not missed.
            settled.as_mut().enable();
            if self.state().oldest().is_none_or(|oldest| oldest >= before) {
                return;
            }
            settled.await;
        }
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

/// Which batches may be tried next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// One that was tried before goes first.
    Any,
    /// Only one that was not.
    Untried,
}

/// Where the search for the number of requests under way begins.
const FIRST_LIMIT: usize = 8;

/// It goes no lower than this: a server that takes requests and never answers them must not stop the lane, each time for as long as an attempt may take.
const LEAST_LIMIT: usize = 4;

fn limit(most: usize, adapts: bool) -> ConcurrencyLimit {
    let mut config = LimitConfig::default();
    (config.min, config.max, config.initial) = (most.min(LEAST_LIMIT), most, most.min(FIRST_LIMIT));
    // One that cannot be is refused, which this one can be.
    ConcurrencyLimit::new(config).ok().filter(|_| adapts).unwrap_or_else(|| ConcurrencyLimit::fixed(most))
}

impl State {
    /// The batch to try next.
    pub(crate) fn take_next(&mut self, pick: Pick) -> Option<Held> {
        match pick {
            Pick::Any => self.retry.pop_front().or_else(|| self.queue.pop_front()),
            Pick::Untried => {
                let index = self.queue.iter().position(Held::is_untried)?;
                self.queue.remove(index)
            }
        }
    }

    /// The batch to try next, to look at.
    pub(crate) fn next(&self, pick: Pick) -> Option<&Held> {
        match pick {
            Pick::Any => self.retry.front().or_else(|| self.queue.front()),
            Pick::Untried => self.queue.iter().find(|held| held.is_untried()),
        }
    }

    /// Takes the oldest batches that wait, of this priority at most and the lowest first, that are charged `bytes` together; none if there are not so many.
    fn take_oldest(&mut self, bytes: u64, most: Priority) -> Option<Vec<Held>> {
        let (mut freed, mut tried, mut untried) = (0, Vec::new(), Vec::new());
        for priority in Priority::ALL.into_iter().filter(|priority| *priority <= most) {
            let of = |(_, held): &(usize, &Held)| held.priority == priority;
            let mut retry = self.retry.iter().enumerate().filter(of).peekable();
            let mut queue = self.queue.iter().enumerate().filter(of).peekable();
            while freed < bytes {
                let tried_first = match (retry.peek(), queue.peek()) {
                    (Some((_, tried)), Some((_, untried))) => tried.times.sealed <= untried.times.sealed,
                    (Some(_), None) => true,
                    (None, Some(_)) => false,
                    (None, None) => break,
                };
                let (from, indices) =
                    if tried_first { (retry.next(), &mut tried) } else { (queue.next(), &mut untried) };
                if let Some((index, held)) = from {
                    freed += held.charged;
                    indices.push(index);
                }
            }
        }
        if freed < bytes {
            return None;
        }
        let mut taken = Vec::with_capacity(tried.len() + untried.len());
        for (waiting, mut indices) in [(&mut self.retry, tried), (&mut self.queue, untried)] {
            // From the back, so that the others keep their places.
            indices.sort_unstable_by(|a, b| b.cmp(a));
            taken.extend(indices.into_iter().filter_map(|index| waiting.remove(index)));
        }
        Some(taken)
    }

    /// An id that no batch has yet.
    pub(crate) fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.retry.is_empty() || !self.queue.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.has_waiting() && self.in_flight.is_empty()
    }

    fn oldest(&self) -> Option<u64> {
        let held = self.queue.iter().chain(&self.retry).chain(self.in_flight.values());
        held.map(|held| held.batch).chain(self.settling.map(|(batch, _)| batch)).min()
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_transport::Feedback;

    use super::*;

    /// Guards against a lane that one request without an answer holds up, whatever it has been refused before.
    #[test]
    fn the_limit_leaves_more_than_one_way() {
        let now = Instant::now();
        for (most, least) in [(32, LEAST_LIMIT), (LEAST_LIMIT, LEAST_LIMIT), (2, 2), (1, 1)] {
            let mut limit = limit(most, true);
            for refusal in 0..100 {
                let now = now + Duration::from_secs(refusal);
                let permits: Vec<_> = std::iter::from_fn(|| limit.try_acquire(now)).collect();
                permits.into_iter().for_each(|permit| limit.finished(permit, now, Feedback::Backpressure));
            }
            assert_eq!(limit.limit(), least, "of {most} at most");
        }
    }
}
