//! Which lanes there are, and what became of those that were.

use super::LanesStats;
use super::lane::Lane;
use crate::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

#[derive(Debug)]
pub(super) struct Registry<T> {
    /// The lanes that may still get items, or hold some.
    pub(super) lanes: Vec<Arc<Lane<T>>>,
    /// The counts of the lanes that were forgotten; `taken` includes what was discarded.
    past: LanesStats,
    /// There is nobody to take anything any more.
    pub(super) consumer_gone: bool,
}

impl<T> Registry<T> {
    pub(super) fn new() -> Registry<T> {
        Registry { lanes: Vec::new(), past: LanesStats::default(), consumer_gone: false }
    }

    /// Takes a lane off the list and keeps its counts. The lane's counts are final.
    pub(super) fn forget(&mut self, lane: &Arc<Lane<T>>) {
        if let Some(index) = self.lanes.iter().position(|other| Arc::ptr_eq(other, lane)) {
            let lane = self.lanes.swap_remove(index);
            add(&mut self.past, &lane);
        }
    }

    pub(super) fn discarded(&mut self, items: u64) {
        self.past.discarded += items;
    }

    pub(super) fn stats(&self) -> LanesStats {
        let mut stats = self.past;
        self.lanes.iter().for_each(|lane| add(&mut stats, lane));
        stats.taken -= stats.discarded.min(stats.taken);
        stats
    }
}

fn add<T>(stats: &mut LanesStats, lane: &Lane<T>) {
    // Acquire: the head before the tail, so that `accepted` is not behind. Relaxed for the others: counters.
    stats.taken += lane.read.head.load(Acquire);
    stats.accepted += lane.write.tail.load(Relaxed);
    stats.refused += lane.write.refused.load(Relaxed);
}
