//! Models of `SignalCell`.

use aqueduct_lockfree::SignalCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

use crate::model;

/// Guards the value: loom finds two threads that have it at the same time, and one that does not see what the other did.
#[test]
fn one_thread_at_a_time_has_the_value() {
    model(4, || {
        let cell = Arc::new(SignalCell::new(0));
        let add = |cell: &SignalCell<u32>| cell.try_with(|value| *value += 1).is_some();
        let other = Arc::clone(&cell);
        let thread = thread::spawn(move || u32::from(add(&other)) + u32::from(add(&other)));
        let mine = u32::from(add(&cell));
        let done = mine + thread.join().unwrap();
        assert!(done >= 1, "whoever comes first gets it");
        assert_eq!(cell.try_with(|value| *value), Some((done, 0)));
    });
}

/// Guards the signals: one that finds a thread with the value reaches that thread, with what came before it.
#[test]
fn a_signal_is_taken_by_one_of_the_two() {
    model(4, || {
        let (cell, before) = (Arc::new(SignalCell::new(0)), Arc::new(AtomicU32::new(0)));
        let (other, came_before) = (Arc::clone(&cell), Arc::clone(&before));
        let see = |cell: &SignalCell<u32>, before: &AtomicU32| {
            while let Some((answered, more)) = cell.try_answer(|value, given| {
                if given != 0 {
                    *value += u32::from(given);
                    assert_eq!(before.load(Ordering::Relaxed), 1, "told too early");
                }
            }) {
                let () = answered;
                if more == 0 {
                    break;
                }
            }
        };
        let thread = thread::spawn(move || {
            // Has the value, and sees to what it is told of.
            if let Some((_, 1..)) = other.try_with(|value| *value += 10) {
                see(&other, &came_before);
            }
        });
        before.store(1, Ordering::Relaxed);
        if !cell.signal(2) {
            see(&cell, &before);
        }
        thread.join().unwrap();
        let (value, left) = cell.try_with(|value| *value).unwrap();
        assert_eq!(left, 0, "a signal was overlooked");
        assert!(value == 12 || value == 2, "{value}: it was taken once");
    });
}
