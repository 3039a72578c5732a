//! Which lanes there are, and what became of those that were.

use super::LanesStats;
use super::lane::Lane;
use crate::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

#[derive(Debug)]
pub(super) struct Registry<T> {
    /// The lanes that may still get items, or hold some.
    pub(super) lanes: Vec<Arc<Lane<T>>>,
    /// The counts of the lanes that were forgotten. Nothing is counted as discarded here.
    past: LanesStats,
    /// There is nobody to take anything any more: how much was taken in all.
    taken_in_all: Option<u64>,
}

impl<T> Registry<T> {
    pub(super) fn new() -> Registry<T> {
        Registry { lanes: Vec::new(), past: LanesStats::default(), taken_in_all: None }
    }

    /// Takes a lane off the list and keeps its counts. The lane's counts are final.
    pub(super) fn forget(&mut self, lane: &Arc<Lane<T>>) {
        if let Some(index) = self.lanes.iter().position(|other| Arc::ptr_eq(other, lane)) {
            let lane = self.lanes.swap_remove(index);
            add(&mut self.past, &lane);
        }
    }

    /// The consumer is gone, and what it has not taken will not be. Hands out the lanes; those whose producers have ended, which nobody
    /// else would do, are forgotten.
    ///
    /// Only for the consumer: the heads of the lanes are what it has taken, and it moves them no more unless to discard.
    pub(super) fn consumer_goes(&mut self) -> Vec<Arc<Lane<T>>> {
        self.taken_in_all = Some(self.stats().taken);
        let lanes = self.lanes.clone();
        // Acquire: pairs with the release in `retire`; the counts read after it are final.
        lanes.iter().filter(|lane| lane.write.done.load(Acquire)).for_each(|lane| self.forget(lane));
        lanes
    }

    pub(super) fn consumer_is_gone(&self) -> bool {
        self.taken_in_all.is_some()
    }

    pub(super) fn stats(&self) -> LanesStats {
        let mut stats = self.past;
        self.lanes.iter().for_each(|lane| add(&mut stats, lane));
        if let Some(taken) = self.taken_in_all {
            // From now on heads move because items are discarded; those that came too late for that are dropped with their lane.
            stats.taken = taken;
            stats.discarded = stats.accepted - taken;
        }
        stats
    }
}

fn add<T>(stats: &mut LanesStats, lane: &Lane<T>) {
    // Acquire: the head before the tail, so that `accepted` is not behind. Relaxed for the others: counters.
    stats.taken += lane.read.head.load(Acquire);
    stats.accepted += lane.write.tail.load(Relaxed);
    stats.refused += lane.write.refused.load(Relaxed);
}
