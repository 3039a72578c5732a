//! Where a job and its handle meet besides the result: whether it is finished, who waits, and whether anybody still wants the
//! result.
//!
//! All but the first stand under the job's lock, so of a handle that begins to wait, or goes, and a run that ends, one is first: the
//! second sees what the first left.

use std::task::Waker;

use super::caught;
use crate::sync::{AtomicU8, Ordering};

/// Whether a job is over, to be asked without its lock.
#[derive(Debug)]
pub(crate) struct Finished {
    /// 0, then 1: written once by whoever ended the job, under the job's lock; read by its handle.
    bit: AtomicU8,
}

impl Finished {
    pub(crate) fn not_yet() -> Finished {
        Finished { bit: AtomicU8::new(0) }
    }

    #[inline]
    pub(crate) fn is(&self) -> bool {
        // Acquire: partner of the release in `set`. Who sees the job over may rely on what the job did.
        self.bit.load(Ordering::Acquire) != 0
    }

    #[inline]
    pub(crate) fn set(&self) {
        // Release: partner of the acquire in `is`.
        self.bit.store(1, Ordering::Release);
    }
}

/// The handle of a job that is not over.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    /// To be called when the job is over.
    waiter: Option<Waker>,
    /// The handle was dropped: the result is for whoever ends the job to drop.
    pub(crate) gone: bool,
}

impl Owner {
    /// Notes who is to be woken. What it replaces is to be dropped outside the lock: it is code of an executor.
    #[must_use = "drop it outside the lock"]
    pub(crate) fn wait(&mut self, waker: &Waker) -> Option<Waker> {
        match &self.waiter {
            Some(waiter) if waiter.will_wake(waker) => None,
            _ => self.waiter.replace(waker.clone()),
        }
    }

    /// The job is over: wakes who waits. To be called without the lock.
    #[inline]
    pub(crate) fn notify(self) {
        if let Some(waiter) = self.waiter {
            // A waker is code of somebody else's executor. That it panicked is not the job's fault, nor its result's.
            let _ = caught(|| waiter.wake());
        }
    }
}
