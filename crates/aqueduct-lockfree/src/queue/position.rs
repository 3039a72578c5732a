//! Where producers, or consumers, are: an index, and the segment it lies in.
//!
//! Indices count up and wrap around; they have 64 bits on every machine, so that none comes again while a thread that has seen it is suspended. Each segment stands for [`LAP`](Segment::LAP) of them, and has a slot for all but the last: at that index
//! the side waits for the thread that was given the last slot to move on to the next segment. So an index that is read before
//! the segment, and exchanged successfully after, belongs to it: the segment changes only while the index stands at the end of
//! a lap.

use super::segment::Segment;
use crate::sync::atomic::{AtomicPtr, AtomicU64};

/// One side of the queue; a cache line of its own.
pub(super) struct Position<T> {
    /// The next index to hand out. Moved by exchange, by whoever takes indices; from the end of a lap to the next by a store of whoever
    /// took the last slot. The head's never passes the tail's.
    pub(super) index: AtomicU64,
    /// The segment of `index`. Written, before `index`, by whoever took the last slot of the one before.
    pub(super) segment: AtomicPtr<Segment<T>>,
    /// For consumers: an index that the tail had reached. While the head's is behind it, they need not fetch the producers' cache
    /// line. Written and read by consumers. Every value ever stored stays a true bound, so that lost updates are harmless.
    pub(super) seen: AtomicU64,
}

impl<T> Position<T> {
    pub(super) fn new(index: u64, segment: *mut Segment<T>) -> Position<T> {
        Position {
            index: AtomicU64::new(index),
            segment: AtomicPtr::new(segment),
            seen: AtomicU64::new(index),
        }
    }
}

/// The place of an index in its segment; [`SLOTS`](Segment::SLOTS) says that there is no slot.
#[inline]
pub(super) fn offset<T>(index: u64) -> usize {
    (index % Segment::<T>::LAP as u64) as usize
}

/// How many items lie between two indices, the second not before the first.
pub(super) fn distance<T>(head: u64, tail: u64) -> usize {
    let (before, after) = (offset::<T>(head) as u64, offset::<T>(tail) as u64);
    let laps = (tail - after).wrapping_sub(head - before) / Segment::<T>::LAP as u64;
    // The tail may have been read later than the head, or, by a hair, earlier.
    let items = (laps * Segment::<T>::SLOTS as u64 + after).saturating_sub(before);
    // Beyond only if that many came and went between the two readings.
    usize::try_from(items).unwrap_or(usize::MAX)
}
