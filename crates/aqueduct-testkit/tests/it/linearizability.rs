//! The checker says yes where there is an order, and no where there is none.

use aqueduct_testkit::linearizability::{
    Event, MOST_OPERATIONS, Model, assert_linearizable, history, is_linearizable,
};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that is read, written, and added to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Register(u64);

#[derive(Clone, Debug)]
enum Operation {
    Read(u64),
    Write(u64),
    /// The number before.
    Increment(u64),
}
use Operation::{Increment, Read, Write};

impl Model for Register {
    type Operation = Operation;

    fn apply(&mut self, operation: &Operation) -> bool {
        match *operation {
            Read(value) => self.0 == value,
            Write(value) => {
                self.0 = value;
                true
            }
            Increment(before) => {
                self.0 += 1;
                self.0 == before + 1
            }
        }
    }
}

fn event(began: u64, ended: u64, operation: Operation) -> Event<Operation> {
    Event::new(began, ended, operation)
}

/// Guards every user of the checker: operations that overlap may take effect in either order, others may not.
#[test]
fn real_time_binds() {
    let overlapping = [event(0, 3, Write(1)), event(1, 2, Read(0)), event(4, 5, Read(1))];
    assert!(is_linearizable(&Register(0), &overlapping));
    let stale = [event(0, 1, Write(1)), event(2, 3, Read(0))];
    assert!(!is_linearizable(&Register(0), &stale));
    let back_and_forth = [event(0, 9, Write(1)), event(1, 2, Read(1)), event(3, 4, Read(0))];
    assert!(!is_linearizable(&Register(0), &back_and_forth));
    assert!(is_linearizable(&Register(7), &[event(0, 1, Read(7))]), "the state to start from counts");
    assert!(!is_linearizable(&Register(7), &[event(0, 1, Read(0))]));
    assert!(is_linearizable(&Register(0), &[]), "nothing happened");
}

/// Guards the search: the right order is the very last of those that begin well, and the order of the list means nothing.
#[test]
fn the_search_comes_back_from_dead_ends() {
    let mut events: Vec<_> = (0..6).map(|number| event(number, 20 - number, Write(number))).collect();
    events.extend([event(21, 22, Read(3)), event(23, 24, Write(9)), event(25, 26, Read(9))]);
    for rotation in 0..events.len() {
        events.rotate_left(rotation);
        assert!(is_linearizable(&Register(0), &events));
    }
    events.push(event(27, 28, Read(3)));
    assert!(!is_linearizable(&Register(0), &events));
}

/// Guards the memory of configurations: 128 operations, which overlap in groups, would be beyond any search without it. The last one is wrong.
#[test]
fn a_long_history_ends_in_time() {
    let increments = |last: u64| -> Vec<_> {
        (0..MOST_OPERATIONS as u64)
            .map(|number| {
                let group = number / 8 * 100;
                let before = if number + 1 == MOST_OPERATIONS as u64 { last } else { number };
                event(group + number % 8, group + 50 + number % 8, Increment(before))
            })
            .collect()
    };
    assert!(is_linearizable(&Register(0), &increments(127)));
    assert!(!is_linearizable(&Register(0), &increments(126)));
    let writes: Vec<_> = (0..16).map(|number| event(number, 100 + number, Write(number % 2))).collect();
    assert!(!is_linearizable(&Register(0), &[writes, vec![event(200, 201, Read(5))]].concat()));
}

/// Guards the recorder: what real threads did with an atomic number is explained, and what they did with a copy that lags behind is not.
#[test]
fn histories_of_real_threads() {
    for _ in 0..50 {
        let number = AtomicU64::new(0);
        let events = history(3, |thread, recorder| {
            for step in 0..6 {
                match (thread + step) % 3 {
                    0 => recorder.record(|| Read(number.load(Ordering::SeqCst))),
                    _ => recorder.record(|| Increment(number.fetch_add(1, Ordering::SeqCst))),
                }
            }
        });
        assert_eq!(events.len(), 18);
        assert_linearizable(&Register(0), &events);
    }
    // Reads and writes apart: two threads that increment so, one after the other's read, lose one. By hand, so that it happens always.
    let lost = history(1, |_, recorder| {
        recorder.record(|| Increment(0));
        recorder.record(|| Increment(0));
    });
    let message = catch_unwind(|| assert_linearizable(&Register(0), &lost)).expect_err("one is lost");
    let message = message.downcast_ref::<String>().expect("a text");
    assert!(message.contains("no order") && message.contains("Increment"), "{message}");
}
