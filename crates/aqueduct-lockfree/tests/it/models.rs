//! The sequential objects that the structures are compared with, for histories of real threads.

use std::collections::{BTreeMap, VecDeque};

use aqueduct_lockfree::PushError;
use aqueduct_testkit::linearizability::{Event, Model, is_linearizable};

/// A queue of numbers, with a bound that may be out of reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fifo {
    items: VecDeque<u64>,
    capacity: usize,
    closed: bool,
}

/// What one does with a queue.
#[derive(Clone, Debug)]
pub(crate) enum FifoOperation {
    /// Added, or refused.
    Push(u64, Result<(), PushError<u64>>),
    /// Added, and what had to go for it.
    Overwrite(u64, Option<u64>),
    /// Taken, or nothing there.
    Pop(Option<u64>),
    /// Nothing more to be added.
    Close,
    /// How many there were.
    Len(usize),
    /// Whether there were none.
    IsEmpty(bool),
}

impl Fifo {
    pub(crate) fn unbounded() -> Fifo {
        Fifo::bounded(usize::MAX)
    }

    pub(crate) fn bounded(capacity: usize) -> Fifo {
        Fifo { items: VecDeque::new(), capacity, closed: false }
    }
}

impl Model for Fifo {
    type Operation = FifoOperation;

    fn apply(&mut self, operation: &FifoOperation) -> bool {
        let full = self.items.len() == self.capacity;
        match *operation {
            FifoOperation::Push(item, Ok(())) => {
                self.items.push_back(item);
                !full && !self.closed
            }
            FifoOperation::Push(given, Err(PushError::Full(back))) => full && !self.closed && given == back,
            FifoOperation::Push(given, Err(PushError::Closed(back))) => self.closed && given == back,
            FifoOperation::Overwrite(item, oldest) => {
                let displaced = if full { self.items.pop_front() } else { None };
                self.items.push_back(item);
                displaced == oldest && !self.closed
            }
            FifoOperation::Pop(item) => self.items.pop_front() == item,
            FifoOperation::Close => {
                self.closed = true;
                true
            }
            FifoOperation::Len(len) => self.items.len() == len,
            FifoOperation::IsEmpty(empty) => self.items.is_empty() == empty,
        }
    }
}

/// A map of numbers to numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Slots(BTreeMap<u64, u64>);

/// What one does with a map: the key first, the result last.
#[derive(Clone, Debug)]
pub(crate) enum SlotsOperation {
    /// Looked up.
    Get(u64, Option<u64>),
    /// Put in; what was there before.
    Insert(u64, u64, Option<u64>),
    /// Put in unless there was something; what is there after.
    GetOrInsert(u64, u64, u64),
    /// Added to what was there; the sum.
    Add(u64, u64, Option<u64>),
    /// Taken out.
    Remove(u64, Option<u64>),
}

impl Model for Slots {
    type Operation = SlotsOperation;

    fn apply(&mut self, operation: &SlotsOperation) -> bool {
        match *operation {
            SlotsOperation::Get(key, value) => self.0.get(&key).copied() == value,
            SlotsOperation::Insert(key, value, old) => self.0.insert(key, value) == old,
            SlotsOperation::GetOrInsert(key, value, got) => *self.0.entry(key).or_insert(value) == got,
            SlotsOperation::Add(key, value, sum) => {
                let new = self.0.get_mut(&key).map(|old| {
                    *old += value;
                    *old
                });
                new == sum
            }
            SlotsOperation::Remove(key, old) => self.0.remove(&key) == old,
        }
    }
}

/// One operation after the other.
fn in_turn<O>(operations: impl IntoIterator<Item = O>) -> Vec<Event<O>> {
    let event = |(index, operation): (u64, O)| Event::new(2 * index, 2 * index + 1, operation);
    (0..).zip(operations).map(event).collect()
}

/// Guards the model of queues: what a queue must never do has no order, and is found.
#[test]
fn a_queue_out_of_order_is_found() {
    use FifoOperation::{Close, IsEmpty, Len, Overwrite, Pop, Push};
    let unbounded = |events: &[Event<FifoOperation>]| is_linearizable(&Fifo::unbounded(), events);
    let (one, two) = (Push(1, Ok(())), Push(2, Ok(())));
    assert!(!unbounded(&in_turn([one.clone(), two.clone(), Pop(Some(2)), Pop(Some(1))])), "swapped");
    let together = [
        Event::new(0, 3, one.clone()),
        Event::new(1, 2, two.clone()),
        Event::new(4, 5, Pop(Some(2))),
        Event::new(6, 7, Pop(Some(1))),
    ];
    assert!(unbounded(&together));
    assert!(!is_linearizable(&Fifo::bounded(1), &together[..2]), "two do not fit into one");
    assert!(!unbounded(&in_turn([one.clone(), Pop(None)])), "lost");
    let twice =
        [Event::new(0, 1, one.clone()), Event::new(2, 9, Pop(Some(1))), Event::new(3, 8, Pop(Some(1)))];
    assert!(!unbounded(&twice));

    let bounded = |operations: Vec<FifoOperation>| is_linearizable(&Fifo::bounded(1), &in_turn(operations));
    assert!(bounded(vec![one.clone(), Push(2, Err(PushError::Full(2))), Overwrite(3, Some(1))]));
    assert!(!bounded(vec![one.clone(), Pop(Some(1)), Push(2, Err(PushError::Full(2)))]), "there was room");
    assert!(!bounded(vec![one.clone(), Push(2, Err(PushError::Full(3)))]), "another value came back");
    assert!(!bounded(vec![one.clone(), Overwrite(2, None)]), "overwritten in silence");
    assert!(!bounded(vec![Close, two.clone()]), "accepted after closing");
    assert!(!bounded(vec![one.clone(), Push(2, Err(PushError::Closed(2))), Close]), "closed too early");
    assert!(!bounded(vec![one.clone(), Len(0)]) && !bounded(vec![one, IsEmpty(true)]), "overlooked");
}

/// Guards the model of maps.
#[test]
fn a_map_that_looks_back_is_found() {
    use SlotsOperation::{Add, Get, GetOrInsert, Insert, Remove};
    let check = |operations: Vec<SlotsOperation>| is_linearizable(&Slots::default(), &in_turn(operations));
    assert!(!check(vec![Insert(7, 1, None), Insert(7, 2, Some(1)), Get(7, Some(1))]), "a stale read");
    assert!(!check(vec![Insert(7, 1, None), Add(7, 1, Some(2)), Add(7, 1, Some(2))]), "a lost update");
    assert!(!check(vec![GetOrInsert(7, 1, 1), GetOrInsert(7, 2, 2)]), "two entries for a key");
    assert!(!check(vec![Insert(7, 1, None), Remove(7, Some(1)), Remove(7, Some(1))]), "removed twice");
    let fresh = [
        Event::new(0, 1, Insert(7, 1, None)),
        Event::new(2, 5, Remove(7, Some(1))),
        Event::new(3, 4, Get(7, Some(1))),
    ];
    assert!(is_linearizable(&Slots::default(), &fresh));
}
