//! What those who add, those who wait and the driver share: the scheduler under a lock, and who is to be woken.
//!
//! Code of the user (wakers, destructors of items, the callback of watermarks) does not run under the lock: what it is called for is gathered
//! in [`After`] and done when the lock is free.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::bundle::Tag;
use super::caught::{caught, discard};
use super::overflow::Overflow;
use super::scheduler::{Due, Scheduler};
use super::stats::Report;
use crate::{Edge, Weight};

/// A callback for watermarks.
pub(super) type OnEdge = Box<dyn Fn(Edge) + Send + Sync>;

pub(super) struct Shared<T> {
    state: Mutex<State<T>>,
    overflow: Overflow<T>,
    on_edge: Option<OnEdge>,
}

#[derive(Debug)]
pub(super) struct State<T> {
    pub(super) scheduler: Scheduler<T>,
    /// The driver, if it waits.
    pub(super) asleep: Option<Sleep>,
    /// Those who wait for room, in the order in which they came.
    line: BTreeMap<u64, InLine>,
    /// Those who wait for something to be settled, or for the end.
    watchers: BTreeMap<u64, Option<Waker>>,
    next_ticket: u64,
    /// The driver has let go of everything, the handler included.
    ended: bool,
    /// A deadline has passed before the driver ended: the handler hangs, and nobody waits for it any more.
    abandoned: bool,
    /// What `watchers` have been told of.
    told: (u64, bool),
    /// Somebody is in the callback for watermarks, and will look again.
    delivering: bool,
}

#[derive(Debug)]
pub(super) struct Sleep {
    pub(super) waker: Waker,
    /// When the driver wakes up by itself.
    pub(super) alarm: Due,
}

#[derive(Debug)]
struct InLine {
    weight: Weight,
    /// `None` once woken.
    waker: Option<Waker>,
}

/// What is to be done when the lock is free.
#[derive(Debug)]
pub(super) struct After<T> {
    /// Items to be dropped.
    pub(super) dropped: Vec<T>,
    /// To be woken.
    wakers: Vec<Waker>,
    /// To be dropped: with the last waker of a task may go all that the task holds.
    unused: Vec<Waker>,
}

thread_local! {
    /// The processors whose handlers are running on this thread, by the address of what they share.
    static HANDLING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// As long as it lives, the thread counts as running the handler.
#[derive(Debug)]
pub(super) struct Inside;

impl Drop for Inside {
    fn drop(&mut self) {
        HANDLING.with_borrow_mut(|stack| stack.pop());
    }
}

impl<T> Shared<T> {
    pub(super) fn new(scheduler: Scheduler<T>, overflow: Overflow<T>, on_edge: Option<OnEdge>) -> Shared<T> {
        let state = State {
            scheduler,
            asleep: None,
            line: BTreeMap::new(),
            watchers: BTreeMap::new(),
            next_ticket: 0,
            ended: false,
            abandoned: false,
            told: (0, false),
            delivering: false,
        };
        Shared { state: Mutex::new(state), overflow, on_edge }
    }

    /// What is known of an item; no item weighs less than one item.
    pub(super) fn tag(&self, item: &T, weight: Weight) -> Tag {
        let weight = Weight::new(weight.items.max(1), weight.bytes);
        Tag { weight, priority: self.overflow.rank(item) }
    }

    /// How long a thread may wait for room, if it may.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.overflow {
            Overflow::Block { deadline } => Some(deadline),
            Overflow::DropNewest | Overflow::DropOldest | Overflow::Priority(_) => None,
        }
    }

    /// Changes the state, and wakes whom that concerns.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut State<T>, &mut After<T>) -> R) -> R {
        let mut after = After { dropped: Vec::new(), wakers: Vec::new(), unused: Vec::new() };
        let mut state = self.lock();
        let result = change(&mut state, &mut after);
        state.call(&mut after.wakers);
        let has_edge = state.scheduler.has_edge();
        drop(state);
        after.wakers.into_iter().for_each(Waker::wake);
        if has_edge {
            self.deliver();
        }
        after.dropped.into_iter().for_each(discard);
        result
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing of the user's runs under it, so that nothing panics under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells edges one after the other, so that they arrive in their order: whoever finds somebody at it leaves it to them.
    fn deliver(&self) {
        if mem::replace(&mut self.lock().delivering, true) {
            return;
        }
        while let Some(edge) = self.next_edge() {
            if let Some(on_edge) = &self.on_edge {
                caught(|| on_edge(edge));
            }
        }
    }

    fn next_edge(&self) -> Option<Edge> {
        let mut state = self.lock();
        let edge = state.scheduler.take_edge();
        // Under the same lock as the look, or an edge that comes in between would be left to nobody.
        state.delivering = edge.is_some();
        edge
    }

    /// Marks this thread as running the handler.
    pub(super) fn enter(&self) -> Inside {
        HANDLING.with_borrow_mut(|stack| stack.push(self.address()));
        Inside
    }

    /// Whether this thread is running the handler.
    pub(super) fn is_inside(&self) -> bool {
        // A thread that ends has no stack any more, and runs no handler.
        HANDLING.try_with(|stack| stack.borrow().contains(&self.address())).unwrap_or(false)
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl<T> State<T> {
    /// Gathers whoever has something to do now.
    fn call(&mut self, wakers: &mut Vec<Waker>) {
        if self.asleep.as_ref().is_some_and(|sleep| self.scheduler.due() < sleep.alarm) {
            wakers.extend(self.asleep.take().map(|sleep| sleep.waker));
        }
        if !self.scheduler.is_open() {
            wakers.extend(self.line.values_mut().filter_map(|waiting| waiting.waker.take()));
        } else if let Some(mut first) = self.line.first_entry()
            && self.scheduler.fits(first.get().weight)
        {
            // The others wait for it: room goes to those who came first, however much they need.
            wakers.extend(first.get_mut().waker.take());
        }
        let news = (self.scheduler.settlements(), self.ended);
        if self.told != news {
            self.told = news;
            wakers.extend(self.watchers.values_mut().filter_map(Option::take));
        }
    }

    /// Whether it is this one's turn to take room. Without a ticket: whether nobody waits.
    pub(super) fn is_first(&self, ticket: Option<u64>) -> bool {
        self.line.first_key_value().map(|(first, _)| *first) == ticket
    }

    /// Waits in line for room.
    pub(super) fn queue(
        &mut self,
        ticket: &mut Option<u64>,
        weight: Weight,
        waker: Option<Waker>,
        after: &mut After<T>,
    ) {
        let ticket = *ticket.get_or_insert_with(|| take_ticket(&mut self.next_ticket));
        let before = self.line.insert(ticket, InLine { weight, waker });
        after.unused.extend(before.and_then(|waiting| waiting.waker));
    }

    /// Leaves the line.
    pub(super) fn leave(&mut self, ticket: &mut Option<u64>, after: &mut After<T>) {
        let waiting = ticket.take().and_then(|ticket| self.line.remove(&ticket));
        after.unused.extend(waiting.and_then(|waiting| waiting.waker));
    }

    /// Waits for something to be settled.
    pub(super) fn watch(&mut self, ticket: &mut Option<u64>, waker: Option<Waker>, after: &mut After<T>) {
        let ticket = *ticket.get_or_insert_with(|| take_ticket(&mut self.next_ticket));
        after.unused.extend(self.watchers.insert(ticket, waker).flatten());
    }

    /// Waits no longer.
    pub(super) fn look_away(&mut self, ticket: &mut Option<u64>, after: &mut After<T>) {
        after.unused.extend(ticket.take().and_then(|ticket| self.watchers.remove(&ticket)).flatten());
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether there is nothing to wait for any more.
    pub(super) fn is_over(&self) -> bool {
        self.ended || self.abandoned
    }

    /// Stops without waiting for the driver.
    pub(super) fn abandon(&mut self, dropped: &mut Vec<T>) {
        self.abandoned = true;
        self.scheduler.stop(dropped);
    }

    /// How it went: complete if nothing is left and nothing was dropped for the end.
    pub(super) fn closing_report(&self, begun: Instant) -> Report {
        let stats = self.scheduler.stats();
        let complete =
            self.ended && stats.held == Weight::default() && stats.dropped.shutdown == Weight::default();
        Report { complete, stats, elapsed: begun.elapsed() }
    }
}

fn take_ticket(next: &mut u64) -> u64 {
    let ticket = *next;
    *next += 1;
    ticket
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.lock().scheduler.stats();
        f.debug_struct("Shared")
            .field("overflow", &self.overflow)
            .field("stats", &stats)
            .finish_non_exhaustive()
    }
}
