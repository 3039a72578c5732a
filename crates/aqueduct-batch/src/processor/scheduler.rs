//! What is taken in, what goes, what is handled next, and the books of it: decisions without threads, with the time as an argument.
//!
//! # Where an item is
//!
//! ```text
//!   put ---> open batch --sealed--> backlog (ready) --start--> running ---> handled, failed
//!                |                    ^         |                 |
//!                |                    |       evict               | failed, worth another attempt
//!              evict                  +-- backlog (delayed) <-----+
//! ```
//!
//! All of these are `held` and share one budget in items and bytes, so that a batch that waits for another attempt is paid for. What is
//! running cannot be evicted.
//!
//! # Phases
//!
//! *Open* takes items in. *Closing* takes none and ends when nothing is held, or at its deadline. *Stopped* has dropped what waited;
//! running batches are still settled when they come back, and nothing is tried again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::backlog::{Backlog, Waiting};
use super::batch::Batch;
use super::bundle::{Bundle, Slot, Tag};
use super::levels::Levels;
use super::stats::{Stats, count};
use crate::{
    BatchConfig, Batcher, DynamicBatch, Edge, QueueMonitor, Refusal, SealReason, Watermarks, Weight,
};

/// What the scheduler is told at its start; checked by the builder.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) batch: BatchConfig,
    pub(super) queue: Weight,
    pub(super) max_concurrent: usize,
    pub(super) eviction: Eviction,
    pub(super) watermarks: Watermarks,
    pub(super) dynamic: Option<DynamicBatch>,
}

/// Which items may be dropped for a new one, and under which name that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    Never,
    Oldest,
    Priority,
}

/// What the driver is to do.
#[derive(Debug)]
pub(super) enum Step<T> {
    /// Handle this batch and [`finish`](Scheduler::finish) it.
    Start(Batch<T>),
    /// Wait until [`Scheduler::due`].
    Wait,
    /// End.
    End,
}

/// When the driver has something to do if nobody adds anything and nothing that runs comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Now,
    At(Instant),
    Never,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    Handled,
    /// To be tried again after this time, or now; what is not in there was handled.
    Retry(Batch<T>, Duration),
    /// Not to be tried again; of the batch this much failed, and the rest was handled.
    Failed(Weight, Failure),
    /// The handling was given up at the end of the processor.
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Attempts,
    Permanent,
    Panic,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Until then; `None` for as long as it takes.
    Closing(Option<Instant>),
    Stopped,
}

#[derive(Debug)]
struct Running {
    weight: Weight,
    started: Instant,
    reason: SealReason,
}

#[derive(Debug)]
pub(super) struct Scheduler<T> {
    batcher: Batcher<Slot<T>, Bundle<T>>,
    backlog: Backlog<T>,
    running: BTreeMap<u64, Running>,
    /// What waits, by priority.
    levels: Levels,
    next_id: u64,
    phase: Phase,
    queue: Weight,
    max_concurrent: usize,
    eviction: Eviction,
    dynamic: Option<DynamicBatch>,
    /// An item found no room while a batch was open. Without this a queue full of one open batch would wait for that batch's time.
    pressed: Option<SealReason>,
    items: QueueMonitor,
    bytes: QueueMonitor,
    /// What the last edge said of both together.
    is_high: bool,
    edge: Option<Edge>,
    /// How often something was settled: whoever waits for that looks again.
    settlements: u64,
    stats: Stats,
}

impl<T> Scheduler<T> {
    pub(super) fn new(settings: Settings) -> Scheduler<T> {
        let Settings { batch, queue, max_concurrent, eviction, watermarks, dynamic } = settings;
        let batch = match &dynamic {
            Some(dynamic) => batch.with_max_items(dynamic.size()),
            None => batch,
        };
        Scheduler {
            batcher: Batcher::new(batch),
            backlog: Backlog::new(),
            running: BTreeMap::new(),
            levels: Levels::new(),
            next_id: 0,
            phase: Phase::Open,
            queue,
            max_concurrent,
            eviction,
            dynamic,
            pressed: None,
            items: QueueMonitor::at(queue.items, watermarks),
            bytes: QueueMonitor::at(queue.bytes, watermarks),
            is_high: false,
            edge: None,
            settlements: 0,
            stats: Stats::default(),
        }
    }

    /// Takes an item in, in place of others if the policy says so; these are put into `evicted`, to be dropped by the caller.
    pub(super) fn offer(
        &mut self,
        item: T,
        tag: Tag,
        now: Instant,
        evicted: &mut Vec<T>,
    ) -> Result<(), (T, Refusal)> {
        let refusal = match self.check(tag.weight) {
            Err(refusal) => refusal,
            Ok(()) if self.fits(tag.weight) || self.make_room(tag, evicted) => {
                self.put(item, tag, now);
                return Ok(());
            }
            Ok(()) => Refusal::Full,
        };
        self.refuse(refusal, tag.weight);
        Err((item, refusal))
    }

    /// Whether an item of this weight can be taken in at some time.
    pub(super) fn check(&self, weight: Weight) -> Result<(), Refusal> {
        if self.phase != Phase::Open {
            Err(Refusal::Closed)
        } else if weight.items > self.queue.items || weight.bytes > self.queue.bytes {
            Err(Refusal::TooLarge)
        } else {
            Ok(())
        }
    }

    /// Whether there is room for it now.
    pub(super) fn fits(&self, weight: Weight) -> bool {
        self.over(self.stats.held, weight).is_none()
    }

    /// Which bound the queue would exceed with this weight on top of that.
    fn over(&self, held: Weight, weight: Weight) -> Option<SealReason> {
        let beyond = |held: u64, more: u64, most: u64| held.checked_add(more).is_none_or(|sum| sum > most);
        if beyond(held.items, weight.items, self.queue.items) {
            Some(SealReason::Items)
        } else if beyond(held.bytes, weight.bytes, self.queue.bytes) {
            Some(SealReason::Bytes)
        } else {
            None
        }
    }

    /// Takes an item in that fits.
    pub(super) fn put(&mut self, item: T, tag: Tag, now: Instant) {
        count(&mut self.stats.accepted, tag.weight);
        self.stats.held = self.stats.held.plus(tag.weight);
        self.levels.add(&tag);
        for sealed in self.batcher.offer(Slot { item, tag }, tag.weight, now) {
            self.shelve(sealed);
        }
        self.watch();
    }

    /// Takes note that an item found no room: the open batch is then sealed as soon as somebody could take it.
    pub(super) fn press(&mut self, weight: Weight) {
        if self.pressed.is_none() && !self.batcher.is_empty() {
            self.pressed = self.over(self.stats.held, weight);
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, weight: Weight) {
        let refused = &mut self.stats.refused;
        let sum = match refusal {
            Refusal::Full => &mut refused.full,
            Refusal::TimedOut => &mut refused.timed_out,
            Refusal::TooLarge => &mut refused.too_large,
            Refusal::Closed => &mut refused.closed,
        };
        count(sum, weight);
    }

    /// What the driver is to do now.
    pub(super) fn direct(&mut self, now: Instant) -> Step<T> {
        match self.phase {
            Phase::Stopped => return Step::End,
            Phase::Closing(_) if self.is_drained() => return Step::End,
            Phase::Closing(Some(deadline)) if deadline <= now => return Step::End,
            Phase::Open | Phase::Closing(_) => {}
        }
        if self.running.len() >= self.max_concurrent {
            return Step::Wait;
        }
        self.backlog.mature(now);
        if let Some(sealed) = self.batcher.poll(now) {
            self.shelve(sealed);
        }
        if !self.backlog.has_ready()
            && let Some(reason) = self.pressed
            && let Some(sealed) = self.batcher.seal(reason)
        {
            self.shelve(sealed);
        }
        match self.backlog.pop() {
            Some((id, waiting)) => Step::Start(self.start(id, waiting, now)),
            None => Step::Wait,
        }
    }

    pub(super) fn due(&self) -> Due {
        let at = |instant: Option<Instant>| instant.map_or(Due::Never, Due::At);
        let end = match self.phase {
            Phase::Stopped => return Due::Now,
            Phase::Closing(_) if self.is_drained() => return Due::Now,
            Phase::Closing(deadline) => at(deadline),
            Phase::Open => Due::Never,
        };
        let pressed = self.pressed.is_some() && !self.batcher.is_empty();
        let work = if self.running.len() >= self.max_concurrent {
            Due::Never
        } else if self.backlog.has_ready() || pressed {
            Due::Now
        } else {
            at(self.batcher.deadline()).min(at(self.backlog.next_due()))
        };
        work.min(end)
    }

    /// Settles an attempt. Returns what nobody wants any more, to be dropped by the caller.
    pub(super) fn finish(&mut self, id: u64, outcome: Outcome<T>, now: Instant) -> Option<Batch<T>> {
        let Running { weight, started, reason } = self.running.remove(&id)?;
        self.adapt(reason, now.saturating_duration_since(started));
        let (left, then) = match outcome {
            Outcome::Handled => (Weight::default(), None),
            Outcome::Failed(left, failure) => {
                self.fail(failure, left);
                (left, None)
            }
            Outcome::Cancelled => {
                count(&mut self.stats.dropped.shutdown, weight);
                (weight, None)
            }
            Outcome::Retry(batch, delay) => (batch.weight(), Some((batch, delay))),
        };
        count(&mut self.stats.handled, weight.minus(left));
        self.stats.running = self.stats.running.minus(weight);
        // What is tried again stays held until it is known whether it may.
        let unwanted = match then {
            Some((batch, delay)) => {
                self.stats.held = self.stats.held.minus(weight.minus(left));
                self.again(batch, left, now, delay)
            }
            None => {
                self.stats.held = self.stats.held.minus(weight);
                None
            }
        };
        self.settlements += 1;
        self.watch();
        unwanted
    }

    fn again(&mut self, batch: Batch<T>, left: Weight, now: Instant, delay: Duration) -> Option<Batch<T>> {
        // Beyond what an instant can say, it never comes.
        let due = now.checked_add(delay);
        let in_time = match self.phase {
            Phase::Open => true,
            Phase::Closing(None) => due.is_some(),
            Phase::Closing(Some(deadline)) => due.is_some_and(|due| due < deadline),
            Phase::Stopped => false,
        };
        let Some(due) = due.filter(|_| in_time) else {
            count(&mut self.stats.dropped.shutdown, left);
            self.stats.held = self.stats.held.minus(left);
            return Some(batch);
        };
        let Batch { id, items, tags, opened, reason, attempt } = batch;
        tags.iter().for_each(|tag| self.levels.add(tag));
        let bundle = Bundle::from_parts(items, tags);
        let due = (delay > Duration::ZERO).then_some(due);
        self.backlog.insert(id, due, Waiting { bundle, opened, reason, attempts: attempt });
        None
    }

    /// Seals the open batch. Once [`has_settled`](Self::has_settled) says so of the number returned, everything accepted before is settled.
    pub(super) fn flush(&mut self) -> u64 {
        if let Some(sealed) = self.batcher.flush() {
            self.shelve(sealed);
        }
        self.next_id
    }

    /// Whether nothing is held any more of what was there when `flush` returned this number.
    pub(super) fn has_settled(&self, mark: u64) -> bool {
        let running = self.running.keys().next().copied();
        self.backlog.oldest().into_iter().chain(running).all(|id| id >= mark)
    }

    /// Takes no more items in. What waits for an attempt that comes after the deadline has it now. Only the first call counts.
    pub(super) fn close(&mut self, deadline: Option<Instant>) {
        if self.phase != Phase::Open {
            return;
        }
        self.flush();
        self.phase = Phase::Closing(deadline);
        if let Some(deadline) = deadline {
            self.backlog.hurry(deadline);
        }
    }

    /// Drops what waits into `dropped`. Only what is running is held after that.
    pub(super) fn stop(&mut self, dropped: &mut Vec<T>) {
        self.flush();
        self.phase = Phase::Stopped;
        while let Some(waiting) = self.backlog.pop_any() {
            let (items, tags) = waiting.bundle.into_parts();
            for tag in &tags {
                self.levels.remove(tag);
                count(&mut self.stats.dropped.shutdown, tag.weight);
                self.stats.held = self.stats.held.minus(tag.weight);
            }
            dropped.extend(items);
        }
        self.settlements += 1;
        self.watch();
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether nothing is held.
    pub(super) fn is_drained(&self) -> bool {
        self.batcher.is_empty() && self.backlog.is_empty() && self.running.is_empty()
    }

    /// Goes up each time that something was settled.
    pub(super) fn settlements(&self) -> u64 {
        self.settlements
    }

    /// The edge that nobody has been told yet. An edge and its opposite, neither of them told, are none.
    pub(super) fn take_edge(&mut self) -> Option<Edge> {
        self.edge.take()
    }

    /// Whether there is an edge to tell.
    pub(super) fn has_edge(&self) -> bool {
        self.edge.is_some()
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            peak_items: self.items.peak(),
            peak_bytes: self.bytes.peak(),
            utilisation: self.items.utilisation().max(self.bytes.utilisation()),
            max_items: self.batcher.config().max_items,
            ..self.stats
        }
    }

    fn shelve(&mut self, sealed: crate::Sealed<Bundle<T>>) {
        let crate::Sealed { batch: bundle, opened, reason, .. } = sealed;
        let id = self.next_id;
        self.next_id += 1;
        self.pressed = None;
        self.backlog.insert(id, None, Waiting { bundle, opened, reason, attempts: 0 });
    }

    fn start(&mut self, id: u64, waiting: Waiting<T>, now: Instant) -> Batch<T> {
        let Waiting { bundle, opened, reason, attempts } = waiting;
        let (items, tags) = bundle.into_parts();
        tags.iter().for_each(|tag| self.levels.remove(tag));
        let batch = Batch { id, items, tags, opened, reason, attempt: attempts.saturating_add(1) };
        let weight = batch.weight();
        self.running.insert(id, Running { weight, started: now, reason });
        self.stats.running = self.stats.running.plus(weight);
        self.stats.attempts += 1;
        self.stats.retries += u64::from(attempts > 0);
        batch
    }

    /// Drops what the policy lets go for this item, if that makes enough room; otherwise nothing.
    fn make_room(&mut self, tag: Tag, evicted: &mut Vec<T>) -> bool {
        let spare = match self.eviction {
            Eviction::Never => Weight::default(),
            Eviction::Oldest | Eviction::Priority => self.levels.up_to(tag.priority),
        };
        self.press(tag.weight);
        if self.over(self.stats.held.minus(spare), tag.weight).is_some() {
            return false;
        }
        while !self.fits(tag.weight) {
            let Some((item, gone)) = self.evict() else { return false };
            evicted.push(item);
            self.levels.remove(&gone);
            self.stats.held = self.stats.held.minus(gone.weight);
            let dropped = &mut self.stats.dropped;
            count(
                if self.eviction == Eviction::Priority { &mut dropped.priority } else { &mut dropped.oldest },
                gone.weight,
            );
        }
        self.settlements += 1;
        true
    }

    /// Takes the oldest item of the lowest priority. The open batch is the youngest.
    fn evict(&mut self) -> Option<(T, Tag)> {
        let open = self.batcher.open().map(Bundle::lowest);
        match (self.backlog.lowest(), open) {
            (Some(sealed), Some(open)) if open < sealed => self.evict_open(),
            (Some(_), _) => self.backlog.evict(),
            (None, _) => self.evict_open(),
        }
    }

    fn evict_open(&mut self) -> Option<(T, Tag)> {
        self.batcher.withdraw(|bundle| {
            let (item, tag) = bundle.evict()?;
            Some(((item, tag), tag.weight))
        })
    }

    fn fail(&mut self, failure: Failure, weight: Weight) {
        let failed = &mut self.stats.failed;
        let sum = match failure {
            Failure::Attempts => &mut failed.attempts,
            Failure::Permanent => &mut failed.permanent,
            Failure::Panic => &mut failed.panic,
            Failure::Lost => &mut failed.lost,
        };
        count(sum, weight);
        self.stats.panics += u64::from(failure == Failure::Panic);
    }

    /// Lets the size of batches follow how long they take.
    fn adapt(&mut self, reason: SealReason, latency: Duration) {
        let Some(dynamic) = &mut self.dynamic else { return };
        // A batch that is smaller than the size says nothing about the size, unless it was too slow even so.
        let tells = reason == SealReason::Items || latency > dynamic.target();
        if tells && let Some(size) = dynamic.observe(latency) {
            let config = self.batcher.config().clone().with_max_items(size);
            self.batcher.reconfigure(config);
        }
    }

    fn watch(&mut self) {
        self.items.observe(self.stats.held.items);
        self.bytes.observe(self.stats.held.bytes);
        let is_high = self.items.is_high() || self.bytes.is_high();
        if is_high != self.is_high {
            self.is_high = is_high;
            self.edge = match self.edge {
                Some(_) => None,
                None => Some(if is_high { Edge::High } else { Edge::Low }),
            };
        }
    }
}

#[cfg(test)]
mod tests;
