//! Histories of real threads, checked for an order that a sequential pool could have answered.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use aqueduct_pool::{BlockPool, BufferPool};

use crate::checker::{Clock, Event, Specification, is_linearizable};

/// Which of a number of things are taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Taken {
    things: BTreeSet<usize>,
    /// How many there are, if there is an end to them.
    most: Option<usize>,
}

#[derive(Clone, Debug)]
enum Call {
    Took(usize),
    Refused,
    Returned(usize),
}

impl Specification for Taken {
    type Call = Call;

    fn apply(&self, call: &Call) -> Option<Taken> {
        let mut next = self.clone();
        let possible = match *call {
            Call::Took(thing) => {
                next.things.insert(thing) && self.most.is_none_or(|most| self.things.len() < most)
            }
            Call::Refused => self.most == Some(self.things.len()),
            Call::Returned(thing) => next.things.remove(&thing),
        };
        possible.then_some(next)
    }
}

/// Three threads of a few calls each, which begin together.
fn histories(
    runs: usize,
    work: impl Fn(&Clock, &mut Vec<Event<Call>>) + Sync,
) -> impl Iterator<Item = Vec<Event<Call>>> {
    (0..runs).map(move |_| {
        let (clock, barrier) = (Clock::default(), Barrier::new(3));
        thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut events = Vec::new();
                        barrier.wait();
                        work(&clock, &mut events);
                        events
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("the work does not panic")).collect()
        })
    })
}

/// Guards `Exhausted`: a block is refused only while all are in use.
#[test]
fn blocks() {
    for count in [1, 2] {
        let pool = BlockPool::new(count, 8).unwrap();
        let work = |clock: &Clock, events: &mut Vec<Event<Call>>| {
            for _ in 0..8 {
                let mut taken = None;
                events.push(clock.record(|| {
                    taken = pool.take(8).ok();
                    taken.as_ref().map_or(Call::Refused, |block| Call::Took(block.index()))
                }));
                if let Some(block) = taken {
                    let index = block.index();
                    events.push(clock.record(|| {
                        drop(block);
                        Call::Returned(index)
                    }));
                }
            }
        };
        for history in histories(300, work) {
            let free = Taken { things: BTreeSet::new(), most: Some(count) };
            assert!(is_linearizable(free, &history), "{history:#?}");
        }
    }
}

/// Guards that memory has one owner at a time, on its way through racks and depot.
#[test]
fn buffers() {
    let pool = BufferPool::default();
    let work = |clock: &Clock, events: &mut Vec<Event<Call>>| {
        // The first thread-local use of a pool makes a cache; the end of the thread hands it over.
        for held in [1, 3, 2] {
            let mut taken = Vec::new();
            for _ in 0..held {
                events.push(clock.record(|| {
                    taken.push(pool.take(2 << 20));
                    Call::Took(taken[taken.len() - 1].as_ptr() as usize)
                }));
            }
            for buffer in taken {
                let address = buffer.as_ptr() as usize;
                events.push(clock.record(|| {
                    drop(buffer);
                    Call::Returned(address)
                }));
            }
        }
    };
    for history in histories(200, work) {
        assert!(is_linearizable(Taken { things: BTreeSet::new(), most: None }, &history), "{history:#?}");
    }
    assert_eq!(pool.stats().in_use(), 0);
}
