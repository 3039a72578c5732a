//! Sequential objects to compare with.

use std::collections::{BTreeMap, VecDeque};

use super::Specification;

/// A queue of numbers, unbounded or (for operations that can be refused) with the bound in the operation's result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Fifo(VecDeque<u64>);

/// What one does with a queue.
#[derive(Clone, Debug)]
pub(crate) enum FifoOperation {
    /// Added.
    Push(u64),
    /// Taken, or nothing there.
    Pop(Option<u64>),
}

impl Specification for Fifo {
    type Operation = FifoOperation;

    fn accepts(&mut self, operation: &FifoOperation) -> bool {
        match *operation {
            FifoOperation::Push(item) => {
                self.0.push_back(item);
                true
            }
            FifoOperation::Pop(item) => self.0.pop_front() == item,
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

impl Specification for Slots {
    type Operation = SlotsOperation;

    fn accepts(&mut self, operation: &SlotsOperation) -> bool {
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
