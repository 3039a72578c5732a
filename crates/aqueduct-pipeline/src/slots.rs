//! Open chunks: what threads encode items into, until there is enough of it for a batch.
//!
//! Each [`EncodingIntake`](crate::EncodingIntake) has a set of slots ([`Slots`]), and each slot a chunk that is open or not. A thread has a slot
//! of its own as long as there are as many slots as threads; when it finds its slot busy it moves on to the next, and when all are busy, which takes as
//! many threads that are interrupted while they encode, or an encoder that pushes items itself, the item becomes a chunk of its own.
//!
//! An open chunk has reserved its full size in every lane. When it is sealed, what it has not used is given back, its items are counted as accepted, and
//! it goes into the open batch of a shard. It is sealed by whoever fills it up, and, as a slot can be asked from any thread ([`slot`]), by a flush, a
//! shutdown, or the pipeline's thread when the oldest open chunk has reached the age of a batch. Then all are sealed, and the batches with them: so items
//! wait no longer in both places together than they would in a batch, and chunks opened one after the other do not make a request each.

mod set;
mod slot;

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use aqueduct_pool::BufferPool;
use aqueduct_wire::encode::ResourcePrefix;

use crate::config::PipelineConfig;
use crate::intake::Shared;
use crate::sync::{Mutex, lock};

pub(crate) use set::Slots;
pub(crate) use slot::Ask;

/// There are at least so many slots, for threads that are interrupted inside of one.
const LEAST_SLOTS: usize = 4;

/// A chunk has room for so many bytes at least, however small the lanes' budgets are.
const LEAST_CHUNK_BYTES: u64 = 1024;

/// When a chunk is full.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// What an open chunk reserves.
    bytes: u64,
    items: u64,
}

impl Limits {
    /// A chunk of so many bytes is full. An eighth of them is left for the next item, so that buffers rarely grow.
    fn full_at(self) -> usize {
        (self.bytes - self.bytes / 8) as usize
    }
}

/// All open chunks of a pipeline.
#[derive(Debug)]
pub(crate) struct OpenChunks {
    sets: Mutex<Sets>,
    /// When the first chunk since the last time that all were sealed was opened. It may have been sealed since.
    oldest: Mutex<Option<Instant>>,
    limits: Limits,
    slots: usize,
    slabs: BufferPool,
}

#[derive(Debug, Default)]
struct Sets {
    all: Vec<Arc<Slots>>,
    closed: bool,
}

impl OpenChunks {
    /// `queue_bytes` is the smallest budget of a lane.
    pub(crate) fn new(config: &PipelineConfig, queue_bytes: u64, slabs: BufferPool) -> OpenChunks {
        let processors = available_parallelism().map_or(1, usize::from);
        let slots = processors.max(LEAST_SLOTS).next_power_of_two();
        // With a chunk open in every slot half of the budget is still free.
        let most = (queue_bytes / (2 * slots as u64)).max(LEAST_CHUNK_BYTES);
        let bytes = (config.chunk_bytes as u64).min(most);
        OpenChunks {
            sets: Mutex::default(),
            oldest: Mutex::default(),
            limits: Limits { bytes, items: config.batch.max_items },
            slots,
            slabs,
        }
    }

    /// What an open chunk reserves.
    pub(crate) fn chunk_bytes(&self) -> u64 {
        self.limits.bytes
    }

    /// A set of slots for chunks of one resource.
    pub(crate) fn add(&self, shared: &Shared, resource: ResourcePrefix) -> Arc<Slots> {
        let slots = Slots::new(self.slots, self.limits, shared.signal(), resource, self.slabs.clone());
        let slots = Arc::new(slots);
        let closed = {
            let mut sets = lock(&self.sets);
            sets.all.push(Arc::clone(&slots));
            sets.closed
        };
        if closed {
            slots.ask(shared, Ask::Close);
        }
        slots
    }

    /// Seals what is open in a set that nobody pushes into any more, and forgets the set.
    pub(crate) fn remove(&self, shared: &Shared, slots: &Arc<Slots>) {
        // If somebody is inside it is another thread that seals, and sees to this on its way out.
        slots.ask(shared, Ask::Close);
        lock(&self.sets).all.retain(|other| !Arc::ptr_eq(other, slots));
    }

    /// Has every open chunk sealed, now or by whoever is inside of its slot. Whether it is done. With [`Ask::Close`] none is opened afterwards.
    pub(crate) fn ask(&self, shared: &Shared, ask: Ask) -> bool {
        // First, so that a chunk that is opened behind our back notes its time after this.
        lock(&self.oldest).take();
        // All are asked, whatever the first says.
        self.sets(ask).iter().filter(|slots| !slots.ask(shared, ask)).count() == 0
    }

    /// The same, and waits until it is done; `false` when the deadline came first.
    pub(crate) fn ask_and_wait(&self, shared: &Shared, ask: Ask, until: Instant) -> bool {
        self.sets(ask).iter().filter(|slots| !slots.ask_and_wait(shared, ask, until)).count() == 0
    }

    fn sets(&self, ask: Ask) -> Vec<Arc<Slots>> {
        let mut sets = lock(&self.sets);
        sets.closed |= ask == Ask::Close;
        sets.all.clone()
    }

    /// When all are to be sealed if batches may have this age; `None` if nothing is open, or no age is too high.
    pub(crate) fn deadline(&self, max_age: Duration) -> Option<Instant> {
        (*lock(&self.oldest))?.checked_add(max_age)
    }

    /// Items in open chunks.
    pub(crate) fn items(&self) -> u64 {
        lock(&self.sets).all.iter().map(|slots| slots.items()).sum()
    }

    /// To be called after a chunk was opened, and before the alarm is armed.
    fn note_opened(&self) {
        let now = Instant::now();
        lock(&self.oldest).get_or_insert(now);
    }
}
