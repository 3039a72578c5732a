//! How much waits at each priority.

use super::bundle::Tag;
use crate::Weight;

/// The weight of what waits, by priority: tells whether dropping would make enough room before anything is dropped.
#[derive(Debug)]
pub(super) struct Levels(Box<[Weight; 256]>);

impl Levels {
    pub(super) fn new() -> Levels {
        Levels(Box::new([Weight::default(); 256]))
    }

    pub(super) fn add(&mut self, tag: &Tag) {
        let level = &mut self.0[usize::from(tag.priority)];
        *level = level.plus(tag.weight);
    }

    pub(super) fn remove(&mut self, tag: &Tag) {
        let level = &mut self.0[usize::from(tag.priority)];
        *level = level.minus(tag.weight);
    }

    /// What waits at this priority and the lower ones.
    pub(super) fn up_to(&self, priority: u8) -> Weight {
        self.0.iter().take(usize::from(priority) + 1).fold(Weight::default(), |sum, level| sum.plus(*level))
    }
}
