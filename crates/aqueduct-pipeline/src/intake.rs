//! The way in: budget, ledger, open batch.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use aqueduct_batch::{BatchConfig, Batcher, SealReason, Sealed, Weight};
use aqueduct_metrics::{DropReason, Receipt};
use aqueduct_pool::BufferPool;
use aqueduct_wire::{Chunk, Signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::acknowledge::{Delivery, Fanout};
use crate::alarm::Alarm;
use crate::budget::LONGEST_HOLD;
use crate::config::{Overflow, PipelineConfig, Priority};
use crate::destination::Hurry;
use crate::held::Times;
use crate::home::Home;
use crate::lane::{Counts, Lane};
use crate::parcel::{OpenBatch, Parcel, Receipts};
use crate::refused::Refused;
use crate::slots::{Ask, OpenChunks};
use crate::tail::{Closed, Stage};
use crate::transform::{self, Transforms};

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
pub(crate) struct Shared {
    signal: Signal,
    pub(crate) transforms: Transforms,
    pub(crate) tail: Option<Stage>,
    pub(crate) lanes: Vec<Arc<Lane>>,
    /// As many as there are to be for each priority, the priorities one after the other.
    shards: Vec<Mutex<Shard>>,
    shards_each: usize,
    /// Batches that were sealed, by [`SealReason::index`]. Plain counters.
    seals: [AtomicU64; SealReason::ALL.len()],
    overflow: Overflow,
    /// The worker's, which must not wait for itself.
    worker: ThreadId,
    pub(crate) open_chunks: OpenChunks,
    /// Armed by the first chunk that enters an empty shard, or is opened. A busy pipeline wakes its sealer once per batch delay and not once
    /// per batch.
    alarm: Alarm,
    wake_sealer: Notify,
}

/// Nobody waits longer for room.
const LONGEST: Duration = Duration::from_secs(86_400);

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
        worker: ThreadId,
        lanes: Vec<Arc<Lane>>,
    ) -> Self {
        let shard = || {
            let slabs = slabs.clone();
            let make: MakeBatch = Box::new(move || OpenBatch::new(slabs.clone()));
            Mutex::new(Shard { batcher: Batcher::with_maker(config.batch.clone(), make), closed: false })
        };
        let shards_each = config.shards.max(1);
        let queue_bytes = lanes.iter().map(|lane| lane.budget.limit()).min().unwrap_or_default();
        Self {
            signal,
            transforms: Transforms::new(),
            tail: None,
            lanes,
            open_chunks: OpenChunks::new(config, queue_bytes, slabs.clone()),
            shards: (0..shards_each * Priority::ALL.len()).map(|_| shard()).collect(),
            shards_each,
            seals: Default::default(),
            overflow: config.overflow,
            worker,
            alarm: Alarm::new(),
            wake_sealer: Notify::new(),
        }
    }

    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Items in open batches, per lane.
    pub(crate) fn open_items(&self) -> u64 {
        self.shards.iter().map(|shard| Self::lock(shard).batcher.weight().items).sum()
    }

    /// Batches that were sealed, by [`SealReason::index`].
    pub(crate) fn seals(&self) -> [u64; SealReason::ALL.len()] {
        self.seals.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Seals every open chunk and batch; with `close`, none is taken afterwards. With `decide` the tail sampler decides all that it holds before.
    /// `false` if an encoder was still at work at the deadline: what is in its
    /// chunk then follows when it is done, or is dropped as `shutdown`. Without a deadline nobody is waited for.
    pub(crate) fn seal_all(&self, close: bool, until: Option<Instant>, decide: bool) -> bool {
        let ask = if close { Ask::Close } else { Ask::Seal };
        let mut all = self.open_chunks.ask(self, ask);
        if let (false, Some(until)) = (all, until) {
            // What is there goes ahead.
            self.seal_batches(false);
            all = self.open_chunks.ask_and_wait(self, ask, until);
        }
        if let Some(tail) = self.tail.as_ref().filter(|_| decide) {
            tail.drain(self, close);
        }
        self.seal_batches(close);
        all
    }

    fn seal_batches(&self, close: bool) {
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
        for Sealed { batch, opened, reason, .. } in sealed {
            let Some(batch) = batch.close() else { continue };
            Counts::add(&self.seals[reason.index()], 1);
            let times = Times { opened, sealed: now };
            for (lane, receipt) in self.lanes.iter().zip(batch.receipts) {
                lane.push(batch.merged.clone(), receipt, batch.charged, priority, times);
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

    /// Runs the tail sampler's timer for as long as it takes, and again if it panics.
    pub(crate) async fn supervise_tail(self: Arc<Self>) {
        let run = |shared: Arc<Self>| async move {
            if let Some(tail) = &shared.tail {
                tail.run(&shared).await;
            }
        };
        let mut timer = JoinSet::new();
        timer.spawn(run(Arc::clone(&self)));
        while let Some(Err(_)) = timer.join_next().await {
            timer.spawn(run(Arc::clone(&self)));
            for lane in &self.lanes {
                Counts::add(&lane.counts.restarts, 1);
            }
        }
    }

    /// Seals by age: the only timer of the way in. Runs on the worker until the pipeline is dropped.
    async fn run_sealer(self: Arc<Self>) {
        loop {
            self.wake_sealer.notified().await;
            while let Some(deadline) = self.next_deadline() {
                // Woken before that if the bounds of batches have changed.
                let _ = tokio::time::timeout_at(deadline.into(), self.wake_sealer.notified()).await;
                let now = Instant::now();
                if self.open_chunks.deadline(self.max_age()).is_some_and(|deadline| deadline <= now) {
                    self.seal_all(false, None, false);
                }
                for (index, shard) in self.shards.iter().enumerate() {
                    let mut shard = Self::lock(shard);
                    let sealed = shard.batcher.poll(now);
                    self.hand_over(sealed, self.priority(index), now);
                }
            }
        }
    }

    /// The earliest deadline of an open batch or chunk.
    fn next_deadline(&self) -> Option<Instant> {
        self.alarm.look(|| {
            let batches = self.shards.iter().filter_map(|shard| Self::lock(shard).batcher.deadline());
            batches.chain(self.open_chunks.deadline(self.max_age())).min()
        })
    }

    /// Of batches; all shards have the same.
    fn max_age(&self) -> Duration {
        self.shards.first().map_or(Duration::MAX, |shard| Self::lock(shard).batcher.config().max_age)
    }

    /// Waits for no one: arms the sealer if it sleeps.
    pub(crate) fn arm(&self) {
        if self.alarm.arm() {
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

    /// Has the lanes not spare their destinations as long as the caller keeps what is returned.
    pub(crate) fn insist(&self) -> Vec<Hurry> {
        let now = Instant::now();
        self.lanes.iter().map(|lane| lane.destination.insist(now)).collect()
    }

    /// The priority of what a shard gathers.
    fn priority(&self, shard: usize) -> Priority {
        // There are as many for each.
        Priority::ALL.get(shard / self.shards_each).copied().unwrap_or_default()
    }

    /// Reserves in every lane or in none, and does what the policy says about a full one.
    fn reserve(&self, bytes: u64, items: u64, priority: Priority) -> Result<(), Refused> {
        self.reserve_by(bytes, items, priority, self.patience())
    }

    /// The same for an item, without waiting for room: who may wait does so elsewhere, and notes then that it was in vain.
    pub(crate) fn reserve_now(&self, bytes: u64) -> Result<(), Refused> {
        let items = u64::from(self.patience().is_none());
        self.reserve_by(bytes, items, Priority::Normal, None)
    }

    /// Counts an item for which there was no room.
    pub(crate) fn note_refused(&self) {
        if let Some(lane) = self.lanes.iter().max_by_key(|lane| lane.budget.held()) {
            Counts::add(&lane.counts.refused, 1);
        }
    }

    /// Waits for room as long as the policy says; whether there was some for a moment. For who cannot wait where it reserves.
    pub(crate) fn wait_for_room(&self, bytes: u64, until: Instant) -> bool {
        let room = |lane: &Arc<Lane>| {
            let room = lane.budget.reserve_by(bytes, until);
            lane.budget.release(if room { bytes } else { 0 });
            room
        };
        self.lanes.iter().all(room)
    }

    /// How long a thread may wait for room, if it may.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match self.overflow {
            Overflow::Block(longest) if thread::current().id() != self.worker => Some(longest.min(LONGEST)),
            _ => None,
        }
    }

    fn reserve_by(
        &self,
        bytes: u64,
        items: u64,
        priority: Priority,
        patience: Option<Duration>,
    ) -> Result<(), Refused> {
        let mut until = None;
        for (index, lane) in self.lanes.iter().enumerate() {
            if lane.budget.try_reserve(bytes) {
                continue;
            }
            let now = Instant::now();
            // One deadline for all lanes.
            let until = patience.map(|patience| *until.get_or_insert_with(|| now + patience));
            if !self.make_room(lane, bytes, priority, until, now) {
                self.release(&self.lanes[..index], bytes);
                Counts::add(&lane.counts.refused, items);
                return Err(Refused::Full { retry_after: lane.budget.retry_after(bytes) });
            }
        }
        Ok(())
    }

    /// Does what the policy says about a full lane, and reserves. Whether it did.
    #[cold]
    fn make_room(
        &self,
        lane: &Lane,
        bytes: u64,
        priority: Priority,
        until: Option<Instant>,
        now: Instant,
    ) -> bool {
        let evicts = match (self.overflow, priority) {
            (Overflow::Block(_), _) => {
                return until.is_some_and(|until| lane.budget.reserve_by(bytes, until));
            }
            (Overflow::DropOldest, priority) => Some(priority),
            (Overflow::KeepErrors, Priority::High) => Some(Priority::Normal),
            (Overflow::DropNewest | Overflow::KeepErrors, _) => None,
        };
        // Others may take what was freed, so it is tried again as long as there is something to free.
        evicts.is_some_and(|most| {
            while lane.evict(bytes, most, now) {
                if lane.budget.try_reserve(bytes) {
                    return true;
                }
            }
            false
        })
    }

    pub(crate) fn release(&self, lanes: &[Arc<Lane>], bytes: u64) {
        for lane in lanes {
            lane.budget.release(bytes);
        }
    }

    /// Charges every lane for what is there already, whether or not it fits.
    pub(crate) fn charge(&self, bytes: u64) {
        for lane in &self.lanes {
            lane.budget.charge(bytes);
        }
    }

    /// Takes a chunk into the open batch of a shard (modulo their number).
    pub(crate) fn put(
        &self,
        shard: usize,
        chunk: Chunk,
        priority: Priority,
        fanout: Option<Arc<Fanout>>,
    ) -> Result<(), Refused> {
        if chunk.is_empty() {
            // An empty request is a success of nothing; there is nothing to send.
            if let Some(fanout) = fanout {
                fanout.nothing_to_deliver();
            }
            return Ok(());
        }
        let (chunk, lacking) = self.transform(chunk);
        let bytes = chunk.len() as u64;
        self.reserve(bytes, chunk.items(), priority)?;
        if let Some(tail) = &self.tail {
            // What it holds is charged to its own budget, but taken only while there is room further on.
            self.release(&self.lanes, bytes);
            tail.take(self, shard, &chunk).map_err(|Closed| Refused::Closed)?;
            self.drop_now(lacking, DropReason::NotSampled);
            return Ok(());
        }
        if self.enter(shard, chunk, lacking, priority, fanout) {
            return Ok(());
        }
        self.release(&self.lanes, bytes);
        Err(Refused::Closed)
    }

    /// What the transforms make of a chunk, and how many items it lacks then.
    #[inline]
    fn transform(&self, chunk: Chunk) -> (Chunk, u64) {
        if self.transforms.is_empty() { (chunk, 0) } else { transform::apply(&self.transforms, chunk) }
    }

    /// The same for a chunk whose items were taken before, when `reserved` bytes were set aside for it, which is no less than it has.
    pub(crate) fn put_reserved(&self, shard: usize, chunk: Chunk, reserved: u64) {
        let (chunk, lacking) = self.transform(chunk);
        let (items, bytes) = (chunk.items(), chunk.len() as u64);
        if let Some(tail) = &self.tail {
            self.release(&self.lanes, reserved);
            self.drop_now(lacking, DropReason::NotSampled);
            if let Err(Closed) = tail.take(self, shard, &chunk) {
                self.drop_now(items, DropReason::Shutdown);
            }
            return;
        }
        self.release(&self.lanes, reserved.saturating_sub(bytes));
        // What a transform adds is there, whether or not it fits.
        self.charge(bytes.saturating_sub(reserved));
        if self.enter(shard, chunk, lacking, Priority::Normal, None) {
            return;
        }
        self.release(&self.lanes, bytes);
        self.drop_now(items, DropReason::Shutdown);
        self.drop_now(lacking, DropReason::NotSampled);
    }

    /// Takes a chunk of items that were accepted before, for which there is room or not.
    pub(crate) fn put_held(&self, shard: usize, chunk: Chunk, receipts: Vec<Receipt>) {
        let bytes = chunk.len() as u64;
        self.charge(bytes);
        let receipts = match <[Receipt; 1]>::try_from(receipts) {
            Ok([receipt]) => Receipts::One(receipt),
            Err(receipts) => Receipts::Many(receipts),
        };
        let weight = Weight { items: chunk.items(), bytes };
        let now = Instant::now();
        let index = shard % self.shards_each + self.shards_each * Priority::Normal as usize;
        let mut shard = Self::lock(&self.shards[index]);
        if shard.closed {
            drop(shard);
            self.release(&self.lanes, bytes);
            receipts.into_vec().into_iter().for_each(|receipt| receipt.dropped(DropReason::Shutdown));
            return;
        }
        let sealed = shard.batcher.offer(Parcel { chunk, receipts }, weight, now);
        self.hand_over(sealed, Priority::Normal, now);
        let open = !shard.batcher.is_empty();
        drop(shard);
        if open {
            self.arm();
        }
    }

    /// Counts items as accepted and dropped.
    fn drop_now(&self, items: u64, reason: DropReason) {
        for lane in self.lanes.iter().filter(|_| items > 0) {
            lane.ledger.accept(items).dropped(reason);
        }
    }

    /// Takes a chunk for which there is room, and counts the items that were left out of it; or neither, if the shard is closed.
    fn enter(
        &self,
        shard: usize,
        chunk: Chunk,
        lacking: u64,
        priority: Priority,
        fanout: Option<Arc<Fanout>>,
    ) -> bool {
        let weight = Weight { items: chunk.items(), bytes: chunk.len() as u64 };
        let now = Instant::now();
        let opened = {
            let index = shard % self.shards_each + self.shards_each * priority as usize;
            let mut shard = Self::lock(&self.shards[index]);
            if shard.closed {
                return false;
            }
            // Accepted only past the last refusal, and under the lock, so that a snapshot that takes it agrees.
            self.drop_now(lacking, DropReason::NotSampled);
            if chunk.is_empty() {
                if let Some(fanout) = fanout {
                    fanout.nothing_to_deliver();
                }
                return true;
            }
            let receipts = self.receipts(weight.items, fanout);
            let sealed = shard.batcher.offer(Parcel { chunk, receipts }, weight, now);
            self.hand_over(sealed, priority, now);
            !shard.batcher.is_empty()
        };
        if opened {
            self.arm();
        }
        true
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
        if self.home.recipe.tail.is_some() {
            return Err(Refused::NotFollowed);
        }
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
        shared.put(self.shard, chunk, priority, fanout)
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

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("signal", &self.signal)
            .field("transforms", &self.transforms.len())
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}
