//! The futures that wait: for room, for a flush, for the end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use super::bundle::Tag;
use super::shared::Shared;
use super::stats::Report;
use crate::{Refusal, Refused, Weight};

/// Adds an item as soon as there is room: what [`BatchProcessor::add_async`](crate::BatchProcessor::add_async) returns.
///
/// # Cancel safety
///
/// Dropped before it is ready, it has added nothing; the item is dropped with it. [`into_inner`](Adding::into_inner) saves it.
#[must_use = "nothing is added unless it is awaited"]
pub struct Adding<'a, T> {
    shared: &'a Shared<T>,
    item: Option<(T, Tag)>,
    ticket: Option<u64>,
}

// The item is moved out when it is added, never pinned.
impl<T> Unpin for Adding<'_, T> {}

impl<'a, T> Adding<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, item: T, weight: Weight) -> Adding<'a, T> {
        let tag = shared.tag(&item, weight);
        Adding { shared, item: Some((item, tag)), ticket: None }
    }

    /// Adds nothing and gives the item back; `None` once it was added or refused.
    pub fn into_inner(mut self) -> Option<T> {
        self.item.take().map(|(item, _)| item)
    }

    /// Gives up for this reason, which is counted.
    pub(super) fn refuse(mut self, reason: Refusal) -> Result<(), Refused<T>> {
        let Some((item, tag)) = self.item.take() else { return Ok(()) };
        self.shared.with(|state, after| {
            state.leave(&mut self.ticket, after);
            state.scheduler.refuse(reason, tag.weight);
        });
        Err(Refused::new(item, reason))
    }
}

impl<T> Future for Adding<'_, T> {
    type Output = Result<(), Refused<T>>;

    /// Polled again after it was ready, it stays pending.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Adding { shared, item: slot, ticket } = self.get_mut();
        let Some((item, tag)) = slot.take() else { return Poll::Pending };
        let mut waker = Some(context.waker().clone());
        shared.with(|state, after| {
            if let Err(reason) = state.scheduler.check(tag.weight) {
                state.leave(ticket, after);
                state.scheduler.refuse(reason, tag.weight);
                return Poll::Ready(Err(Refused::new(item, reason)));
            }
            if state.is_first(*ticket) && state.scheduler.fits(tag.weight) {
                state.leave(ticket, after);
                state.scheduler.put(item, tag, Instant::now());
                return Poll::Ready(Ok(()));
            }
            state.scheduler.press(tag.weight);
            state.queue(ticket, tag.weight, waker.take(), after);
            *slot = Some((item, tag));
            Poll::Pending
        })
    }
}

impl<T> Drop for Adding<'_, T> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            // Whoever is next may have been waiting for this one.
            self.shared.with(|state, after| state.leave(&mut self.ticket, after));
        }
    }
}

/// Waits until everything that was added before is settled: what [`BatchProcessor::flush_async`](crate::BatchProcessor::flush_async)
/// returns. It begins at the first poll.
///
/// # Cancel safety
///
/// Dropped, it waits no longer; the flush goes on.
#[must_use = "nothing is flushed unless it is awaited"]
pub struct Flushing<'a, T> {
    shared: &'a Shared<T>,
    begun: Option<Begun>,
    ticket: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Instant,
    mark: u64,
    /// What had been dropped for the end by then.
    dropped: Weight,
}

impl<'a, T> Flushing<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>) -> Flushing<'a, T> {
        Flushing { shared, begun: None, ticket: None }
    }

    /// How far it has come, for a caller whose patience is at its end.
    pub(super) fn give_up(self, begun: Instant) -> Report {
        self.shared.with(|state, _| Report {
            complete: false,
            stats: state.scheduler.stats(),
            elapsed: begun.elapsed(),
        })
    }
}

impl<T> Future for Flushing<'_, T> {
    type Output = Report;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Report> {
        let Flushing { shared, begun, ticket } = self.get_mut();
        let mut waker = Some(context.waker().clone());
        shared.with(|state, after| {
            let scheduler = &mut state.scheduler;
            let begun = begun.get_or_insert_with(|| Begun {
                at: Instant::now(),
                mark: scheduler.flush(),
                dropped: scheduler.stats().dropped.shutdown,
            });
            let has_settled = scheduler.has_settled(begun.mark);
            if has_settled || state.has_ended() {
                state.look_away(ticket, after);
                let stats = state.scheduler.stats();
                let complete = has_settled && stats.dropped.shutdown == begun.dropped;
                return Poll::Ready(Report { complete, stats, elapsed: begun.at.elapsed() });
            }
            state.watch(ticket, waker.take(), after);
            Poll::Pending
        })
    }
}

impl<T> Drop for Flushing<'_, T> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.shared.with(|state, after| state.look_away(&mut self.ticket, after));
        }
    }
}

/// Waits for the end of the processor: what [`BatchProcessor::shutdown_async`](crate::BatchProcessor::shutdown_async) returns.
///
/// # Cancel safety
///
/// Dropped, it waits no longer; the shutdown goes on.
#[must_use = "the shutdown goes on by itself, but nobody learns how it went"]
pub struct Ending<'a, T> {
    shared: &'a Shared<T>,
    begun: Instant,
    ticket: Option<u64>,
}

impl<'a, T> Ending<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, begun: Instant) -> Ending<'a, T> {
        Ending { shared, begun, ticket: None }
    }
}

impl<T> Future for Ending<'_, T> {
    type Output = Report;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Report> {
        let Ending { shared, begun, ticket } = self.get_mut();
        let mut waker = Some(context.waker().clone());
        shared.with(|state, after| {
            if state.is_over() {
                state.look_away(ticket, after);
                return Poll::Ready(state.closing_report(*begun));
            }
            state.watch(ticket, waker.take(), after);
            Poll::Pending
        })
    }
}

impl<T> Drop for Ending<'_, T> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.shared.with(|state, after| state.look_away(&mut self.ticket, after));
        }
    }
}

impl<T> fmt::Debug for Adding<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adding").field("waits", &self.ticket.is_some()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Flushing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flushing").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Ending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending").field("begun", &self.begun).finish_non_exhaustive()
    }
}
