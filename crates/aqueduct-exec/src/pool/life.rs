//! The threads of a pool: how they come, go, and are waited for.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::error::{Refusal, StartError};
use super::shared::{DRAINING, OPEN, STOPPED, Shared};
use super::stats::ShutdownReport;
use super::worker;
use crate::affinity::AffinityError;
use crate::fork;
use crate::job::Entry;
use crate::queue::WorkStealingQueue;
use crate::sync::{MutexGuard, lock, thread};

/// Which threads there are, and how many there shall be.
#[derive(Debug)]
pub(crate) struct Life {
    /// Workers with this number or a higher one end after their current job.
    target: usize,
    /// Whether the worker of this number has a thread.
    alive: Vec<bool>,
    /// Whether the worker of this number has promised to end, and looks at nothing any more.
    leaving: Vec<bool>,
    /// Whether every accepted job was done when the pool stopped.
    drained: bool,
}

impl Life {
    pub(super) fn new() -> Life {
        Life { target: 0, alive: Vec::new(), leaving: Vec::new(), drained: false }
    }

    pub(super) fn threads(&self) -> usize {
        self.alive.iter().filter(|alive| **alive).count()
    }
}

impl Shared {
    /// Changes the number of threads.
    pub(super) fn resize(self: &Arc<Self>, threads: NonZeroUsize) -> Result<(), StartError> {
        let (wanted, most) = (threads.get(), self.most_threads());
        if wanted > most {
            return Err(StartError::TooMany { wanted, most });
        }
        if fork::generation() != self.generation {
            return Err(StartError::Refused(Refusal::Forked));
        }
        let mut life = lock(&self.life);
        // Those that were told to go may not have gone yet, and their queues are still with them. Waited for before anything is
        // changed: from the look at the phase on, the lock is held.
        while self.phase() == OPEN && life.leaving.iter().take(wanted).any(|leaving| *leaving) {
            life = self.wait(life, None);
        }
        if self.phase() != OPEN {
            return Err(StartError::Refused(Refusal::ShutDown));
        }
        let before = life.target;
        life.target = wanted;
        for index in 0..wanted {
            if life.alive.get(index) == Some(&true) {
                continue;
            }
            if let Err(error) = self.start_thread(&mut life, index) {
                // As it was: threads that did start and are beyond it end again.
                life.target = before;
                self.order();
                drop(life);
                self.wake_all();
                return Err(error);
            }
        }
        self.order();
        drop(life);
        self.wake_all();
        Ok(())
    }

    fn start_thread(self: &Arc<Self>, life: &mut Life, index: usize) -> Result<(), StartError> {
        self.ready_slot(index);
        if life.alive.len() <= index {
            life.alive.resize(index + 1, false);
            life.leaving.resize(index + 1, false);
        }
        let mut builder = thread::Builder::new().name(format!("{}-{index}", self.config.name));
        if let Some(bytes) = self.config.stack_size {
            builder = builder.stack_size(bytes.get());
        }
        let shared = Arc::clone(self);
        let Some(affinity) = self.config.affinity.clone() else {
            builder.spawn(move || worker::run(shared, index)).map_err(StartError::Thread)?;
            life.alive[index] = true;
            return Ok(());
        };
        let (sender, pinned) = mpsc::sync_channel::<Result<usize, AffinityError>>(1);
        let start = move || {
            let result = affinity.pin_current_thread();
            let failed = result.is_err();
            // If nobody listens any more, the thread is not wanted either.
            if sender.send(result).is_ok() && !failed {
                worker::run(shared, index);
            }
        };
        builder.spawn(start).map_err(StartError::Thread)?;
        match pinned.recv() {
            Ok(Ok(_)) => {
                life.alive[index] = true;
                Ok(())
            }
            Ok(Err(error)) => Err(StartError::Affinity(error)),
            Err(_) => Err(StartError::Thread(io::Error::other("the thread ended before it began to work"))),
        }
    }

    /// Whether the worker of this number is to end. If so it has promised to.
    pub(super) fn may_retire(&self, index: usize) -> bool {
        let mut life = lock(&self.life);
        let retires = index >= life.target;
        life.leaving[index] = retires;
        retires
    }

    /// The last act of a worker: its queue goes back, what is in it to the others, or nowhere if the pool has stopped.
    pub(super) fn hand_back(&self, index: usize, queue: WorkStealingQueue<Entry>) {
        if self.phase() == STOPPED {
            self.clear();
        }
        while let Some(job) = queue.pop() {
            // In the other order than they came, if it is a stack; the injector keeps none of a stack anyhow.
            self.injector.push(job);
        }
        *lock(&self.slot(index).queue) = Some(queue);
        let mut life = lock(&self.life);
        life.alive[index] = false;
        life.leaving[index] = false;
        drop(life);
        self.changed.notify_all();
        // For what went into the injector. If the pool stopped meanwhile, it is abandoned here.
        self.notice();
    }

    /// Waits for a change, or until the deadline.
    fn wait<'l>(&self, life: MutexGuard<'l, Life>, deadline: Option<Instant>) -> MutexGuard<'l, Life> {
        match deadline {
            None => self.changed.wait(life).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.changed.wait_timeout(life, left).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Ends the pool: takes no more from outside, runs what is there, and at the deadline leaves the rest undone.
    pub(super) fn shut_down(&self, patience: Duration) -> ShutdownReport {
        let begin = Instant::now();
        // So far in the future that it is none.
        let deadline = begin.checked_add(patience);
        let passed = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if fork::generation() != self.generation {
            // The locks may be held by threads that do not exist here.
            return ShutdownReport {
                drained: false,
                abandoned: 0,
                running: 0,
                threads: 0,
                elapsed: begin.elapsed(),
            };
        }
        let mut life = lock(&self.life);
        if self.phase() == OPEN {
            self.set_phase(DRAINING);
        }
        while self.phase() == DRAINING && !self.is_drained() && !passed() {
            life = self.wait(life, deadline);
        }
        drop(life);
        self.stop();
        let mut life = lock(&self.life);
        let drained = life.drained;
        while life.threads() > 0 && !passed() {
            life = self.wait(life, deadline);
        }
        let threads = life.threads();
        drop(life);
        let stats = self.stats();
        ShutdownReport {
            drained,
            abandoned: stats.abandoned,
            running: stats.running,
            threads,
            elapsed: begin.elapsed(),
        }
    }

    /// Ends the pool at once, without waiting for anything.
    pub(super) fn stop(&self) {
        if fork::generation() != self.generation {
            return;
        }
        let mut life = lock(&self.life);
        if self.phase() != STOPPED {
            // Later it would not tell: what is abandoned is settled, too.
            life.drained = self.is_drained();
            self.set_phase(STOPPED);
        }
        drop(life);
        // Others may wait for the pool to drain, or for a thread to end.
        self.changed.notify_all();
        self.idle.close();
        self.wake_all();
        self.clear();
    }
}
