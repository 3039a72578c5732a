//! Histories of real threads, checked for an order in which a plain deque would have answered the same.
//!
//! The search is that of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of states already seen
//! ("Testing for linearizability", 2017): of the operations that nobody finished before, try each as the next one.

use std::collections::{HashSet, VecDeque};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use aqueduct_exec::{Order, WorkStealingQueue};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operation {
    Push(u32),
    Pop(Option<u32>),
    Steal(Option<u32>),
}

#[derive(Clone, Copy, Debug)]
struct Event {
    operation: Operation,
    called: u64,
    returned: u64,
}

/// What a plain deque says to it: whether it answers the same.
fn answers(deque: &mut VecDeque<u32>, order: Order, operation: Operation) -> bool {
    match operation {
        Operation::Push(item) => {
            deque.push_back(item);
            true
        }
        Operation::Pop(answer) if order == Order::Lifo => deque.pop_back() == answer,
        Operation::Pop(answer) | Operation::Steal(answer) => deque.pop_front() == answer,
    }
}

fn is_linearizable(events: &[Event], order: Order) -> bool {
    assert!(events.len() <= 64);
    let mut seen = HashSet::new();
    let mut open = vec![(0_u64, VecDeque::new())];
    while let Some((done, deque)) = open.pop() {
        if done.count_ones() as usize == events.len() {
            return true;
        }
        let left = || (0..events.len()).filter(move |index| done >> index & 1 == 0);
        // Nothing may come before an operation that had returned when it was called.
        let horizon = left().map(|index| events[index].returned).min().expect("some are left");
        for index in left().filter(|&index| events[index].called <= horizon) {
            let mut after = deque.clone();
            if answers(&mut after, order, events[index].operation) {
                let state = (done | 1 << index, after);
                if seen.insert(state.clone()) {
                    open.push(state);
                }
            }
        }
    }
    false
}

fn record(order: Order, round: u64) -> Vec<Event> {
    let queue = WorkStealingQueue::new(order);
    let stealer = queue.stealer();
    let (clock, start) = (AtomicU64::new(0), Barrier::new(3));
    let timed = |operation: &mut dyn FnMut() -> Operation| {
        let called = clock.fetch_add(1, Ordering::SeqCst);
        let operation = operation();
        Event { operation, called, returned: clock.fetch_add(1, Ordering::SeqCst) }
    };
    let thief = || {
        start.wait();
        (0..6).map(|_| timed(&mut || Operation::Steal(stealer.steal()))).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let thieves = [scope.spawn(thief), scope.spawn(thief)];
        start.wait();
        let mut events: Vec<Event> = (0..16_u32)
            .map(|n| {
                // A pattern that differs from round to round and keeps the queue near empty, where the races are.
                if (round >> (n % 16)) & 1 == 0 || n < 2 {
                    timed(&mut || {
                        queue.push(n);
                        Operation::Push(n)
                    })
                } else {
                    timed(&mut || Operation::Pop(queue.pop()))
                }
            })
            .collect();
        for thief in thieves {
            events.extend(thief.join().expect("a thief does not panic"));
        }
        events
    })
}

/// Guards the deque under real races, near empty, in both orders.
#[test]
fn a_stolen_from_deque_is_linearizable() {
    for round in 0..2000_u64 {
        let order = if round % 2 == 0 { Order::Lifo } else { Order::Fifo };
        let events = record(order, round.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20);
        assert!(is_linearizable(&events, order), "{order:?}: {events:#?}");
    }
}

/// Guards the checker itself: it must refuse what no order explains.
#[test]
fn the_checker_refuses_what_is_wrong() {
    let event = |operation, called, returned| Event { operation, called, returned };
    let push = event(Operation::Push(1), 0, 1);
    let twice = [push, event(Operation::Pop(Some(1)), 2, 4), event(Operation::Steal(Some(1)), 3, 5)];
    assert!(!is_linearizable(&twice, Order::Lifo));
    let lost = [push, event(Operation::Pop(None), 2, 3)];
    assert!(!is_linearizable(&lost, Order::Lifo));
    let overlapping = [event(Operation::Push(1), 0, 3), event(Operation::Steal(None), 1, 2)];
    assert!(is_linearizable(&overlapping, Order::Lifo));
}
