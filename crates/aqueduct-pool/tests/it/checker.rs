//! A checker of linearizability, after Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with the memory of dead ends that
//! Lowe added in "Testing for Linearizability" (2017).
//!
//! A history is a set of calls, each with the instants at which it began and ended. It is linearizable if there is an order of the calls
//! that respects those instants (a call that ended before another began comes first) and that a sequential object could have answered
//! the same. The search takes any call that no other pending call has to precede, applies it to the object, and goes on; it comes back where
//! the object would have answered differently. States that were reached before with the same calls done are not tried again.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a sequential object answers.
pub(crate) trait Specification: Clone + Eq + Hash {
    type Call: Debug;

    /// Applies a call with the answer it got; `None` if this object would not have answered so.
    fn apply(&self, call: &Self::Call) -> Option<Self>;
}

/// A call with its answer and instants.
#[derive(Clone, Debug)]
pub(crate) struct Event<C> {
    pub(crate) call: C,
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

/// A clock whose readings order what happened: sequentially consistent, and a new value each time.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn record<C>(&self, call: impl FnOnce() -> C) -> Event<C> {
        let began = self.0.fetch_add(1, Ordering::SeqCst);
        let call = call();
        Event { call, began, ended: self.0.fetch_add(1, Ordering::SeqCst) }
    }
}

/// Whether the history is linearizable from this state. At most 128 calls.
pub(crate) fn is_linearizable<S: Specification>(start: S, history: &[Event<S::Call>]) -> bool {
    assert!(history.len() <= 128, "the set of calls done is a u128");
    let all = match history.len() {
        128 => u128::MAX,
        len => (1 << len) - 1,
    };
    let mut seen = HashSet::new();
    let mut open = vec![(0_u128, start)];
    while let Some((done, state)) = open.pop() {
        if done == all {
            return true;
        }
        let pending = || history.iter().enumerate().filter(|(index, _)| done & 1 << index == 0);
        // Whatever began after this instant has to wait for the call that ended at it.
        let horizon = pending().map(|(_, event)| event.ended).min().unwrap_or(u64::MAX);
        for (index, event) in pending().filter(|(_, event)| event.began < horizon) {
            if let Some(next) = state.apply(&event.call) {
                let next = (done | 1 << index, next);
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
    }
    false
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Register(u8);

impl Specification for Register {
    /// A value written, or read.
    type Call = Result<u8, u8>;

    fn apply(&self, call: &Result<u8, u8>) -> Option<Register> {
        match *call {
            Ok(written) => Some(Register(written)),
            Err(read) => (read == self.0).then_some(Register(read)),
        }
    }
}

/// Guards the checker itself: overlapping calls may take effect in either order, others may not.
#[test]
fn the_checker_tells_right_from_wrong() {
    let event = |call, began, ended| Event { call, began, ended };
    let overlapping = [event(Ok(1), 0, 3), event(Err(0), 1, 2), event(Err(1), 4, 5)];
    assert!(is_linearizable(Register(0), &overlapping));
    let stale = [event(Ok(1), 0, 1), event(Err(0), 2, 3)];
    assert!(!is_linearizable(Register(0), &stale));
    let back_and_forth = [event(Ok(1), 0, 9), event(Err(1), 1, 2), event(Err(0), 3, 4)];
    assert!(!is_linearizable(Register(0), &back_and_forth));
}
