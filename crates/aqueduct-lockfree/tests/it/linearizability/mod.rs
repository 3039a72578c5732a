//! Whether what threads saw can be told as a story in which one thing happens after the other.
//!
//! A [`Recorder`] notes for each operation when it was called, when it returned, and what. [`check`] looks for an order of all
//! operations that a sequential [`Specification`] accepts and in which no operation comes before one that had returned when it was called.
//! The search is that of Wing and Gong (*Testing and verifying concurrent objects*, 1993) with Lowe's memory of configurations
//! seen before (*Testing for linearizability*, 2017).

mod specifications;

pub(crate) use specifications::{Fifo, FifoOperation, Slots, SlotsOperation};

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

/// A sequential object. The type itself is the state.
pub(crate) trait Specification: Clone + Default + Eq + Hash {
    /// An operation, with its arguments and its result.
    type Operation: Clone + std::fmt::Debug;

    /// Applies the operation if its result is right for this state.
    fn accepts(&mut self, operation: &Self::Operation) -> bool;
}

/// An operation, and the ticks between which it took effect.
#[derive(Clone, Debug)]
pub(crate) struct Event<O> {
    called: u64,
    returned: u64,
    operation: O,
}

/// Where the threads of a run get their ticks.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

/// What one thread has done.
#[derive(Debug)]
pub(crate) struct Recorder<'c, O> {
    clock: &'c Clock,
    events: Vec<Event<O>>,
}

impl<'c, O> Recorder<'c, O> {
    pub(crate) fn new(clock: &'c Clock) -> Recorder<'c, O> {
        Recorder { clock, events: Vec::new() }
    }

    /// Runs an operation and notes what it returns.
    pub(crate) fn record(&mut self, run: impl FnOnce() -> O) {
        let called = self.clock.0.fetch_add(1, Ordering::SeqCst);
        let operation = run();
        let returned = self.clock.0.fetch_add(1, Ordering::SeqCst);
        self.events.push(Event { called, returned, operation });
    }

    pub(crate) fn into_events(self) -> Vec<Event<O>> {
        self.events
    }
}

/// Runs `threads` at once, each with a recorder, and gathers what they recorded.
pub(crate) fn history<O: Send>(
    threads: usize,
    run: impl Fn(usize, &mut Recorder<'_, O>) + Sync,
) -> Vec<Event<O>> {
    let clock = Clock::default();
    let start = std::sync::Barrier::new(threads);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (clock, start, run) = (&clock, &start, &run);
                scope.spawn(move || {
                    let mut recorder = Recorder::new(clock);
                    start.wait();
                    run(thread, &mut recorder);
                    recorder.into_events()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("the worker ends")).collect()
    })
}

/// Whether the history is linearizable. At most 64 operations.
pub(crate) fn check<S: Specification>(history: &[Event<S::Operation>]) -> bool {
    assert!(history.len() <= 64, "a set of operations is a word");
    let mut history = history.to_vec();
    history.sort_by_key(|event| event.called);
    Search::<S> { history: &history, seen: HashSet::new() }.from(0, &S::default())
}

struct Search<'h, S: Specification> {
    history: &'h [Event<S::Operation>],
    /// Configurations, which operations are done and the state they led to, that lead nowhere.
    seen: HashSet<(u64, S)>,
}

impl<S: Specification> Search<'_, S> {
    fn from(&mut self, done: u64, state: &S) -> bool {
        let open = || self.history.iter().enumerate().filter(|(index, _)| done & (1 << index) == 0);
        // Whatever is called after the first return comes later.
        let Some(first_return) = open().map(|(_, event)| event.returned).min() else { return true };
        let candidates: Vec<_> =
            open().take_while(|(_, event)| event.called < first_return).map(|(index, _)| index).collect();
        for index in candidates {
            let mut next = state.clone();
            let done = done | 1 << index;
            if next.accepts(&self.history[index].operation)
                && self.seen.insert((done, next.clone()))
                && self.from(done, &next)
            {
                return true;
            }
        }
        false
    }
}

mod tests {
    use super::*;

    fn event<O>(called: u64, returned: u64, operation: O) -> Event<O> {
        Event { called, returned, operation }
    }

    /// Guards the checker itself: it must say no where there is no order.
    #[test]
    fn a_wrong_order_is_found() {
        use FifoOperation::{Pop, Push};
        let fifo = [event(0, 1, Push(1)), event(2, 3, Push(2)), event(4, 5, Pop(Some(2)))];
        assert!(!check::<Fifo>(&fifo));
        let overlapping = [event(0, 3, Push(1)), event(1, 2, Push(2)), event(4, 5, Pop(Some(2)))];
        assert!(check::<Fifo>(&overlapping));
        let lost = [event(0, 1, Push(1)), event(2, 3, Pop(None))];
        assert!(!check::<Fifo>(&lost));
        let twice = [event(0, 1, Push(1)), event(2, 9, Pop(Some(1))), event(3, 8, Pop(Some(1)))];
        assert!(!check::<Fifo>(&twice));
    }

    /// Guards the map's specification.
    #[test]
    fn a_stale_read_is_found() {
        use SlotsOperation::{Get, Insert, Remove};
        let stale = [
            event(0, 1, Insert(7, 1, None)),
            event(2, 3, Insert(7, 2, Some(1))),
            event(4, 5, Get(7, Some(1))),
        ];
        assert!(!check::<Slots>(&stale));
        let fresh =
            [event(0, 1, Insert(7, 1, None)), event(2, 5, Remove(7, Some(1))), event(3, 4, Get(7, Some(1)))];
        assert!(check::<Slots>(&fresh));
    }
}
