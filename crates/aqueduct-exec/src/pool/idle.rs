//! Who searches, who sleeps, and whom to wake: parking without spinning and without a lost wake-up.
//!
//! A worker is *busy* (it runs a job), *searching* (it looks at the queues of others), or *sleeping*. One word counts the last two.
//! A wake costs the waker some ten microseconds, as much as thousands of pushes, so a push wakes nobody while somebody
//! is searching: that one will find the new job, or look again before it sleeps.
//!
//! # Protocol
//!
//! | step | order |
//! |---|---|
//! | push | item into a queue; **fence**; read the word; sleepers and no searcher: wake one, who counts as searching from then on |
//! | find | searching - 1; was it the last searcher: **fence**, look at all queues, and if there is more, wake one as after a push |
//! | sleep | under the lock: onto the list, searching - 1 and sleeping + 1; **fence**; look at all queues once more; nothing: park |
//! | leave | under the lock: off the list, searching + 1 and sleeping - 1, unless a waker has done both already |
//!
//! # Why no wake-up is lost
//!
//! The fences are sequentially consistent, so of a push and a sleep one comes first. If the push's fence is first, the sleeper's last
//! look sees the item. If the sleeper's is first, the pusher reads a word in which that worker sleeps. Then it either wakes
//! somebody, or reads that another one searches. A searcher leaves that state only by *find* or by *sleep*, which comes after the
//! read, and so after the push: *sleep* looks at the queues, and so does *find*, if it was the last. If it was not the last, the
//! argument goes on with the searchers that are left, and ends with the last one.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicUsize, Mutex, Ordering, fence, lock};

const SEARCHING: usize = 1;
const SLEEPING: usize = 1 << 12;
const CLOSED: usize = 1 << 24;
const COUNT: usize = SLEEPING - 1;

/// The most workers that the word can count.
pub(crate) const MOST_WORKERS: usize = COUNT;

/// What a pusher finds when it looks whether to wake somebody.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Nothing to do.
    Attended,
    /// This worker was taken off the list and must be unparked.
    Wake(usize),
    /// Nobody will ever look again: the pool has stopped.
    Closed,
}

/// The workers that have nothing to do.
#[derive(Debug)]
pub(crate) struct Idle {
    /// Bits 0..12: workers searching; bits 12..24: workers sleeping, equal to the length of `sleepers` whenever the lock is
    /// free; bit 24: the pool has stopped. Written by workers and wakers, read by whoever pushes.
    word: CachePadded<AtomicUsize>,
    /// The sleeping workers, the last to fall asleep at the end: its caches are the warmest.
    sleepers: Mutex<Vec<usize>>,
}

impl Idle {
    pub(crate) fn new() -> Idle {
        Idle { word: CachePadded::new(AtomicUsize::new(0)), sleepers: Mutex::new(Vec::new()) }
    }

    /// To be called after a push.
    #[inline]
    pub(crate) fn notice(&self) -> Notice {
        // Partner: the fence in `sleep` and `found`. The item is in the queue before the word is read.
        fence(Ordering::SeqCst);
        // Relaxed: the fence orders it.
        let word = self.word.load(Ordering::Relaxed);
        if word & CLOSED != 0 {
            Notice::Closed
        } else if word >= SLEEPING && word & COUNT == 0 {
            self.pick()
        } else {
            Notice::Attended
        }
    }

    #[cold]
    fn pick(&self) -> Notice {
        let mut sleepers = lock(&self.sleepers);
        // Relaxed: `sleeping` changes under this lock only. A searcher that is missed here costs one wake too many, and one that
        // is seen has yet to leave that state, which is all that `notice` relies upon.
        if self.word.load(Ordering::Relaxed) & COUNT != 0 {
            return Notice::Attended;
        }
        let Some(worker) = sleepers.pop() else { return Notice::Attended };
        // SeqCst: one total order of all changes of the word, partner of the loads after the fence in `notice`.
        self.word.fetch_sub(SLEEPING - SEARCHING, Ordering::SeqCst);
        Notice::Wake(worker)
    }

    /// A busy worker begins to search.
    pub(crate) fn search(&self) {
        // SeqCst: as in `pick`.
        self.word.fetch_add(SEARCHING, Ordering::SeqCst);
    }

    /// A searching worker has found something or gives up for another reason. Whether it was the last one, who must look for
    /// more.
    #[must_use = "the last searcher has to look for more"]
    pub(crate) fn found(&self) -> bool {
        // SeqCst: as in `pick`.
        let before = self.word.fetch_sub(SEARCHING, Ordering::SeqCst);
        if before & COUNT != 1 {
            return false;
        }
        // Partner: the fence in `notice`. Who pushed while this worker was searching did so before what follows is read.
        fence(Ordering::SeqCst);
        true
    }

    /// A searching worker lies down. It must look at all queues once more before it parks.
    pub(crate) fn sleep(&self, worker: usize) {
        let mut sleepers = lock(&self.sleepers);
        sleepers.push(worker);
        // SeqCst: as in `pick`.
        self.word.fetch_add(SLEEPING - SEARCHING, Ordering::SeqCst);
        drop(sleepers);
        // Partner: the fence in `notice`. The word shows this worker asleep before it looks at the queues.
        fence(Ordering::SeqCst);
    }

    /// A sleeping worker gets up, and is searching again. Whoever picked it has already counted it so.
    pub(crate) fn leave(&self, worker: usize) {
        let mut sleepers = lock(&self.sleepers);
        if let Some(place) = sleepers.iter().rposition(|&sleeper| sleeper == worker) {
            sleepers.remove(place);
            // SeqCst: as in `pick`.
            self.word.fetch_sub(SLEEPING - SEARCHING, Ordering::SeqCst);
        }
    }

    /// Takes all sleepers off the list, to be unparked; each counts as searching.
    pub(crate) fn all(&self) -> Vec<usize> {
        let mut sleepers = lock(&self.sleepers);
        let all = std::mem::take(&mut *sleepers);
        // SeqCst: as in `pick`.
        self.word.fetch_sub(all.len() * (SLEEPING - SEARCHING), Ordering::SeqCst);
        all
    }

    /// From here on whoever pushes learns that nobody looks any more.
    pub(crate) fn close(&self) {
        // Partner: the fences in `notice` and `is_closed`. Who pushes or moves items either reads the bit, or they are there for
        // whoever clears the queues after this.
        self.word.fetch_or(CLOSED, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Whether the pool has stopped, to be asked after jobs were moved from one queue to another.
    pub(crate) fn is_closed(&self) -> bool {
        // Partner: the fence in `close`. Whoever clears the queues after that finds the jobs where they are now, or the bit is seen
        // here.
        fence(Ordering::SeqCst);
        // Relaxed: the fence orders it.
        self.word.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// How many workers are searching and sleeping.
    pub(crate) fn counts(&self) -> (usize, usize) {
        // Relaxed: for the statistics.
        let word = self.word.load(Ordering::Relaxed);
        (word & COUNT, (word / SLEEPING) & COUNT)
    }
}
