//! The futures that wait for their waker: in no queue, and still to be told when the pool ends.

use std::sync::Weak;

use crate::job::{Entry, Job};
use crate::sync::{Mutex, lock};

/// A list with stable places.
pub(crate) struct SleepingFutures {
    list: Mutex<List>,
}

struct List {
    places: Vec<Option<Weak<dyn Job>>>,
    free: Vec<usize>,
    closed: bool,
}

impl SleepingFutures {
    pub(super) fn new() -> SleepingFutures {
        SleepingFutures { list: Mutex::new(List { places: Vec::new(), free: Vec::new(), closed: false }) }
    }

    /// Notes a future; `None` if the pool has stopped.
    pub(crate) fn insert(&self, job: Weak<dyn Job>) -> Option<usize> {
        let mut list = lock(&self.list);
        if list.closed {
            return None;
        }
        let place = list.free.pop().unwrap_or(list.places.len());
        if place == list.places.len() {
            list.places.push(None);
        }
        list.places[place] = Some(job);
        Some(place)
    }

    /// Forgets a future.
    pub(crate) fn remove(&self, place: usize) {
        let mut list = lock(&self.list);
        // After closing, the places are gone.
        if let Some(job) = list.places.get_mut(place) {
            *job = None;
            list.free.push(place);
        }
    }

    /// Takes all that there are. No further one is noted.
    pub(super) fn close(&self) -> Vec<Entry> {
        let mut list = lock(&self.list);
        list.closed = true;
        list.free = Vec::new();
        std::mem::take(&mut list.places).into_iter().flatten().filter_map(|job| job.upgrade()).collect()
    }
}
