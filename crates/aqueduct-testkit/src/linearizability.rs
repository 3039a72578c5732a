//! Whether what threads saw can be told as a story in which one thing happens after the other.
//!
//! [`history`] runs threads that note for each operation when it began, what it was and answered, and when it ended. Such a history is
//! linearizable if there is an order of its operations that a sequential object, the [`Model`], would have answered alike, and in which no
//! operation comes before one that had ended when it began. [`is_linearizable`] looks for such an order.
//!
//! The search is that of Wing and Gong (*Testing and Verifying Concurrent Objects*, 1993), with the memory of configurations seen before
//! that Lowe added (*Testing for Linearizability*, 2017): it takes any operation that no other open one has to precede, carries it out on
//! the model, and goes on; where the model would have answered otherwise, it comes back. Without the memory it would be exponential in
//! most histories; with it, in the worst only.
//!
//! ```
//! use aqueduct_testkit::linearizability::{Event, Model, is_linearizable};
//!
//! /// A number that is written and read.
//! #[derive(Clone, PartialEq, Eq, Hash)]
//! struct Register(u8);
//!
//! #[derive(Debug)]
//! enum Operation {
//!     Write(u8),
//!     Read(u8),
//! }
//!
//! impl Model for Register {
//!     type Operation = Operation;
//!
//!     fn apply(&mut self, operation: &Operation) -> bool {
//!         match *operation {
//!             Operation::Write(value) => {
//!                 self.0 = value;
//!                 true
//!             }
//!             Operation::Read(value) => self.0 == value,
//!         }
//!     }
//! }
//!
//! let overlapping = [Event::new(0, 3, Operation::Write(1)), Event::new(1, 2, Operation::Read(0))];
//! assert!(is_linearizable(&Register(0), &overlapping));
//! let stale = [Event::new(0, 1, Operation::Write(1)), Event::new(2, 3, Operation::Read(0))];
//! assert!(!is_linearizable(&Register(0), &stale));
//! ```

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The most operations that a history may have: which of them are done is a word.
pub const MOST_OPERATIONS: usize = u128::BITS as usize;

/// A sequential object. The value is its state.
pub trait Model: Clone + Eq + Hash {
    /// What is done with it: arguments and answer.
    type Operation: Debug;

    /// Carries an operation out; `false` if this object, as it was, would have answered otherwise, and then the state is of no interest.
    fn apply(&mut self, operation: &Self::Operation) -> bool;
}

/// An operation, and the ticks between which it took effect.
#[derive(Clone, Debug)]
pub struct Event<O> {
    began: u64,
    ended: u64,
    operation: O,
}

impl<O> Event<O> {
    /// An event of a history that is written by hand. No two ticks of a history are the same.
    ///
    /// # Panics
    /// If it ends before it begins.
    pub fn new(began: u64, ended: u64, operation: O) -> Event<O> {
        assert!(began < ended, "an operation takes time");
        Event { began, ended, operation }
    }
}

/// What one thread of a [`history`] does, as it is done.
#[derive(Debug)]
pub struct Recorder<'c, O> {
    clock: &'c AtomicU64,
    events: Vec<Event<O>>,
}

impl<O> Recorder<'_, O> {
    /// Runs an operation and notes what it says it was.
    pub fn record(&mut self, run: impl FnOnce() -> O) {
        // SeqCst: the ticks order the operations of all threads, and each is a tick of its own.
        let began = self.clock.fetch_add(1, Ordering::SeqCst);
        let operation = run();
        let ended = self.clock.fetch_add(1, Ordering::SeqCst);
        self.events.push(Event { began, ended, operation });
    }
}

/// Runs so many threads at once, each with its number and a recorder, and gathers what they recorded, in the order in which it began.
///
/// # Panics
/// If a thread does.
pub fn history<O: Send>(threads: usize, run: impl Fn(usize, &mut Recorder<'_, O>) + Sync) -> Vec<Event<O>> {
    let (clock, start) = (AtomicU64::new(0), Barrier::new(threads));
    let mut events: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (clock, start, run) = (&clock, &start, &run);
                scope.spawn(move || {
                    let mut recorder = Recorder { clock, events: Vec::new() };
                    start.wait();
                    run(thread, &mut recorder);
                    recorder.events
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no thread panics")).collect()
    });
    events.sort_by_key(|event| event.began);
    events
}

/// Whether some order of the operations explains the history, from this state on.
///
/// # Panics
/// If the history has more than [`MOST_OPERATIONS`].
pub fn is_linearizable<M: Model>(start: &M, history: &[Event<M::Operation>]) -> bool {
    assert!(history.len() <= MOST_OPERATIONS, "which operations are done is a word");
    let all = history.iter().enumerate().fold(0_u128, |all, (index, _)| all | 1 << index);
    // Configurations: which operations are done, and the state that they led to. Each is looked at once.
    let mut seen = HashSet::new();
    let mut untried = vec![(0_u128, start.clone())];
    while let Some((done, state)) = untried.pop() {
        if done == all {
            return true;
        }
        let open = || history.iter().enumerate().filter(|(index, _)| done & 1 << index == 0);
        let horizon = open().map(|(_, event)| event.ended).min().expect("some are open");
        // What began after another one had ended comes after that.
        for (index, event) in open().filter(|(_, event)| event.began < horizon) {
            let mut next = state.clone();
            if next.apply(&event.operation) {
                let next = (done | 1 << index, next);
                if seen.insert(next.clone()) {
                    untried.push(next);
                }
            }
        }
    }
    false
}

/// As [`is_linearizable`], for tests.
///
/// # Panics
/// If no order explains the history, which is then printed.
#[track_caller]
pub fn assert_linearizable<M: Model>(start: &M, history: &[Event<M::Operation>]) {
    assert!(is_linearizable(start, history), "no order explains this history: {history:#?}");
}
