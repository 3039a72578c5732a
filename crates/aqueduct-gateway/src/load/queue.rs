//! The requests of one connection: which to send next, and what their outcomes add up to.

use super::answer::Attempt;
use super::schedule::{Backoff, Schedule};
use super::stats::Stats;
use crate::ids::ItemId;
use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A request, as little of it as has to be remembered: its bytes follow from the template and the first sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// Sequence of its first item.
    pub(crate) first: u64,
    /// When it was meant to be sent: latency counts from here.
    intended: Instant,
    /// When it was first sent: its expiry counts from here.
    begun: Instant,
    failures: u32,
    /// An attempt ended without an answer, so the items may be at the server although nobody said so.
    in_doubt: bool,
}

/// A job that waits for its next attempt.
#[derive(Debug)]
struct Waiting {
    due: Instant,
    job: Job,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap yields its greatest element, and the earliest is wanted.
        other.due.cmp(&self.due)
    }
}

/// What the queues of one generator thread share.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) producer: u32,
    /// Items per request.
    pub(crate) items: u64,
    pub(crate) backoff: Backoff,
    /// How long a request is tried, from its first attempt.
    pub(crate) expiry: Duration,
    /// How long one attempt may take.
    pub(crate) timeout: Duration,
    /// After this no new request begins.
    pub(crate) end: Cell<Instant>,
    /// How many further requests may begin.
    pub(crate) remaining: Cell<u64>,
    pub(crate) next_sequence: Cell<u64>,
    pub(crate) stats: Arc<Mutex<Stats>>,
}

impl Plan {
    fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long after the end of a run requests are begun that were due before it: the tick that is to start them may be late.
const LAST_TICK: Duration = Duration::from_millis(20);

/// Pauses between attempts to connect: short, so that a target that is back is noticed within a fraction of a second.
const RECONNECT: Backoff = Backoff { initial: Duration::from_millis(20), cap: Duration::from_millis(500) };

/// The requests of one connection.
///
/// Requests that wait for a retry occupy a place in a closed loop (there are only so many clients) and none in an open loop (the
/// world does not stop producing because a server is busy).
#[derive(Debug)]
pub(crate) struct Queue {
    plan: Rc<Plan>,
    schedule: Option<Schedule>,
    waiting: BinaryHeap<Waiting>,
    /// Most requests in flight.
    capacity: usize,
    in_flight: usize,
    random: u64,
}

impl Queue {
    pub(crate) fn new(plan: Rc<Plan>, schedule: Option<Schedule>, capacity: usize, seed: u64) -> Self {
        Self { plan, schedule, waiting: BinaryHeap::new(), capacity, in_flight: 0, random: seed }
    }

    /// The next request to send now; the caller owes a [`settle`](Self::settle) for it.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Job> {
        if self.in_flight >= self.capacity {
            return None;
        }
        if self.waiting.peek().is_some_and(|first| first.due <= now) {
            let job = self.waiting.pop()?.job;
            self.in_flight += 1;
            self.plan.stats().retries += 1;
            return Some(job);
        }
        let intended = self.fresh_at(now).filter(|at| *at <= now)?;
        if let Some(schedule) = &mut self.schedule {
            schedule.advance();
        }
        self.plan.remaining.set(self.plan.remaining.get() - 1);
        let first = self.plan.next_sequence.get();
        self.plan.next_sequence.set(first + self.plan.items);
        self.in_flight += 1;
        self.plan.stats().offered += 1;
        Some(Job { first, intended, begun: now, failures: 0, in_doubt: false })
    }

    /// Whether [`next`](Self::next) would have something to give.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        self.in_flight < self.capacity && (due(self.retry_at()) || due(self.fresh_at(now)))
    }

    /// When the first waiting request wants its next attempt.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.waiting.peek().map(|first| first.due)
    }

    /// When the next new request is due; `None` if there will be none, or not before another one ends.
    pub(crate) fn fresh_at(&self, now: Instant) -> Option<Instant> {
        if self.plan.remaining.get() == 0 {
            return None;
        }
        let end = self.plan.end.get();
        match &self.schedule {
            Some(schedule) => Some(schedule.due()).filter(|due| *due < end && now < end + LAST_TICK),
            None => (now < end && self.in_flight + self.waiting.len() < self.capacity).then_some(now),
        }
    }

    /// When the attempt of a job that starts now must have ended.
    pub(crate) fn attempt_deadline(&self, job: &Job, now: Instant) -> Instant {
        (now + self.plan.timeout).min(job.begun + self.plan.expiry)
    }

    /// Whether every request of the run has ended.
    pub(crate) fn is_finished(&self, now: Instant) -> bool {
        (now >= self.plan.end.get() || self.plan.remaining.get() == 0)
            && self.in_flight == 0
            && self.waiting.is_empty()
            && self.fresh_at(now).is_none()
    }

    /// How many requests the schedule holds that were due before the end and never got a place.
    pub(crate) fn backlog(&self, now: Instant) -> u64 {
        if self.plan.remaining.get() == 0 {
            return 0;
        }
        self.schedule.map_or(0, |schedule| schedule.backlog(now.min(self.plan.end.get())))
    }

    /// How long to wait before connection attempt number `failures` + 1.
    pub(crate) fn reconnect_pause(&mut self, failures: u32) -> Duration {
        let random = self.unit_random();
        RECONNECT.pause(failures, None, random)
    }

    pub(crate) fn count_connect(&self) {
        self.plan.stats().connects += 1;
    }

    /// Notes why an attempt was not acknowledged.
    pub(crate) fn problem(&self, why: impl ToString) {
        self.plan.stats().last_problem = Some(why.to_string());
    }

    /// Takes the outcome of an attempt: counts it, or plans the next attempt.
    pub(crate) fn settle(&mut self, mut job: Job, attempt: Attempt, now: Instant) {
        self.in_flight -= 1;
        let items = self.plan.items;
        let id = ItemId { producer: self.plan.producer, sequence: job.first };
        let after = match attempt {
            Attempt::Acknowledged => {
                self.plan.stats().acknowledged(id, items, now - job.intended, now);
                return;
            }
            Attempt::Partial { rejected } => {
                self.plan.stats().partial(items, rejected, now - job.intended, now);
                return;
            }
            Attempt::Rejected => {
                self.plan.stats().rejected += 1;
                return;
            }
            Attempt::Refused { after } => {
                self.plan.stats().refusals += 1;
                after
            }
            Attempt::Unknown => {
                job.in_doubt = true;
                None
            }
            Attempt::Unsent => None,
        };
        job.failures += 1;
        let random = self.unit_random();
        let due = now + self.plan.backoff.pause(job.failures, after, random);
        if due >= job.begun + self.plan.expiry {
            self.expire(job);
        } else {
            self.waiting.push(Waiting { due, job });
        }
    }

    /// Gives up on jobs whose time is over before their next attempt, or on all of them.
    pub(crate) fn expire_waiting(&mut self, now: Option<Instant>) {
        let expiry = self.plan.expiry;
        let mut expired = Vec::new();
        self.waiting.retain(|waiting| {
            let over = now.is_none_or(|now| now >= waiting.job.begun + expiry);
            if over {
                expired.push(waiting.job);
            }
            !over
        });
        for job in expired {
            self.expire(job);
        }
    }

    fn expire(&self, job: Job) {
        let mut stats = self.plan.stats();
        if job.in_doubt {
            stats.unanswered += 1;
        } else {
            stats.refused += 1;
        }
    }

    fn unit_random(&mut self) -> f64 {
        // Xorshift (Marsaglia 2003): jitter needs spread, nothing more.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests;
