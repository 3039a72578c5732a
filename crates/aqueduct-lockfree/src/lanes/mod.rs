//! `Lanes`: many producers, one consumer that takes batches.
//!
//! Each producer has a *lane* of its own, a queue of one writer and one reader: a push is a store of the value and a store of the lane's
//! `tail`, with no read-modify-write and no line that another producer writes. What the lanes share is the *credit*: as many items
//! as the capacity allows. A producer takes credit in grants, many items at a time, and pushes without looking at anything shared
//! until its grant is spent. The consumer gives the credit of what it took back, once for each drain. So the capacity is one, whoever uses
//! it: a producer in a burst borrows what the others do not need.
//!
//! ```text
//!              credit (items that may still be pushed)
//!         grants |                          ^ given back, once a drain
//!                v                          |
//!  producer 0  [lane 0  head ....... tail]  |
//!  producer 1  [lane 1  head . tail      ] -+-> consumer, batch by batch
//!  producer 2  [lane 2  head ... tail    ]  |
//! ```
//!
//! Who owns what:
//!
//! - `tail` of a lane, the slots from `tail` on, and the grant: the producer. It releases `tail` after the value is written.
//! - `head` of a lane and the slots from `head` to `tail`: the consumer. It releases `head` after the values are read, then the credit.
//! - The memory of a lane is a chain of *segments*, rings of slots; mostly of one. When a lane needs more than its segment holds and has the
//!   credit, the producer appends one of twice the size. The consumer frees a segment when it moves on to the next. So a lane costs
//!   the memory of its own largest backlog, not that of the capacity.
//! - The end of a lane: its producer is dropped (or its thread ends), gives back what is left of the grant and releases `done`. The consumer takes
//!   what is left, then forgets the lane. The counts of a forgotten lane live on in the registry.
//!
//! Sleeping is in the module `wake`.

mod config;
mod consumer;
mod credit;
mod lane;
#[cfg(not(crossbeam_loom))]
mod local;
mod prefetch;
mod producer;
mod registry;
mod segment;
mod shared;
mod stats;
mod wake;

use std::fmt;

pub use config::{ConfigError, LanesConfig};
pub use consumer::Consumer;
pub use producer::Producer;
pub use stats::LanesStats;

#[cfg(not(crossbeam_loom))]
use crate::PushError;
use crate::sync::Arc;
use shared::Shared;

/// A bounded queue of many producers and one consumer that takes batches; this handle makes producers.
///
/// The order of one producer's items is kept; between producers there is none. Cloning gives another handle to the same queue.
///
/// # Progress
/// A push is wait-free but once per grant (tens to hundreds of items): then it takes credit in a lock-free loop, may allocate if the lane
/// never held as much before, and may wake the consumer. A push never waits for the consumer or for another producer.
///
/// # Overload
/// Past its capacity the queue refuses, gives the item back and counts it: accepted + refused = offered, exactly.
/// Credit that producers hold and have not used counts as used: see [`Producer`].
///
/// # Examples
/// ```
/// use aqueduct_lockfree::Lanes;
///
/// let (lanes, mut consumer) = Lanes::bounded(1024);
/// let workers: Vec<_> = (0..2).map(|worker| {
///     let producer = lanes.producer();
///     std::thread::spawn(move || (0..100).try_for_each(|n| producer.push((worker, n))))
/// }).collect();
/// workers.into_iter().for_each(|worker| worker.join().unwrap().unwrap());
///
/// let mut batch = Vec::new();
/// assert_eq!(consumer.drain(1024, &mut batch), 200);
/// let of_one: Vec<_> = batch.iter().filter(|item| item.0 == 1).map(|item| item.1).collect();
/// assert_eq!(of_one, (0..100).collect::<Vec<_>>());
/// ```
#[doc(alias = "LockFreeQueue")]
#[doc(alias = "mpsc")]
pub struct Lanes<T> {
    shared: Arc<Shared<T>>,
    /// Unlike that of any other queue in this process, ever.
    #[cfg(not(crossbeam_loom))]
    id: u64,
}

impl<T> Lanes<T> {
    /// A queue with room for `capacity` items and otherwise the default [`LanesConfig`]; zero counts as one, and more than
    /// [`LanesConfig::MAX_CAPACITY`] as that.
    pub fn bounded(capacity: usize) -> (Lanes<T>, Consumer<T>) {
        let config = LanesConfig::default().with_capacity(capacity.clamp(1, LanesConfig::MAX_CAPACITY));
        Lanes::from_shared(Shared::new(config.resolved().expect("the capacity was brought into its range")))
    }

    fn from_shared(shared: Shared<T>) -> (Lanes<T>, Consumer<T>) {
        let shared = Arc::new(shared);
        (Lanes::of(shared.clone()), Consumer::new(shared))
    }

    fn of(shared: Arc<Shared<T>>) -> Lanes<T> {
        Lanes {
            #[cfg(not(crossbeam_loom))]
            id: shared.id(),
            shared,
        }
    }

    /// A new producer with a lane of its own.
    ///
    /// # Allocation
    /// The lane and its first segment; takes a lock that only making and forgetting lanes take.
    pub fn producer(&self) -> Producer<T> {
        Producer::new(self.shared.clone())
    }

    /// Pushes through the producer of the calling thread, made at the first push and handed over when the thread ends.
    ///
    /// Nearly as quick as a handle where a thread pushes to one queue; a thread that alternates between queues pays a search
    /// through those that it has pushed to. In destructors of thread-locals at the end of a thread, each push makes and drops a producer.
    ///
    /// # Errors
    /// The queue is full or closed; the item comes back.
    ///
    /// # Allocation
    /// As [`Lanes::producer`] for the first push of a thread, otherwise as [`Producer::push`].
    #[cfg(not(crossbeam_loom))]
    #[inline]
    pub fn push(&self, item: T) -> Result<(), PushError<T>>
    where
        T: Send + 'static,
    {
        local::push(&self.shared, self.id, item)
    }

    /// Refuses further pushes, and wakes the consumer.
    ///
    /// A push that begins after this returned is refused. One that runs at the same time may still be accepted; the consumer finds it like
    /// any other, and [`Consumer::is_finished`] tells when none can come any more.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Whether the queue was closed.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Ends the consumer's present or next wait, however little there is to take: for a flush.
    pub fn wake(&self) {
        self.shared.wake.nudge();
    }

    /// For how many items there is room.
    pub fn capacity(&self) -> usize {
        self.shared.credit.capacity()
    }

    /// How many items wait: exact at rest. Visits each lane under a lock; not for hot paths.
    pub fn len(&self) -> usize {
        self.stats().waiting()
    }

    /// Whether no item waits. As [`Lanes::len`].
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was accepted, refused and taken so far, over all producers that ever were: exact at rest.
    ///
    /// Visits each lane under a lock; not for hot paths.
    pub fn stats(&self) -> LanesStats {
        self.shared.stats()
    }
}

impl<T> Clone for Lanes<T> {
    fn clone(&self) -> Lanes<T> {
        Lanes::of(self.shared.clone())
    }
}

impl<T> fmt::Debug for Lanes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes")
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
