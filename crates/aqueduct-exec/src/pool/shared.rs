//! What the threads of a pool have in common.
//!
//! # Phases
//!
//! `Open` -> `Draining` -> `Stopped`, never back. `Open` takes jobs from everybody, `Draining` from its own jobs only (they may be
//! waited for), `Stopped` from nobody. A worker ends when it sees `Stopped`, or a target below its number, between two jobs.
//!
//! # No job is lost at the end
//!
//! Who stops the pool writes `Stopped`, closes the word of [`Idle`], and then empties all queues; who pushes reads that word afterwards.
//! Whichever of the two is second in the order of their fences finds the job and abandons it, so each handle learns its end. A worker
//! that moves jobs into its own queue reads the word afterwards, too.
//!
//! What abandoned jobs held is dropped when no queue holds a job any more and all handles know: a destructor may wait for any job of the
//! pool, on this thread or through another one, and always gets its answer.
//!
//! # Drained
//!
//! Every accepted job is settled once. Settlements are read before acceptances, and each settlement makes its acceptance visible:
//! equal sums mean that there was a moment between the two readings at which nothing was left.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::OnceLock;

use crossbeam_utils::CachePadded;

use super::config::WorkerPoolConfig;
use super::error::Refusal;
use super::idle::{Idle, Notice};
use super::life::Life;
use super::parker::Parker;
use super::sleepers::SleepingFutures;
use super::stats::PoolStats;
use super::tally::{Many, One, Tally};
use super::worker;
use crate::fork;
use crate::job::{Entry, Ran, Remains, drop_quietly};
use crate::queue::{Injector, Stealer, WorkStealingQueue};
use crate::sync::{AtomicU8, AtomicUsize, Condvar, Mutex, Ordering, fence, lock, thread_local};

pub(super) const OPEN: u8 = 0;
pub(super) const DRAINING: u8 = 1;
pub(super) const STOPPED: u8 = 2;

#[cfg(not(crossbeam_loom))]
thread_local! {
    /// The address of the pool that this thread is clearing, or 0.
    static CLEARING: Cell<usize> = const { Cell::new(0) };
}
// The model's threads know no constants.
#[cfg(crossbeam_loom)]
thread_local! {
    static CLEARING: Cell<usize> = Cell::new(0);
}

/// What belongs to a worker and is reached by others. It outlives the worker's thread, and serves the next one with the number.
pub(crate) struct Slot {
    pub(super) stealer: Stealer<Entry>,
    pub(super) parker: Arc<Parker>,
    pub(super) tally: CachePadded<Tally<One>>,
    /// The owner's end of the queue while no thread has it.
    pub(super) queue: Mutex<Option<WorkStealingQueue<Entry>>>,
}

pub(crate) struct Shared {
    /// The number of this pool in this process.
    pub(crate) id: u32,
    /// How often the process had forked when the pool was built.
    pub(crate) generation: u64,
    pub(super) config: WorkerPoolConfig,
    pub(super) idle: Idle,
    pub(super) injector: Injector<Entry>,
    /// Jobs from outside that were accepted and not yet started: at most the capacity. Written by who spawns and who starts.
    waiting: CachePadded<AtomicUsize>,
    outside: Tally<Many>,
    /// See the module. Written under the lock of `life`, read by whoever spawns and by workers.
    phase: AtomicU8,
    /// Changes with every change of phase and target. Written under the lock of `life`; workers compare it between jobs.
    orders: AtomicUsize,
    slots: Box<[OnceLock<Slot>]>,
    /// How many slots were ever used. Written under the lock of `life`, read by thieves.
    used: AtomicUsize,
    pub(super) life: Mutex<Life>,
    /// With `life`: a thread has ended, or a worker went to sleep while the pool drains.
    pub(super) changed: Condvar,
    sleeping_futures: SleepingFutures,
}

impl Shared {
    pub(super) fn new(config: WorkerPoolConfig) -> Shared {
        // Not the model's: a number is drawn outside of any protocol.
        static POOLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let slots = (0..config.max_threads()).map(|_| OnceLock::new()).collect();
        Shared {
            id: POOLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            generation: fork::generation(),
            config,
            idle: Idle::new(),
            injector: Injector::new(),
            waiting: CachePadded::new(AtomicUsize::new(0)),
            outside: Tally::default(),
            phase: AtomicU8::new(OPEN),
            orders: AtomicUsize::new(0),
            slots,
            used: AtomicUsize::new(0),
            life: Mutex::new(Life::new()),
            changed: Condvar::new(),
            sleeping_futures: SleepingFutures::new(),
        }
    }

    pub(super) fn most_threads(&self) -> usize {
        self.slots.len()
    }

    /// The slot of a worker, made when first asked for under the lock of `life`.
    pub(super) fn ready_slot(&self, index: usize) -> &Slot {
        let slot = self.slots[index].get_or_init(|| {
            let queue = WorkStealingQueue::new(self.config.order);
            Slot {
                stealer: queue.stealer(),
                parker: Arc::new(Parker::new()),
                tally: CachePadded::default(),
                queue: Mutex::new(Some(queue)),
            }
        });
        // Relaxed: only written under the lock that the caller holds.
        if self.used.load(Ordering::Relaxed) <= index {
            // Release: partner of the acquire in `slots`. SeqCst is not needed: a thief that misses a slot misses no job, since the
            // slot's own worker runs what is in it.
            self.used.store(index + 1, Ordering::Release);
        }
        slot
    }

    pub(super) fn slot(&self, index: usize) -> &Slot {
        self.slots[index].get().expect("a worker's slot is made before its thread")
    }

    /// All slots that were ever used.
    pub(super) fn slots(&self) -> impl ExactSizeIterator<Item = &Slot> + '_ {
        // Acquire: partner of the release in `ready_slot`.
        let used = self.used.load(Ordering::Acquire);
        (0..used).map(|index| self.slot(index))
    }

    pub(crate) fn sleeping_futures(&self) -> &SleepingFutures {
        &self.sleeping_futures
    }

    pub(super) fn phase(&self) -> u8 {
        // SeqCst: partner of the store in `set_phase`, for those who issue a fence around it; as a refusal a moment late is harmless.
        self.phase.load(Ordering::SeqCst)
    }

    pub(super) fn orders(&self) -> usize {
        // Acquire: partner of the release in `order`.
        self.orders.load(Ordering::Acquire)
    }

    /// Has every worker look at phase and target. The caller holds the lock of `life`.
    pub(super) fn order(&self) {
        // Release: partner of the acquire in `orders`. A sleeper that looked before is on the list that the caller empties next.
        self.orders.fetch_add(1, Ordering::Release);
    }

    /// The caller holds the lock of `life`.
    pub(super) fn set_phase(&self, phase: u8) {
        self.phase.store(phase, Ordering::SeqCst);
        // Partner: the fence in `Idle::sleep`. Whoever lies down sees the phase, or what it settled is seen here.
        fence(Ordering::SeqCst);
        self.order();
    }

    /// Whether so many jobs from outside may come, and if so places for them.
    pub(super) fn admit(&self, jobs: usize) -> Result<(), Refusal> {
        let refusal = if fork::generation() != self.generation {
            Refusal::Forked
        } else if self.phase() != OPEN {
            Refusal::ShutDown
        } else {
            let capacity = self.config.capacity;
            // Relaxed: a count; the queue carries what belongs to the job.
            let admitted = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                waiting.checked_add(jobs).filter(|waiting| *waiting <= capacity)
            });
            match admitted {
                Ok(_) => {
                    self.outside.accept(jobs);
                    // Partner: the fence in `set_phase`. Who drains sees the acceptance, or we see that the pool drains.
                    fence(Ordering::SeqCst);
                    if self.phase() == OPEN {
                        return Ok(());
                    }
                    self.waiting.fetch_sub(jobs, Ordering::Relaxed);
                    self.outside.take_back(jobs);
                    self.tell_if_draining();
                    Refusal::ShutDown
                }
                Err(_) => Refusal::Full,
            }
        };
        self.outside.refuse();
        Err(refusal)
    }

    /// A job from outside has started, or never will.
    pub(super) fn release(&self) {
        // Relaxed: as in `admit`.
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Puts a job where any worker finds it.
    pub(crate) fn inject(&self, job: Entry) {
        self.injector.push(job);
        self.notice();
    }

    /// Puts a job into the queue of the calling worker, or where any worker finds it.
    pub(crate) fn schedule(&self, job: Entry) {
        worker::with_mine(self, |local| match local {
            Some(local) => local.push(job),
            None => self.inject(job),
        });
    }

    /// A job was pushed: wakes a worker if that is needed.
    #[inline]
    pub(super) fn notice(&self) {
        match self.idle.notice() {
            Notice::Attended => {}
            Notice::Wake(index) => {
                self.outside.wake();
                self.slot(index).parker.unpark();
            }
            Notice::Closed => {
                self.clear();
            }
        }
    }

    /// Whether there is a job in any queue.
    pub(super) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.slots().any(|slot| !slot.stealer.is_empty())
    }

    pub(super) fn wake_all(&self) {
        for index in self.idle.all() {
            self.slot(index).parker.unpark();
        }
    }

    /// Keeps the books for a job that ended outside of a worker.
    pub(crate) fn settle_outside(&self, ran: Ran) {
        self.outside.record(ran);
        if ran.releases {
            self.release();
        }
        // Partner: the fence in `set_phase`. Who drains sees the settlement, or is told.
        fence(Ordering::SeqCst);
        self.tell_if_draining();
    }

    /// Who waits for the pool to drain looks again.
    pub(super) fn tell_if_draining(&self) {
        if self.phase() == DRAINING {
            // The lock is what makes sure that they look or wait, and are not in between.
            drop(lock(&self.life));
            self.changed.notify_all();
        }
    }

    /// Abandons all jobs in all queues, and the futures that wait for something. The pool has stopped.
    ///
    /// What ends or is dropped on the way may wake futures, which lands here again: then the call below on the stack goes on with them, so that
    /// a chain of futures that wait for each other does not become a stack as deep.
    pub(super) fn clear(&self) {
        self.clearing(|| {
            let stealers = || self.slots().map(|slot| &slot.stealer);
            let queued = || self.injector.steal().or_else(|| stealers().find_map(Stealer::steal));
            let mut remains = VecDeque::new();
            loop {
                // All are told before anything is dropped, see the module.
                for job in self.sleeping_futures.close() {
                    remains.extend(self.abandon(job));
                }
                while let Some(job) = queued() {
                    if job.leave() {
                        self.release();
                    }
                    remains.extend(self.abandon(job));
                }
                let Some(held) = remains.pop_front() else { return };
                drop_quietly(held);
            }
        });
    }

    /// Calls, unless this thread is clearing this pool already further down its stack.
    fn clearing(&self, clear: impl FnOnce()) {
        let me = std::ptr::from_ref(self) as usize;
        match CLEARING.try_with(|clearing| clearing.replace(me)) {
            Ok(before) => {
                if before != me {
                    clear();
                }
                let _ = CLEARING.try_with(|clearing| clearing.set(before));
            }
            Err(_) => clear(),
        }
    }

    /// Abandons a job; what it held is to be dropped.
    fn abandon(&self, job: Entry) -> Option<Remains> {
        let (ran, remains) = job.abandon();
        self.settle_outside(ran);
        remains
    }

    /// Whether every accepted job is settled; see the module.
    pub(super) fn is_drained(&self) -> bool {
        let settled = self.outside.settled() + self.slots().map(|slot| slot.tally.settled()).sum::<u64>();
        let accepted = self.outside.accepted() + self.slots().map(|slot| slot.tally.accepted()).sum::<u64>();
        settled == accepted
    }

    pub(super) fn stats(&self) -> PoolStats {
        if fork::generation() != self.generation {
            // The lock may be held by a thread that does not exist here.
            return PoolStats::default();
        }
        let mut stats = PoolStats {
            threads: lock(&self.life).threads(),
            sleeping: self.idle.counts().1,
            // Relaxed: for the statistics.
            waiting: self.waiting.load(Ordering::Relaxed),
            ..PoolStats::default()
        };
        self.outside.add_to(&mut stats);
        self.slots().for_each(|slot| slot.tally.add_to(&mut stats));
        stats
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("id", &self.id).field("config", &self.config).finish_non_exhaustive()
    }
}
