//! A worker: where it looks for jobs, how it runs them, and what it does while a job of its waits for another one.
//!
//! It looks into its own queue, the injector, and the queues of the others beginning with a random one; every 61st time into
//! the injector first, so that a queue that feeds itself keeps nobody else waiting for ever. What it takes from elsewhere is a batch.
//!
//! # A job that waits for a job
//!
//! [`Local::wait_for`] never lets the thread sleep while there is something to run: in a pool of one, the job waited for may be behind
//! any other. In this order: what the worker's own queue holds, if the job came from there (its newest jobs are the ones that the
//! waiting job spawned); the job itself, in place, wherever its entry is; anything from anywhere. The nesting is bounded.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::handle::Home;
use super::parker::Parker;
use super::shared::{DRAINING, STOPPED, Shared, Slot};
use super::tally::{One, Tally, add};
use crate::job::{By, Clock, End, Entry, Joinable, caught, run_job};
use crate::queue::WorkStealingQueue;
use crate::sync::thread_local;

/// How many jobs may wait for jobs on one stack, before the next only waits. Half of the default stack leaves each 16 KiB.
const NESTED: u64 = 64;
/// How often a worker that is so deep looks whether the job waited for can go on.
const DEEP: Duration = Duration::from_millis(1);
/// As often as this the injector comes first. A prime, so that no rhythm of the jobs falls in with it.
const INJECTOR_FIRST: u32 = 61;
/// The most jobs taken at once from elsewhere, as many as crossbeam-deque takes of itself: enough to make the trip worth while, few
/// enough to leave some for others.
const BATCH: usize = 32;
/// How often an idle worker looks around before it lies down, half a microsecond apart. A sleeper costs 10 us to wake. The core is not given
/// away in between: on a busy machine it would come back after milliseconds, and until then the worker would count as searching.
const LOOKS: usize = if cfg!(crossbeam_loom) { 1 } else { 4 };
/// Pauses of the processor between two looks, some 15 ns each.
const PAUSES: usize = 32;

#[cfg(not(crossbeam_loom))]
thread_local! {
    static CURRENT: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}
// The model's threads know no constants.
#[cfg(crossbeam_loom)]
thread_local! {
    static CURRENT: RefCell<Option<Rc<Local>>> = RefCell::new(None);
}

/// Calls with the calling thread's worker, if it is one of this pool.
#[inline]
pub(super) fn with_mine<R>(shared: &Shared, call: impl FnOnce(Option<&Local>) -> R) -> R {
    let mut call = Some(call);
    let called = CURRENT.try_with(|current| {
        let current = current.borrow();
        let local = current.as_deref().filter(|local| local.shared.id == shared.id);
        call.take().map(|call| call(local))
    });
    match (called, call) {
        (Ok(Some(result)), _) => result,
        // The thread is ending, and so is no worker any more.
        (_, Some(call)) => call(None),
        (_, None) => unreachable!("the call was made and had a result"),
    }
}

/// The calling thread's worker, of whichever pool. In a job's forked child it is the parent's.
pub(super) fn current() -> Option<Rc<Local>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// What a worker is told between two jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

/// The part of a worker that only its thread touches.
pub(crate) struct Local {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    queue: WorkStealingQueue<Entry>,
    parker: Arc<Parker>,
    waker: Waker,
    clock: Clock,
    /// The state of the generator that picks whom to rob first.
    random: Cell<u32>,
    /// Jobs until the injector comes first.
    until_injector: Cell<u32>,
    /// It counts as searching.
    searching: Cell<bool>,
    seen_orders: Cell<usize>,
}

/// The life of a worker's thread.
pub(super) fn run(shared: Arc<Shared>, index: usize) {
    let slot = shared.slot(index);
    let queue = crate::sync::lock(&slot.queue).take().expect("one thread a slot");
    let parker = Arc::clone(&slot.parker);
    let waker = Waker::from(Arc::clone(&parker));
    if let Some(hook) = &shared.config.on_thread_start
        && run_job(|| hook(index)).is_err()
    {
        slot.tally.panicked_outside_of_a_job();
    }
    let local = Rc::new(Local {
        index,
        queue,
        parker,
        waker,
        clock: Clock::default(),
        random: Cell::new(0x9E37_79B9 ^ (index as u32 + 1)),
        until_injector: Cell::new(INJECTOR_FIRST),
        searching: Cell::new(false),
        // No order has this number, so the first look is at once.
        seen_orders: Cell::new(usize::MAX),
        shared,
    });
    CURRENT.with(|current| *current.borrow_mut() = Some(Rc::clone(&local)));
    // Jobs do not unwind. If something of this crate or a foreign waker's drop does, the worker begins anew instead of being a corpse.
    while caught(|| local.work()).is_err() {
        local.tally().panicked_outside_of_a_job();
        local.tally().depth.store(0, Relaxed);
    }
    CURRENT.with(|current| current.borrow_mut().take());
    let Local { queue, shared, .. } = Rc::into_inner(local).expect("nothing keeps it beyond a call");
    shared.hand_back(index, queue);
}

impl Local {
    fn slot(&self) -> &Slot {
        self.shared.slot(self.index)
    }

    pub(super) fn tally(&self) -> &Tally<One> {
        &self.slot().tally
    }

    pub(super) fn home(&self) -> Home {
        Home { pool: self.shared.id, worker: self.index as u32, generation: self.shared.generation }
    }

    pub(super) fn has_room(&self, jobs: usize) -> bool {
        self.queue.len().saturating_add(jobs) <= self.shared.config.local_capacity
    }

    /// Adds a job to the own queue, for this worker or whoever comes for it.
    #[inline]
    pub(super) fn push(&self, job: Entry) {
        self.queue.push(job);
        self.shared.notice();
    }

    /// Jobs until told to end.
    fn work(&self) {
        loop {
            if self.obey() == Next::End {
                self.stop_searching();
                return;
            }
            match self.pop().or_else(|| self.look_around()) {
                Some(job) => self.execute(job),
                None => self.rest(),
            }
        }
    }

    /// Looks at phase and target if they changed.
    fn obey(&self) -> Next {
        let orders = self.shared.orders();
        if orders == self.seen_orders.get() {
            return Next::GoOn;
        }
        self.seen_orders.set(orders);
        if self.shared.phase() == STOPPED || self.shared.may_retire(self.index) {
            Next::End
        } else {
            Next::GoOn
        }
    }

    /// The next job of the own queue, or, when it is time, of the injector.
    fn pop(&self) -> Option<Entry> {
        match self.until_injector.get() {
            0 => {
                self.until_injector.set(INJECTOR_FIRST);
                self.clock.interrupt();
                self.take_injected().or_else(|| self.queue.pop())
            }
            left => {
                self.until_injector.set(left - 1);
                self.queue.pop()
            }
        }
    }

    /// Searches a few times. The worker counts as searching until it finds something.
    fn look_around(&self) -> Option<Entry> {
        self.clock.interrupt();
        // A first look without a word to anybody: while work is plenty, the word that all pushers read stays in their caches. Who is
        // neither searching nor sleeping is busy to them, and they wake another one if there is one; that is a wake too many at
        // worst.
        if let Some(job) = self.take_injected().or_else(|| self.rob_others()) {
            add(&self.tally().steals, 1);
            return Some(job);
        }
        for look in 0..LOOKS {
            if look > 0 {
                (0..PAUSES).for_each(|_| std::hint::spin_loop());
            }
            if let Some(job) = self.search() {
                return Some(job);
            }
        }
        None
    }

    /// Looks once at the injector and at all others.
    fn search(&self) -> Option<Entry> {
        if !self.searching.replace(true) {
            self.shared.idle.search();
        }
        let job = self.take_injected().or_else(|| self.rob_others())?;
        add(&self.tally().steals, 1);
        self.stop_searching();
        Some(job)
    }

    fn stop_searching(&self) {
        if self.searching.replace(false) && self.shared.idle.found() && self.shared.has_work() {
            self.shared.notice();
        }
    }

    fn take_injected(&self) -> Option<Entry> {
        self.unless_stopped(self.shared.injector.steal_batch_and_pop(&self.queue, BATCH)?)
    }

    /// A job that was taken from elsewhere with others, unless the pool has stopped. Whoever stopped it may have looked into this queue
    /// before the others were there; then nobody else knows of them, and the job may be a long one.
    fn unless_stopped(&self, job: Entry) -> Option<Entry> {
        if !self.shared.idle.is_closed() {
            return Some(job);
        }
        self.queue.push(job);
        self.shared.clear();
        None
    }

    fn rob_others(&self) -> Option<Entry> {
        let slots = self.shared.slots();
        let count = slots.len();
        let mut random = self.random.get();
        // Marsaglia's xorshift, which never becomes 0.
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        self.random.set(random);
        let first = random as usize % count;
        (0..count)
            .map(|offset| (first + offset) % count)
            .filter(|&index| index != self.index)
            .find_map(|index| self.shared.slot(index).stealer.steal_batch_and_pop(&self.queue, BATCH))
            .and_then(|job| self.unless_stopped(job))
    }

    /// Runs a job off a queue.
    fn execute(&self, job: Entry) {
        // However the job was found: who runs one is no searcher, or pushers would rely on it while it runs.
        self.stop_searching();
        let tally = self.tally();
        if job.leave() {
            self.shared.release();
        }
        add(&tally.depth, 1);
        let ran = job.run(&self.clock, By::Entry);
        add(&tally.depth, u64::MAX);
        tally.record(ran);
    }

    /// Sleeps until there may be something to do. Comes and goes as a searcher.
    fn rest(&self) {
        let shared = &self.shared;
        let idle = || !shared.has_work() && shared.orders() == self.seen_orders.get();
        shared.idle.sleep(self.index);
        if shared.phase() == DRAINING {
            shared.tell_if_draining();
        }
        if idle() {
            add(&self.tally().parks, 1);
            self.parker.park(None);
        }
        shared.idle.leave(self.index);
    }

    /// Runs other jobs until this one is over, or the deadline has passed.
    pub(super) fn wait_for<T>(&self, job: &Arc<dyn Joinable<T>>, home: Home, deadline: Option<Instant>) {
        let mine = home.pool == self.shared.id;
        let from_here = mine && home.worker == self.index as u32;
        let may_help = self.tally().depth.load(Relaxed) < NESTED;
        self.clock.interrupt();
        while !job.is_finished() && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            if from_here
                && may_help
                && let Some(other) = self.queue.pop()
            {
                self.help(other);
                continue;
            }
            match if mine { self.claim(job) } else { End::Stale } {
                End::Stale => {}
                // It waits for something, perhaps for what only this worker can run: that comes first.
                End::Pending if may_help => {}
                _ => continue,
            }
            if may_help && let Some(other) = self.queue.pop().or_else(|| self.search()) {
                self.help(other);
                continue;
            }
            if !job.wait(&self.waker) {
                break;
            }
            if may_help {
                // `search` found nothing, so this worker counts as searching.
                self.shared.idle.sleep(self.index);
                if !self.shared.has_work() && !job.is_finished() {
                    add(&self.tally().parks, 1);
                    self.parker.park(deadline);
                }
                self.shared.idle.leave(self.index);
            } else {
                // A future that is woken goes to a queue, and no worker may be left to come for it but this one, who may not search.
                let soon = Instant::now() + DEEP;
                self.parker.park(Some(deadline.map_or(soon, |deadline| deadline.min(soon))));
            }
        }
        self.stop_searching();
        self.clock.interrupt();
    }

    fn help(&self, job: Entry) {
        self.stop_searching();
        add(&self.tally().helped, 1);
        self.execute(job);
    }

    /// Runs the job itself, if it waits somewhere. `Stale` if there was nothing to run.
    fn claim<T>(&self, job: &Arc<dyn Joinable<T>>) -> End {
        self.stop_searching();
        let tally = self.tally();
        add(&tally.depth, 1);
        let ran = Arc::clone(job).claim(&self.clock);
        add(&tally.depth, u64::MAX);
        tally.record(ran);
        if ran.releases {
            self.shared.release();
        }
        ran.end
    }
}
