//! Where producers, or consumers, are: an index, and the segment it lies in.
//!
//! Indices count up and wrap around. Each segment stands for [`LAP`](Segment::LAP) of them, and has a slot for all but the last: at that index
//! the side waits for the thread that was given the last slot to move on to the next segment. So an index that is read before
//! the segment, and exchanged successfully after, belongs to it: the segment changes only while the index stands at the end of
//! a lap.

use super::segment::Segment;
use crate::sync::atomic::{AtomicPtr, AtomicUsize};

/// One side of the queue; a cache line of its own.
pub(super) struct Position<T> {
    /// The next index to hand out. Moved by exchange, by whoever takes indices; from the end of a lap to the next by a store of whoever
    /// took the last slot. The head's never passes the tail's.
    pub(super) index: AtomicUsize,
    /// The segment of `index`. Written, before `index`, by whoever took the last slot of the one before.
    pub(super) segment: AtomicPtr<Segment<T>>,
    /// For consumers: an index that the tail had reached. While the head's is behind it, they need not fetch the producers' cache
    /// line. Written and read by consumers. Every value ever stored stays a true bound, so that lost updates are harmless.
    pub(super) seen: AtomicUsize,
}

impl<T> Position<T> {
    pub(super) fn new(index: usize, segment: *mut Segment<T>) -> Position<T> {
        Position {
            index: AtomicUsize::new(index),
            segment: AtomicPtr::new(segment),
            seen: AtomicUsize::new(index),
        }
    }
}

/// The place of an index in its segment; [`SLOTS`](Segment::SLOTS) says that there is no slot.
#[inline]
pub(super) fn offset<T>(index: usize) -> usize {
    index % Segment::<T>::LAP
}

/// How many items lie between two indices, the second not before the first.
pub(super) fn distance<T>(head: usize, tail: usize) -> usize {
    let laps = (tail - offset::<T>(tail)).wrapping_sub(head - offset::<T>(head)) / Segment::<T>::LAP;
    // The tail may have been read later than the head, or, by a hair, earlier.
    (laps * Segment::<T>::SLOTS + offset::<T>(tail)).saturating_sub(offset::<T>(head))
}
