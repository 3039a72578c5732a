//! Who has which connection, who waits, and what is to be done about it. No I/O, no lock, no clock.
//!
//! A connection is *open* while it takes new uses, *draining* after it retired with uses in progress, and gone after
//! that. Rules:
//!
//! - A connection is opened only while open and connecting ones together are fewer than `max`.
//! - Nobody waits while a connection has room; the line is served from its front.
//! - One connection is being opened for each `expected` waiters; when that fails and none is open, as many of
//!   the oldest waiters are told as have none coming. While others are open they keep their places.
//! - After a failure nothing is opened for a while, except for waiters who have no open connection at all: how often
//!   these try is their own decision.
//! - A connection whose capacity is fully used does not retire before it has room again: so `max` holds for those that
//!   bear one use at a time, whatever happens.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::status::{PoolStatus, Reason, Retired};

/// The first pause after connecting failed; doubled by each failure in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a roster asks about connections; they are cheap references.
pub(super) trait Judge {
    type Connection: Clone;

    fn is_usable(&self, connection: &Self::Connection) -> bool;
    fn capacity(&self, connection: &Self::Connection) -> usize;
    fn expected_capacity(&self) -> usize;
}

/// How many connections there may be, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) health_check_interval: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Roster<J: Judge, W> {
    judge: J,
    limits: Limits,
    open: Vec<Entry<J::Connection>>,
    draining: Vec<Draining>,
    connecting: usize,
    waiters: VecDeque<(u64, W)>,
    next_ticket: u64,
    next_id: u64,
    uses_begun: u64,
    /// A connection was up once, so `min` of them are kept up.
    warm: bool,
    failures_in_a_row: u32,
    quiet_until: Option<Instant>,
    /// When `tick` was last asked for.
    alarm: Option<Instant>,
    connects: u64,
    connect_failures: u64,
    retired: Retired,
}

#[derive(Debug)]
struct Entry<T> {
    id: u64,
    connection: T,
    capacity: usize,
    uses: usize,
    checking: bool,
    /// Counts all uses of all connections.
    last_used: u64,
    idle_since: Instant,
    proven_at: Instant,
    retire_at: Option<Instant>,
}

#[derive(Debug)]
struct Draining {
    id: u64,
    uses: usize,
}

/// One use of a connection.
#[derive(Debug)]
pub(super) struct Grant<T> {
    pub(super) id: u64,
    pub(super) connection: T,
    pub(super) reused: bool,
}

/// What is to be done after a step, without the lock.
#[derive(Debug)]
pub(super) struct Effects<T, W> {
    /// To be handed over.
    pub(super) grants: Vec<(W, Grant<T>)>,
    /// To be told that connecting failed.
    pub(super) refused: Vec<W>,
    /// Connections to be opened; each ends in [`Roster::connected`] or [`Roster::connect_failed`].
    pub(super) connects: usize,
    /// To be checked; each ends in [`Roster::checked`].
    pub(super) checks: Vec<(u64, T)>,
    /// To be dropped.
    pub(super) closed: Vec<T>,
    /// `tick` is wanted earlier than was said.
    pub(super) alarm_moved: bool,
}

impl<T, W> Default for Effects<T, W> {
    fn default() -> Self {
        Self {
            grants: Vec::new(),
            refused: Vec::new(),
            connects: 0,
            checks: Vec::new(),
            closed: Vec::new(),
            alarm_moved: false,
        }
    }
}

impl<T> Entry<T> {
    fn has_room(&self) -> bool {
        self.uses + usize::from(self.checking) < self.capacity
    }

    fn is_idle(&self) -> bool {
        self.uses == 0 && !self.checking
    }
}

type Fx<J, W> = Effects<<J as Judge>::Connection, W>;

impl<J: Judge, W> Roster<J, W> {
    pub(super) fn new(judge: J, limits: Limits) -> Self {
        Self {
            judge,
            limits,
            open: Vec::new(),
            draining: Vec::new(),
            connecting: 0,
            waiters: VecDeque::new(),
            next_ticket: 0,
            next_id: 0,
            uses_begun: 0,
            warm: false,
            failures_in_a_row: 0,
            quiet_until: None,
            alarm: None,
            connects: 0,
            connect_failures: 0,
            retired: Retired::default(),
        }
    }

    /// A use of a connection, if one has room and nobody waits for it.
    pub(super) fn try_acquire(&mut self, now: Instant, fx: &mut Fx<J, W>) -> Option<Grant<J::Connection>> {
        if !self.waiters.is_empty() {
            return None;
        }
        let index = self.pick(now, fx)?;
        let grant = self.grant(index, true);
        // What was found unusable on the way may be missed.
        if self.open.len() < self.limits.min {
            self.open_more(now, fx);
        }
        Some(grant)
    }

    /// A place at the end of the line. Returns its ticket.
    pub(super) fn wait(&mut self, now: Instant, waiter: W, fx: &mut Fx<J, W>) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiters.push_back((ticket, waiter));
        self.settle(now, None, fx);
        ticket
    }

    /// Gives a place in the line up, if it was not served yet.
    pub(super) fn cancel(&mut self, ticket: u64) -> Option<W> {
        let index = self.waiters.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()?;
        self.waiters.remove(index).map(|(_, waiter)| waiter)
    }

    /// A connection has come about; it retires at that time, if one is given.
    pub(super) fn connected(
        &mut self,
        now: Instant,
        connection: J::Connection,
        retire_at: Option<Instant>,
        fx: &mut Fx<J, W>,
    ) {
        self.connecting -= 1;
        self.connects += 1;
        self.warm = true;
        self.failures_in_a_row = 0;
        self.quiet_until = None;
        let id = self.next_id;
        self.next_id += 1;
        self.open.push(Entry {
            id,
            capacity: self.judge.capacity(&connection).max(1),
            connection,
            uses: 0,
            checking: false,
            last_used: 0,
            idle_since: now,
            proven_at: now,
            retire_at,
        });
        self.settle(now, Some(id), fx);
        self.set_alarm(fx);
    }

    /// A connection has not come about.
    pub(super) fn connect_failed(&mut self, now: Instant, fx: &mut Fx<J, W>) {
        self.connecting -= 1;
        self.connect_failures += 1;
        let pause = FIRST_PAUSE * (1 << self.failures_in_a_row.min(16));
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.quiet_until = now.checked_add(pause.min(LONGEST_PAUSE));
        if self.open.is_empty() {
            let provided = self.connecting.saturating_mul(self.expected());
            let left_over = self.waiters.len().saturating_sub(provided);
            fx.refused.extend(self.waiters.drain(..left_over).map(|(_, waiter)| waiter));
        }
        self.settle(now, None, fx);
    }

    /// A use has ended; `broken` says that the connection is no good.
    pub(super) fn ended(&mut self, now: Instant, id: u64, broken: bool, fx: &mut Fx<J, W>) {
        let Some(index) = self.index_of(id) else {
            return self.drained(id);
        };
        let entry = &mut self.open[index];
        entry.uses -= 1;
        if entry.uses == 0 {
            entry.idle_since = now;
            entry.proven_at = now;
        }
        entry.capacity = self.judge.capacity(&entry.connection).max(1);
        if let Some(reason) = match broken {
            true => Some(Reason::Discarded),
            false => self.reason_to_retire(index, now),
        } {
            self.retire(index, reason, fx);
        } else {
            // Sooner than may be necessary, but it is the same as before almost always.
            let entry = &self.open[index];
            let timers = [self.limits.idle_timeout, self.limits.health_check_interval];
            let timers = timers.into_iter().flatten().min().filter(|_| entry.is_idle());
            let soonest = timers.and_then(|after| now.checked_add(after));
            let soonest = soonest.into_iter().chain(entry.retire_at).min();
            self.lower_alarm(soonest, fx);
        }
        self.settle(now, None, fx);
    }

    /// A check has ended.
    pub(super) fn checked(&mut self, now: Instant, id: u64, healthy: bool, fx: &mut Fx<J, W>) {
        // Otherwise it was retired meanwhile.
        if let Some(index) = self.index_of(id) {
            self.open[index].checking = false;
            self.open[index].proven_at = now;
            if !healthy {
                self.retire(index, Reason::Unhealthy, fx);
            } else if let Some(reason) = self.reason_to_retire(index, now) {
                self.retire(index, reason, fx);
            }
        }
        self.settle(now, None, fx);
        self.set_alarm(fx);
    }

    /// Does what is due by now.
    pub(super) fn tick(&mut self, now: Instant, fx: &mut Fx<J, W>) {
        for index in (0..self.open.len()).rev() {
            if self.open[index].has_room()
                && let Some(reason) = self.reason_to_retire(index, now)
            {
                self.retire(index, reason, fx);
            }
        }
        if let Some(interval) = self.limits.health_check_interval {
            for entry in &mut self.open {
                if entry.is_idle() && now.duration_since(entry.proven_at) >= interval {
                    entry.checking = true;
                    fx.checks.push((entry.id, entry.connection.clone()));
                }
            }
        }
        self.alarm = None;
        self.settle(now, None, fx);
        self.set_alarm(fx);
    }

    /// When `tick` is wanted next.
    pub(super) const fn alarm(&self) -> Option<Instant> {
        self.alarm
    }

    pub(super) fn resize(&mut self, now: Instant, min: usize, max: usize, fx: &mut Fx<J, W>) {
        self.limits.min = min;
        self.limits.max = max;
        self.settle(now, None, fx);
        self.set_alarm(fx);
    }

    /// The runtime of all connections has ended, or the pool has: parts with everything, refuses everybody.
    pub(super) fn abandon(&mut self, fx: &mut Fx<J, W>) {
        for index in (0..self.open.len()).rev() {
            self.retire(index, Reason::RuntimeEnded, fx);
        }
        fx.refused.extend(self.waiters.drain(..).map(|(_, waiter)| waiter));
        self.warm = false;
        self.alarm = None;
    }

    pub(super) fn status(&self) -> PoolStatus {
        let draining: usize = self.draining.iter().map(|draining| draining.uses).sum();
        PoolStatus {
            open: self.open.len(),
            idle: self.open.iter().filter(|entry| entry.uses == 0).count(),
            connecting: self.connecting,
            draining: self.draining.len(),
            in_use: draining + self.open.iter().map(|entry| entry.uses).sum::<usize>(),
            waiting: self.waiters.len(),
            connects: self.connects,
            connect_failures: self.connect_failures,
            exhausted: 0,
            retired: self.retired,
        }
    }

    /// The connection that is to take the next use: the least used, and among equals the one whose turn it is; or,
    /// while there are more than `min`, the one used last, so that the others can grow idle.
    fn pick(&mut self, now: Instant, fx: &mut Fx<J, W>) -> Option<usize> {
        let mut asked_again = false;
        loop {
            let spare = self.open.len() > self.limits.min;
            let turn = |entry: &Entry<_>| if spare { u64::MAX - entry.last_used } else { entry.last_used };
            let with_room = self.open.iter().enumerate().filter(|(_, entry)| entry.has_room());
            let Some((index, _)) = with_room.min_by_key(|(_, entry)| (entry.uses, turn(entry))) else {
                // Capacities were asked for when connections were last used, and may have grown.
                if asked_again {
                    return None;
                }
                asked_again = true;
                for entry in &mut self.open {
                    entry.capacity = self.judge.capacity(&entry.connection).max(1);
                }
                continue;
            };
            if let Some(reason) = self.reason_to_retire(index, now) {
                self.retire(index, reason, fx);
                continue;
            }
            let entry = &mut self.open[index];
            entry.capacity = self.judge.capacity(&entry.connection).max(1);
            if entry.has_room() {
                return Some(index);
            }
        }
    }

    fn grant(&mut self, index: usize, reused: bool) -> Grant<J::Connection> {
        self.uses_begun += 1;
        let entry = &mut self.open[index];
        entry.uses += 1;
        entry.last_used = self.uses_begun;
        Grant { id: entry.id, connection: entry.connection.clone(), reused }
    }

    /// What follows from every change: serve the line, shrink, open. `fresh` is the connection that has just come about.
    fn settle(&mut self, now: Instant, fresh: Option<u64>, fx: &mut Fx<J, W>) {
        while !self.waiters.is_empty()
            && let Some(index) = self.pick(now, fx)
            && let Some((_, waiter)) = self.waiters.pop_front()
        {
            let reused = fresh != Some(self.open[index].id);
            let grant = self.grant(index, reused);
            fx.grants.push((waiter, grant));
        }
        while self.open.len() > self.limits.max {
            let with_room = self.open.iter().enumerate().filter(|(_, entry)| entry.has_room());
            let least = with_room.min_by_key(|(_, entry)| (entry.uses, entry.checking, entry.last_used));
            let Some((index, _)) = least else { break };
            self.retire(index, Reason::Resized, fx);
        }
        self.open_more(now, fx);
    }

    /// Starts connecting for those who wait and for `min`.
    fn open_more(&mut self, now: Instant, fx: &mut Fx<J, W>) {
        let for_waiters = self.waiters.len().div_ceil(self.expected());
        let kept = if self.warm || for_waiters > 0 { self.limits.min } else { 0 };
        let mut wanted = for_waiters.max(kept.saturating_sub(self.open.len()));
        if wanted <= self.connecting {
            return;
        }
        if let Some(quiet_until) = self.quiet_until.filter(|until| now < *until) {
            self.lower_alarm(Some(quiet_until), fx);
            wanted = if self.open.is_empty() { for_waiters } else { 0 };
        }
        let room = self.limits.max.saturating_sub(self.open.len() + self.connecting);
        let more = wanted.saturating_sub(self.connecting).min(room);
        self.connecting += more;
        fx.connects += more;
    }

    fn reason_to_retire(&self, index: usize, now: Instant) -> Option<Reason> {
        let entry = &self.open[index];
        if !self.judge.is_usable(&entry.connection) {
            return Some(Reason::Unusable);
        }
        if entry.retire_at.is_some_and(|at| at <= now) {
            return Some(Reason::Aged);
        }
        if self.open.len() > self.limits.max {
            return Some(Reason::Resized);
        }
        let idle = entry.is_idle() && self.open.len() > self.limits.min;
        let timeout = self.limits.idle_timeout.filter(|_| idle)?;
        (now.duration_since(entry.idle_since) >= timeout).then_some(Reason::Idle)
    }

    fn retire(&mut self, index: usize, reason: Reason, fx: &mut Fx<J, W>) {
        let entry = self.open.swap_remove(index);
        self.retired.count(reason);
        if entry.uses > 0 {
            self.draining.push(Draining { id: entry.id, uses: entry.uses });
        }
        fx.closed.push(entry.connection);
    }

    /// A use has ended on a connection that has retired.
    fn drained(&mut self, id: u64) {
        if let Some(index) = self.draining.iter().position(|draining| draining.id == id) {
            self.draining[index].uses -= 1;
            if self.draining[index].uses == 0 {
                self.draining.swap_remove(index);
            }
        }
    }

    fn index_of(&self, id: u64) -> Option<usize> {
        self.open.iter().position(|entry| entry.id == id)
    }

    fn expected(&self) -> usize {
        self.judge.expected_capacity().max(1)
    }

    /// Finds out when something is due next, from scratch.
    fn set_alarm(&mut self, fx: &mut Fx<J, W>) {
        let Limits { min, idle_timeout, health_check_interval, .. } = self.limits;
        let idle_timeout = idle_timeout.filter(|_| self.open.len() > min);
        let after =
            |since: Instant, length: Option<Duration>| length.and_then(|length| since.checked_add(length));
        let mut soonest: Option<Instant> = None;
        for entry in &self.open {
            let idle = entry.is_idle();
            let due = [
                after(entry.idle_since, idle_timeout).filter(|_| idle),
                after(entry.proven_at, health_check_interval).filter(|_| idle),
                // A fully used one is looked at when a use ends.
                entry.retire_at.filter(|_| entry.has_room()),
            ];
            soonest = soonest.into_iter().chain(due.into_iter().flatten()).min();
        }
        self.lower_alarm(soonest, fx);
    }

    fn lower_alarm(&mut self, to: Option<Instant>, fx: &mut Fx<J, W>) {
        if let Some(to) = to
            && self.alarm.is_none_or(|alarm| to < alarm)
        {
            self.alarm = Some(to);
            fx.alarm_moved = true;
        }
    }
}

#[cfg(test)]
mod tests;
