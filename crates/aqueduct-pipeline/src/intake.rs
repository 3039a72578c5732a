//! The way in: budget, ledger, open batch.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aqueduct_batch::{BatchConfig, Batcher, Sealed, Weight};
use aqueduct_pool::BufferPool;
use aqueduct_wire::{Chunk, Signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::acknowledge::{Delivery, Fanout};
use crate::budget::LONGEST_HOLD;
use crate::config::{Overflow, PipelineConfig, Priority};
use crate::home::{Absent, Home};
use crate::lane::{Counts, Lane};
use crate::parcel::{OpenBatch, Parcel, Receipts};

/// Why a chunk was not taken. The chunk's items are in no ledger: whoever offered them still owns them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// A lane's byte budget is full; it is worth offering again after this time, computed from the drain rate.
    Full {
        /// From 100 ms to 30 s.
        retry_after: Duration,
    },
    /// The pipeline is shutting down.
    Closed,
    /// The chunk is of another signal than the pipeline.
    WrongSignal,
    /// This process was forked from the pipeline's, and an exporter cannot be made anew in it ([`Exporter::rebuild`](crate::Exporter::rebuild)), or the
    /// operating system refuses a thread. Nothing sends here: build a pipeline in the child.
    Forked,
}

impl Refused {
    #[cold]
    fn of(absent: Absent) -> Self {
        match absent {
            Absent::Closed => Refused::Closed,
            Absent::Exporter | Absent::Worker(_) => Refused::Forked,
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Full { retry_after } => {
                write!(f, "the pipeline's byte budget is full; offer again in {} ms", retry_after.as_millis())
            }
            Refused::Closed => f.write_str("the pipeline is shutting down"),
            Refused::WrongSignal => f.write_str("the chunk is of another signal than the pipeline"),
            Refused::Forked => {
                f.write_str("the pipeline cannot be made anew in this forked process; build one here")
            }
        }
    }
}

impl std::error::Error for Refused {}

/// Offers chunks to a pipeline. Clone one per thread: each clone fills a shard of its own as long as there are
/// shards, so threads do not contend.
#[derive(Debug)]
pub struct Intake {
    home: Arc<Home>,
    shard: usize,
}

impl Clone for Intake {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.home))
    }
}

/// What intakes, the sealer and the pipeline's handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    signal: Signal,
    pub(crate) lanes: Vec<Arc<Lane>>,
    /// As many as there are to be for each priority, the priorities one after the other.
    shards: Vec<Mutex<Shard>>,
    shards_each: usize,
    overflow: Overflow,
    /// Set by the first chunk that enters an empty shard, cleared by the sealer before it looks for deadlines. While
    /// it is set no further wake is needed, so a busy pipeline wakes its sealer once per batch delay and not once
    /// per batch.
    armed: AtomicBool,
    wake_sealer: Notify,
}

/// Makes an open batch; called once per batch.
type MakeBatch = Box<dyn FnMut() -> OpenBatch + Send>;

#[derive(Debug)]
struct Shard {
    batcher: Batcher<Parcel, OpenBatch, MakeBatch>,
    closed: bool,
}

impl Shared {
    pub(crate) fn new(
        signal: Signal,
        config: &PipelineConfig,
        slabs: &BufferPool,
        lanes: Vec<Arc<Lane>>,
    ) -> Self {
        let shard = || {
            let slabs = slabs.clone();
            let make: MakeBatch = Box::new(move || OpenBatch::new(slabs.clone()));
            Mutex::new(Shard { batcher: Batcher::with_maker(config.batch.clone(), make), closed: false })
        };
        let shards_each = config.shards.max(1);
        Self {
            signal,
            lanes,
            shards: (0..shards_each * Priority::ALL.len()).map(|_| shard()).collect(),
            shards_each,
            overflow: config.overflow,
            armed: AtomicBool::new(false),
            wake_sealer: Notify::new(),
        }
    }

    fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Items in open batches, per lane.
    pub(crate) fn open_items(&self) -> u64 {
        self.shards.iter().map(|shard| Self::lock(shard).batcher.weight().items).sum()
    }

    /// Seals every open batch; with `close`, no chunk is taken afterwards.
    pub(crate) fn seal_all(&self, close: bool) {
        for (index, shard) in self.shards.iter().enumerate() {
            let mut shard = Self::lock(shard);
            shard.closed |= close;
            let sealed = shard.batcher.flush();
            self.hand_over(sealed, self.priority(index), Instant::now());
        }
    }

    /// Gives sealed batches to the lanes. Called under the lock of the shard they come from: whoever takes that lock
    /// next finds them in the lanes, so a flush cannot miss a batch on its way.
    fn hand_over(
        &self,
        sealed: impl IntoIterator<Item = Sealed<OpenBatch>>,
        priority: Priority,
        now: Instant,
    ) {
        for batch in sealed.into_iter().filter_map(|sealed| sealed.batch.close()) {
            for (lane, receipt) in self.lanes.iter().zip(batch.receipts) {
                lane.push(batch.merged.clone(), receipt, batch.charged, priority, now);
            }
        }
    }

    /// Runs the sealer for as long as it takes, and again if it panics.
    pub(crate) async fn supervise_sealer(self: Arc<Self>) {
        let mut sealer = JoinSet::new();
        sealer.spawn(Arc::clone(&self).run_sealer());
        while let Some(Err(_)) = sealer.join_next().await {
            sealer.spawn(Arc::clone(&self).run_sealer());
            for lane in &self.lanes {
                Counts::add(&lane.counts.restarts, 1);
            }
            // What it was about to wait for is looked at anew.
            self.wake_sealer.notify_one();
        }
    }

    /// Seals by age: the only timer of the way in. Runs on the worker until the pipeline is dropped.
    async fn run_sealer(self: Arc<Self>) {
        loop {
            self.wake_sealer.notified().await;
            while let Some(deadline) = self.next_deadline() {
                // Woken before that if the bounds of batches have changed.
                tokio::select! {
                    () = tokio::time::sleep_until(deadline.into()) => {}
                    () = self.wake_sealer.notified() => {}
                }
                let now = Instant::now();
                for (index, shard) in self.shards.iter().enumerate() {
                    let mut shard = Self::lock(shard);
                    let sealed = shard.batcher.poll(now);
                    self.hand_over(sealed, self.priority(index), now);
                }
            }
        }
    }

    /// The earliest deadline of an open batch. When there is none the sealer is disarmed first and looks again, so a
    /// chunk that came in between is either seen here or finds the flag cleared and wakes the sealer.
    fn next_deadline(&self) -> Option<Instant> {
        let earliest = || self.shards.iter().filter_map(|shard| Self::lock(shard).batcher.deadline()).min();
        earliest().or_else(|| {
            // Ordered against the shard locks: a producer that filled a shard after we looked takes that lock after
            // our first look, and its swap of the flag follows; whichever swap is later sees the other's work.
            self.armed.swap(false, Ordering::SeqCst);
            let found = earliest();
            if found.is_some() {
                self.armed.store(true, Ordering::SeqCst);
            }
            found
        })
    }

    /// Waits for no one: arms the sealer if it sleeps.
    fn arm(&self) {
        if !self.armed.load(Ordering::SeqCst) && !self.armed.swap(true, Ordering::SeqCst) {
            self.wake_sealer.notify_one();
        }
    }

    /// The bounds of batches at work: the same in every shard.
    pub(crate) fn batch_config(&self) -> BatchConfig {
        self.shards.first().map(|shard| Self::lock(shard).batcher.config().clone()).unwrap_or_default()
    }

    /// Changes the bounds, for the open batches as well.
    pub(crate) fn reconfigure(&self, config: &BatchConfig) {
        for shard in &self.shards {
            Self::lock(shard).batcher.reconfigure(config.clone());
        }
        // Deadlines may have come nearer.
        self.wake_sealer.notify_one();
    }

    /// The priority of what a shard gathers.
    fn priority(&self, shard: usize) -> Priority {
        // There are as many for each.
        Priority::ALL.get(shard / self.shards_each).copied().unwrap_or_default()
    }

    /// Reserves in every lane or in none.
    fn reserve(
        &self,
        bytes: u64,
        items: u64,
        priority: Priority,
        on_worker: impl Fn() -> bool,
    ) -> Result<(), Refused> {
        for (index, lane) in self.lanes.iter().enumerate() {
            if !lane.budget.try_reserve(bytes) && !self.make_room(lane, bytes, priority, &on_worker) {
                self.release(&self.lanes[..index], bytes);
                Counts::add(&lane.counts.refused, items);
                return Err(Refused::Full { retry_after: lane.budget.retry_after(bytes) });
            }
        }
        Ok(())
    }

    /// Does what the policy says about a full lane, and reserves. Whether it did.
    #[cold]
    fn make_room(&self, lane: &Lane, bytes: u64, priority: Priority, on_worker: &impl Fn() -> bool) -> bool {
        let now = Instant::now();
        let evicts = match (self.overflow, priority) {
            (Overflow::Block(longest), _) if !on_worker() => {
                let deadline = now.checked_add(longest).unwrap_or(now);
                return lane.budget.reserve_by(bytes, deadline);
            }
            (Overflow::DropOldest, priority) => Some(priority),
            (Overflow::KeepErrors, Priority::High) => Some(Priority::Normal),
            (Overflow::DropNewest | Overflow::Block(_) | Overflow::KeepErrors, _) => None,
        };
        // Others may take what was freed, so it is tried again as long as there is something to free.
        evicts.is_some_and(|most| {
            while lane.evict(bytes, most, now) {
                if lane.budget.try_reserve(bytes) {
                    return true;
                }
            }
            lane.budget.try_reserve(bytes)
        })
    }

    fn release(&self, lanes: &[Arc<Lane>], bytes: u64) {
        for lane in lanes {
            lane.budget.release(bytes);
        }
    }
}

impl Intake {
    pub(crate) fn of(home: Arc<Home>) -> Self {
        let shard = home.next_shard();
        Self { home, shard }
    }

    /// The signal this pipeline carries.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.home.recipe.signal
    }

    /// Offers a chunk: into the open batch of this intake's shard, acknowledged as enqueued when it returns `Ok`.
    ///
    /// Chunks smaller than the merge limit are copied, so the caller's buffer is free again.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing of the chunk was kept.
    ///
    /// # Overload
    ///
    /// When any lane's byte budget is full the chunk is refused for all of them, at once, unless the pipeline was built with another policy ([`Overflow`]).
    pub fn offer(&self, chunk: Chunk) -> Result<(), Refused> {
        self.put(chunk, Priority::Normal, None)
    }

    /// As [`offer`](Self::offer), for a chunk that is kept when there is no room for others; see [`Overflow`].
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing of the chunk was kept.
    pub fn offer_prioritized(&self, chunk: Chunk, priority: Priority) -> Result<(), Refused> {
        self.put(chunk, priority, None)
    }

    /// Offers a chunk and follows it: the returned future tells how its items settled at every destination (the worst
    /// of them when there are several).
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing of the chunk was kept.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing for the items.
    pub fn offer_acknowledged(&self, chunk: Chunk) -> Result<Delivery, Refused> {
        let (fanout, delivery) = Fanout::new(self.home.recipe.lanes.len());
        self.put(chunk, Priority::Normal, Some(fanout))?;
        Ok(delivery)
    }

    /// Back-pressure. When a lane holds more than half of its byte budget and batches wait in it although its destination has taken something
    /// lately (half a second; twice the time between its last two answers, up to five seconds, if it is slow): a future that ends when the lane holds less, and after half a second at the latest. Reading on only then slows
    /// clients down to what the destination takes, before any of them has to be refused. `None` when there is room,
    /// and when the destination takes nothing: waiting would not help.
    ///
    /// The future needs a tokio runtime with time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    #[must_use = "the pressure goes on unless somebody waits"]
    pub fn pressure(&self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let lane = self.home.existing()?.shared.lanes.iter().find(|lane| lane.is_pressed())?;
        let lane = Arc::clone(lane);
        Some(async move {
            // Out of time is out of patience: whoever waits goes on either way.
            let _ = tokio::time::timeout(LONGEST_HOLD, lane.relieved()).await;
        })
    }

    fn put(&self, chunk: Chunk, priority: Priority, fanout: Option<Arc<Fanout>>) -> Result<(), Refused> {
        let shared = &*self.home.core().map_err(Refused::of)?.shared;
        if chunk.signal() != shared.signal {
            return Err(Refused::WrongSignal);
        }
        let weight = Weight { items: chunk.items(), bytes: chunk.len() as u64 };
        if weight.bytes == 0 {
            // An empty request is a success of nothing; there is nothing to send.
            if let Some(fanout) = fanout {
                fanout.nothing_to_deliver();
            }
            return Ok(());
        }
        let on_worker = || self.home.recipe.worker.is_current();
        shared.reserve(weight.bytes, weight.items, priority, on_worker)?;
        let now = Instant::now();
        let opened = {
            let index = self.shard + shared.shards_each * priority as usize;
            let mut shard = Shared::lock(&shared.shards[index]);
            if shard.closed {
                drop(shard);
                shared.release(&shared.lanes, weight.bytes);
                return Err(Refused::Closed);
            }
            // Accepted only past the last refusal, and under the lock, so that a snapshot that takes it agrees.
            let receipts = shared.receipts(weight.items, fanout);
            let sealed = shard.batcher.offer(Parcel { chunk, receipts }, weight, now);
            shared.hand_over(sealed, priority, now);
            !shard.batcher.is_empty()
        };
        if opened {
            shared.arm();
        }
        Ok(())
    }
}

impl Shared {
    fn receipts(&self, items: u64, fanout: Option<Arc<Fanout>>) -> Receipts {
        let receipt = |lane: &Arc<Lane>| {
            let mut receipt = lane.ledger.accept(items);
            if let Some(fanout) = &fanout {
                receipt.attach(Arc::clone(fanout) as Arc<dyn aqueduct_metrics::Acknowledge>);
            }
            receipt
        };
        match self.lanes.as_slice() {
            [lane] => Receipts::One(receipt(lane)),
            lanes => Receipts::Many(lanes.iter().map(receipt).collect()),
        }
    }
}
