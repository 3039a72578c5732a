//! Histories of real threads, checked for an order that a sequential pool could have answered.
//!
//! Each history is held against two models. *Which* things are in use is one, *how many* the other. Together they would ask for more than
//! the pools promise: who is about to take one has it already as far as the number is concerned, and finds out later which
//! ([`a_refusal_does_not_say_which`] is such a history).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use aqueduct_pool::{BlockPool, BufferPool, ObjectPool};
use aqueduct_testkit::linearizability::{Event, Model, assert_linearizable, history, is_linearizable};

/// What one does with a pool.
#[derive(Clone, Copy, Debug)]
enum Call {
    /// Given one that was there.
    Took(usize),
    /// Given a new one, because none was there.
    Made(usize),
    /// Given none, because none was there.
    Refused,
    /// Given back, to be taken again.
    Returned(usize),
    /// Given back, and destroyed by the pool.
    Destroyed(usize),
}

/// Which things are in use: each by one user, and none after its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Users {
    using: BTreeSet<usize>,
    /// Given back.
    resting: BTreeSet<usize>,
    destroyed: BTreeSet<usize>,
}

impl Model for Users {
    type Operation = Call;

    fn apply(&mut self, call: &Call) -> bool {
        match *call {
            Call::Took(thing) => {
                self.resting.remove(&thing);
                self.using.insert(thing) && !self.destroyed.contains(&thing)
            }
            Call::Made(thing) => {
                let known = self.resting.contains(&thing) || self.destroyed.contains(&thing);
                self.using.insert(thing) && !known
            }
            Call::Refused => true,
            Call::Returned(thing) => self.using.remove(&thing) && self.resting.insert(thing),
            Call::Destroyed(thing) => self.using.remove(&thing) && self.destroyed.insert(thing),
        }
    }
}

/// How many things there are to take, of so many at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stock {
    left: usize,
    most: usize,
}

impl Model for Stock {
    type Operation = Call;

    fn apply(&mut self, call: &Call) -> bool {
        match call {
            Call::Took(_) => {
                let some = self.left > 0;
                self.left = self.left.saturating_sub(1);
                some
            }
            Call::Made(_) | Call::Refused => self.left == 0,
            Call::Returned(_) => {
                self.left += 1;
                self.left <= self.most
            }
            // For want of room: that of an object which is on its way out counts for a moment longer.
            Call::Destroyed(_) => true,
        }
    }
}

/// Takes and gives back by turns, two at most at a time and none in the end; each thread in an order of its own.
fn take_and_return<T>(
    threads: usize,
    round: usize,
    take: impl Fn(usize) -> (Call, Option<T>) + Sync,
    give_back: impl Fn(T) -> Call + Sync,
) -> Vec<Event<Call>> {
    history(threads, |thread, recorder| {
        let mut held = Vec::new();
        for step in 0..10 {
            let turn = (thread + step + round) % 4;
            if turn < 3 && held.len() < 2 {
                recorder.record(|| {
                    let (call, thing) = take(turn);
                    held.extend(thing);
                    call
                });
            } else if let Some(thing) = held.pop() {
                recorder.record(|| give_back(thing));
            }
        }
        for thing in held {
            recorder.record(|| give_back(thing));
        }
    })
}

/// Guards `Exhausted`, which is answered only while all blocks are in use, and that a block has one user.
#[test]
fn blocks() {
    for round in 0..600 {
        let blocks = 1 + round % 3;
        let pool = BlockPool::new(blocks, 8).unwrap();
        let take = |_| match pool.take(8) {
            Ok(block) => (Call::Took(block.index()), Some(block)),
            Err(_) => (Call::Refused, None),
        };
        let events = take_and_return(3, round, take, |block| {
            let index = block.index();
            drop(block);
            Call::Returned(index)
        });
        assert_linearizable(&Users::default(), &events);
        assert_linearizable(&Stock { left: blocks, most: blocks }, &events);
    }
}

thread_local! {
    /// The object whose destructor this thread ran last.
    static ENDED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// An object that says whether it is new, and when it is no more.
struct Numbered {
    number: usize,
    used: bool,
}

impl Drop for Numbered {
    fn drop(&mut self) {
        ENDED.set(Some(self.number));
    }
}

/// Guards the pool of objects: one user at a time, a new one only while none is idle, never more idle ones than allowed, and none that comes
/// back from the dead.
#[test]
fn objects() {
    for round in 0..600 {
        let made = AtomicUsize::new(0);
        let make = move || Numbered { number: made.fetch_add(1, Ordering::SeqCst), used: false };
        let max_size = 1 + round % 2;
        let pool = ObjectPool::new(make, max_size);
        let take = |turn| {
            let object = if turn == 0 { pool.get_idle() } else { Some(pool.get()) };
            let Some(mut object) = object else { return (Call::Refused, None) };
            let used = std::mem::replace(&mut object.used, true);
            let call = if used { Call::Took(object.number) } else { Call::Made(object.number) };
            (call, Some(object))
        };
        let events = take_and_return(3, round, take, |object| {
            let number = object.number;
            drop(object);
            // On this thread: once it is given back, another may be given it, and see it destroyed.
            if ENDED.take() == Some(number) { Call::Destroyed(number) } else { Call::Returned(number) }
        });
        assert_linearizable(&Users::default(), &events);
        assert_linearizable(&Stock { left: 0, most: max_size }, &events);
    }
}

/// Guards that memory has one owner at a time, on its way through racks and depot.
#[test]
fn buffers() {
    let pool = BufferPool::default();
    for _ in 0..200 {
        let events = history(3, |_, recorder| {
            // The first thread-local use of a pool makes a cache; the end of the thread hands it over.
            for held in [1, 3, 2] {
                let mut taken = Vec::new();
                for _ in 0..held {
                    recorder.record(|| {
                        taken.push(pool.take(2 << 20));
                        Call::Took(taken[taken.len() - 1].as_ptr() as usize)
                    });
                }
                for buffer in taken {
                    let address = buffer.as_ptr() as usize;
                    recorder.record(|| {
                        drop(buffer);
                        Call::Returned(address)
                    });
                }
            }
        });
        assert_linearizable(&Users::default(), &events);
    }
    assert_eq!(pool.stats().in_use(), 0);
}

/// One call after the other.
fn in_turn(calls: &[Call]) -> Vec<Event<Call>> {
    (0..).zip(calls).map(|(index, call)| Event::new(2 * index, 2 * index + 1, *call)).collect()
}

/// Guards the models: what a pool must never do has no order, and is found.
#[test]
fn a_pool_that_deceives_is_found() {
    use Call::{Destroyed, Made, Refused, Returned, Took};
    let users = |calls: &[Call]| is_linearizable(&Users::default(), &in_turn(calls));
    assert!(users(&[Made(1), Returned(1), Took(1), Destroyed(1), Made(2)]));
    assert!(!users(&[Took(1), Took(1)]), "two users");
    assert!(!users(&[Took(1), Returned(1), Returned(1)]), "returned twice");
    assert!(!users(&[Made(1), Destroyed(1), Took(1)]), "back from the dead");
    assert!(!users(&[Made(1), Returned(1), Made(1)]), "as good as new");
    let shared = [Event::new(0, 3, Took(1)), Event::new(1, 2, Took(1)), Event::new(4, 5, Returned(1))];
    assert!(!is_linearizable(&Users::default(), &shared));
    let handed_on = [Event::new(0, 1, Took(1)), Event::new(2, 5, Returned(1)), Event::new(3, 4, Took(1))];
    assert!(is_linearizable(&Users::default(), &handed_on));

    let stock = |calls: &[Call]| is_linearizable(&Stock { left: 1, most: 1 }, &in_turn(calls));
    assert!(stock(&[Took(1), Refused, Made(2), Returned(1), Destroyed(2), Took(1)]));
    assert!(!stock(&[Refused]), "refused with one to spare");
    assert!(!stock(&[Took(1), Returned(1), Made(2)]), "made with one to spare");
    assert!(!stock(&[Took(1), Took(2)]), "more than there are");
    assert!(!stock(&[Took(1), Made(2), Returned(1), Returned(2)]), "more kept than allowed");
}

/// Guards the two models against being made one: this history is right. The first call was promised one of two blocks, and stopped before it looked
/// which; meanwhile the other thread, which holds block 0, is refused, gives it back, and is given block 1, which had been there all the time.
#[test]
fn a_refusal_does_not_say_which() {
    let events = [
        Event::new(0, 1, Call::Took(0)),
        Event::new(2, 11, Call::Took(0)),
        Event::new(3, 4, Call::Refused),
        Event::new(5, 6, Call::Returned(0)),
        Event::new(7, 8, Call::Took(1)),
    ];
    assert!(is_linearizable(&Users::default(), &events));
    assert!(is_linearizable(&Stock { left: 2, most: 2 }, &events));
}
