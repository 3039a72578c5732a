//! What was changed, why, and what came of it.

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use crate::{Knob, Value};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is being observed.
    Pending,
    /// It helped.
    Kept,
    /// It did not help, or nobody can tell: the knob is back where it was.
    Reverted,
    /// The knob was frozen before anybody could tell; it stays where it was put.
    Frozen,
    /// It was asked for but not done, for this reason.
    NotApplied(String),
    /// It was kept and then undone on request.
    Undone,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Pending => f.write_str("pending"),
            Outcome::Kept => f.write_str("kept"),
            Outcome::Reverted => f.write_str("reverted"),
            Outcome::Frozen => f.write_str("frozen"),
            Outcome::NotApplied(why) => write!(f, "not applied: {why}"),
            Outcome::Undone => f.write_str("undone"),
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// When it was asked for.
    pub at: Instant,
    /// Which knob.
    pub knob: Knob,
    /// What it was.
    pub old: Value,
    /// What it became.
    pub new: Value,
    /// Why.
    pub reason: &'static str,
    /// The score before.
    pub before: f64,
    /// The score afterwards, once it is known.
    pub after: Option<f64>,
    /// What became of it.
    pub outcome: Outcome,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { knob, old, new, reason, before, outcome, .. } = self;
        write!(f, "{knob}: {old} -> {new}, {reason}; score {before:.1}")?;
        if let Some(after) = self.after {
            write!(f, " -> {after:.1}")?;
        }
        write!(f, ", {outcome}")
    }
}

/// The last changes, at most [`History::CAPACITY`]; the oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    entries: VecDeque<Entry>,
}

impl History {
    /// How many changes are kept.
    pub const CAPACITY: usize = 100;

    pub(crate) fn new() -> Self {
        Self { entries: VecDeque::with_capacity(Self::CAPACITY) }
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        if self.entries.len() >= Self::CAPACITY {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// The change that is being observed: always the last that is pending.
    pub(crate) fn settle(&mut self, after: Option<f64>, outcome: Outcome) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.outcome == Outcome::Pending) {
            entry.after = after;
            entry.outcome = outcome;
        }
    }

    pub(crate) fn newest_first(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().rev()
    }

    /// The changes, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.entries.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            write!(f, "{entry}")?;
        }
        Ok(())
    }
}
