//! What producers and the consumer share besides the lanes.

use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crossbeam_utils::CachePadded;

use super::LanesStats;
use super::config::Resolved;
use super::credit::Credit;
use super::lane::Lane;
use super::registry::Registry;
use super::wake::Wake;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use crate::sync::{Arc, Mutex, lock};

pub(super) struct Shared<T> {
    /// Read by every push, written once: alone on a line that nobody writes.
    settled: CachePadded<Settled>,
    pub(super) credit: Credit,
    pub(super) wake: Wake,
    /// Refusals after closing, when lanes may be forgotten already. Added to by producers.
    refused_late: CachePadded<AtomicU64>,
    registry: Mutex<Registry<T>>,
    /// How often the list of lanes grew. Written under the lock; read by the consumer, to see that it must look.
    pub(super) version: AtomicUsize,
    /// How many producers there are. Written under the lock; read for the size of grants.
    pub(super) producers: AtomicUsize,
}

/// What hardly ever changes.
struct Settled {
    /// Set once, by whoever closes; read by all.
    closed: AtomicBool,
    /// Unlike that of any other queue in this process, ever.
    #[cfg(not(crossbeam_loom))]
    id: u64,
    /// Slots of a new lane.
    segment: usize,
}

/// The id of the next queue; zero is nobody's.
#[cfg(not(crossbeam_loom))]
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// The bytes of a new lane, if its number of slots is not configured.
const SEGMENT_BYTES: usize = 4096;

impl<T> Shared<T> {
    pub(super) fn new(config: Resolved) -> Shared<T> {
        let Resolved { capacity, threshold, segment, notify } = config;
        let fitting = (SEGMENT_BYTES / size_of::<T>().max(1)).clamp(16, 256);
        let segment = segment.unwrap_or(fitting).min(capacity).next_power_of_two();
        Shared {
            settled: CachePadded::new(Settled {
                closed: AtomicBool::new(false),
                // Relaxed: only uniqueness counts.
                #[cfg(not(crossbeam_loom))]
                id: NEXT_ID.fetch_add(1, Relaxed),
                segment,
            }),
            credit: Credit::new(capacity, threshold),
            wake: Wake::new(threshold, notify),
            refused_late: CachePadded::new(AtomicU64::new(0)),
            registry: Mutex::new(Registry::new()),
            version: AtomicUsize::new(0),
            producers: AtomicUsize::new(0),
        }
    }

    #[cfg(not(crossbeam_loom))]
    pub(super) fn id(&self) -> u64 {
        self.settled.id
    }

    #[inline(always)]
    pub(super) fn is_closed(&self) -> bool {
        // Acquire: pairs with the release of `close`; what happened before closing happened before the refusal.
        self.settled.closed.load(Acquire)
    }

    pub(super) fn close(&self) {
        // Release: pairs with the acquire of `is_closed`.
        self.settled.closed.store(true, Release);
        self.wake.rouse_past_threshold();
    }

    /// Makes a lane and puts it on the list.
    pub(super) fn register(&self) -> Arc<Lane<T>> {
        let lane = Arc::new(Lane::new(self.settled.segment));
        let mut registry = lock(&self.registry);
        registry.lanes.push(lane.clone());
        // Relaxed: the size of grants needs no more than some recent number.
        self.producers.fetch_add(1, Relaxed);
        // Release: pairs with the acquire of the consumer, so that an item pushed before some event is found by a drain after it.
        self.version.fetch_add(1, Release);
        lane
    }

    /// Ends a producer: gives back its grant and hands what waits to the consumer. Later calls do nothing.
    pub(super) fn retire(&self, lane: &Arc<Lane<T>>, grant: u64) {
        // Relaxed: written by this side only.
        if lane.write.done.load(Relaxed) {
            return;
        }
        self.credit.give(grant as usize);
        let mut registry = lock(&self.registry);
        self.producers.fetch_sub(1, Relaxed);
        // Release: pairs with the acquire of the consumer: the tail that it reads afterwards is final.
        lane.write.done.store(true, Release);
        if registry.consumer_is_gone() {
            registry.forget(lane);
        }
        drop(registry);
        if self.is_closed() {
            // A consumer may be waiting for the last producers.
            self.wake.rouse_past_threshold();
        }
    }

    pub(super) fn refused_after_closing(&self) {
        // Relaxed: a counter.
        self.refused_late.fetch_add(1, Relaxed);
    }

    /// Works on the list of lanes under its lock. No user code may run in there: items are dropped outside.
    pub(super) fn registry<R>(&self, work: impl FnOnce(&mut Registry<T>) -> R) -> R {
        work(&mut lock(&self.registry))
    }

    pub(super) fn stats(&self) -> LanesStats {
        let mut stats = self.registry(|registry| registry.stats());
        stats.refused += self.refused_late.load(Relaxed);
        stats
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("credit", &self.credit)
            .field("wake", &self.wake)
            .finish_non_exhaustive()
    }
}
