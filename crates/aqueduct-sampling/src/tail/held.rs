//! A trace that waits for its decision.

use std::mem::size_of;

use super::evaluate::View;
use super::span::TailSpan;
use super::state;
use crate::Randomness;

/// Its spans, and what policies want to know of all of them without asking each.
#[derive(Debug)]
pub(super) struct Held<T> {
    spans: Vec<T>,
    held_bytes: usize,
    encoded_bytes: u64,
    pub(super) first_at: u64,
    pub(super) rooted_at: Option<u64>,
    // Nanoseconds since 1970; no start is the greatest, no end is zero.
    start: u64,
    end: u64,
    randomness: Randomness,
    explicit: bool,
    statuses: u8,
}

/// What an allocator adds to a vector, at a guess that is seldom too low.
const ALLOCATION: usize = 16;

/// What a vector of this capacity takes.
const fn vector_bytes<T>(capacity: usize) -> usize {
    if capacity == 0 || size_of::<T>() == 0 {
        0
    } else {
        capacity.saturating_mul(size_of::<T>()).saturating_add(ALLOCATION)
    }
}

/// What the vector of a new trace takes.
pub(super) const fn first_bytes<T>() -> usize {
    vector_bytes::<T>(larger(0))
}

/// The capacities that vectors go through: 4, 10, 19, 32, 52 and on by half.
const fn larger(capacity: usize) -> usize {
    capacity.saturating_add(capacity / 2).saturating_add(4)
}

impl<T: TailSpan> Held<T> {
    pub(super) fn new(id: &[u8; 16], now: u64) -> Self {
        Held {
            spans: Vec::new(),
            held_bytes: 0,
            encoded_bytes: 0,
            first_at: now,
            rooted_at: None,
            start: u64::MAX,
            end: 0,
            randomness: Randomness::from_trace_id(id),
            explicit: false,
            statuses: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// What it takes.
    pub(super) fn bytes(&self) -> usize {
        vector_bytes::<T>(self.spans.capacity()).saturating_add(self.held_bytes)
    }

    /// What its vector takes more for another span.
    pub(super) fn growth(&self) -> usize {
        let capacity = self.spans.capacity();
        if self.spans.len() < capacity {
            return 0;
        }
        vector_bytes::<T>(larger(capacity)) - vector_bytes::<T>(capacity)
    }

    pub(super) fn push(&mut self, span: T, held: usize) {
        let known = |time: u64| (time > 0).then_some(time);
        self.start = known(span.start_unix_nano()).map_or(self.start, |start| start.min(self.start));
        self.end = self.end.max(span.end_unix_nano());
        self.statuses |= span.status().bit();
        self.held_bytes = self.held_bytes.saturating_add(held);
        self.encoded_bytes = self.encoded_bytes.saturating_add(span.encoded_bytes() as u64);
        if !self.explicit
            && let Some(randomness) = state::explicit_randomness(span.trace_state())
        {
            (self.randomness, self.explicit) = (randomness, true);
        }
        if self.spans.len() == self.spans.capacity() {
            self.spans.reserve_exact(larger(self.spans.len()) - self.spans.len());
        }
        self.spans.push(span);
    }

    pub(super) fn view<'a>(&'a self, id: &'a [u8; 16], now: u64) -> View<'a, T> {
        View {
            id,
            spans: &self.spans,
            statuses: self.statuses,
            nanos: self.end.saturating_sub(self.start),
            encoded_bytes: self.encoded_bytes,
            randomness: self.randomness,
            now,
        }
    }

    pub(super) fn into_spans(self) -> Vec<T> {
        self.spans
    }
}
