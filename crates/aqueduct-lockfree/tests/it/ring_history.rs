//! Is what threads see of a `Ring` what a bounded queue could have answered, one operation after another?
//!
//! Threads record for each operation when it began and ended, by a shared counter, and what came out. A search after Wing and Gong, with
//! Lowe's memory of states already seen, looks for an order of the operations that respects the times and that a `VecDeque` would have
//! answered alike.

use std::collections::{HashSet, VecDeque};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use aqueduct_lockfree::{PushError, Ring};

use crate::items::stress_time;

#[derive(Clone, Debug, PartialEq)]
enum Call {
    Push(u32, Result<(), PushError<u32>>),
    Overwrite(u32, Option<u32>),
    Pop(Option<u32>),
    Close,
}

#[derive(Clone, Debug)]
struct Event {
    begin: u64,
    end: u64,
    call: Call,
}

/// The bounded queue that the ring claims to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Model {
    items: VecDeque<u32>,
    closed: bool,
}

impl Model {
    /// Carries a call out; `false` if it would have answered otherwise.
    fn agrees(&mut self, call: &Call, capacity: usize) -> bool {
        let full = self.items.len() == capacity;
        match call {
            Call::Push(_, Err(PushError::Closed(_))) => self.closed,
            Call::Push(_, Err(PushError::Full(_))) => full && !self.closed,
            Call::Push(item, Ok(())) => {
                self.items.push_back(*item);
                !full && !self.closed
            }
            Call::Overwrite(item, oldest) => {
                let displaced = if full { self.items.pop_front() } else { None };
                self.items.push_back(*item);
                displaced == *oldest && !self.closed
            }
            Call::Pop(item) => self.items.pop_front() == *item,
            Call::Close => {
                self.closed = true;
                true
            }
        }
    }
}

/// Whether some order of the events, at most 64, explains them.
fn is_linearizable(events: &[Event], capacity: usize) -> bool {
    fn search(
        done: u64,
        model: &Model,
        events: &[Event],
        capacity: usize,
        seen: &mut HashSet<(u64, Model)>,
    ) -> bool {
        if done.count_ones() as usize == events.len() {
            return true;
        }
        if !seen.insert((done, model.clone())) {
            return false;
        }
        let open = || events.iter().enumerate().filter(|(index, _)| done & (1 << index) == 0);
        // Whatever comes next began before any other that is open has ended.
        let first_end = open().map(|(_, event)| event.end).min().expect("some are open");
        open().filter(|(_, event)| event.begin <= first_end).any(|(index, event)| {
            let mut next = model.clone();
            next.agrees(&event.call, capacity) && search(done | 1 << index, &next, events, capacity, seen)
        })
    }
    search(0, &Model::default(), events, capacity, &mut HashSet::new())
}

/// Runs a few operations on each of three threads and returns what they saw.
fn record(ring: &Ring<u32>, round: u64, close: bool) -> Vec<Event> {
    const OPERATIONS: u64 = 6;
    let (clock, barrier) = (AtomicU64::new(0), Barrier::new(3));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..3_u64)
            .map(|thread| {
                let (clock, barrier) = (&clock, &barrier);
                scope.spawn(move || {
                    let mut random = (round * 3 + thread + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    let mut events = Vec::new();
                    barrier.wait();
                    for number in 0..OPERATIONS {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        let item = (thread * OPERATIONS + number) as u32;
                        let begin = clock.fetch_add(1, SeqCst);
                        let call = match random % 8 {
                            _ if close && thread == 0 && number == OPERATIONS / 2 => {
                                ring.close();
                                Call::Close
                            }
                            0..=2 => Call::Push(item, ring.push(item)),
                            3 if !close => Call::Overwrite(item, ring.push_overwrite(item).expect("open")),
                            _ => Call::Pop(ring.pop()),
                        };
                        events.push(Event { begin, end: clock.fetch_add(1, SeqCst), call });
                    }
                    events
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread ends")).collect()
    })
}

/// Guards the order of all operations, overwriting included, on a ring so small that full and empty are frequent.
#[test]
fn histories_are_linearizable() {
    let (start, mut round) = (Instant::now(), 0);
    while start.elapsed() < stress_time() {
        let capacity = [1, 2, 4][round as usize % 3];
        let ring = Ring::starting_at(capacity, usize::MAX - round as usize % 8);
        let events = record(&ring, round, round % 4 == 3);
        assert!(is_linearizable(&events, capacity), "capacity {capacity}: {events:#?}");
        round += 1;
    }
    assert!(round > 20, "only {round} histories");
}

/// Guards the checker: it must find fault.
#[test]
fn the_checker_finds_fault() {
    let event = |begin, end, call| Event { begin, end, call };
    let swapped = [
        event(0, 1, Call::Push(1, Ok(()))),
        event(2, 3, Call::Push(2, Ok(()))),
        event(4, 5, Call::Pop(Some(2))),
        event(6, 7, Call::Pop(Some(1))),
    ];
    assert!(!is_linearizable(&swapped, 4));
    let together = [
        event(0, 3, Call::Push(1, Ok(()))),
        event(1, 2, Call::Push(2, Ok(()))),
        event(4, 5, Call::Pop(Some(2))),
        event(6, 7, Call::Pop(Some(1))),
    ];
    assert!(is_linearizable(&together, 4));
    assert!(!is_linearizable(&together[..2], 1), "two do not fit into one");
    let early = [event(0, 1, Call::Push(1, Ok(()))), event(2, 3, Call::Pop(None))];
    assert!(!is_linearizable(&early, 4));
}
