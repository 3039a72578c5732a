//! `SignalCell`: one thread at a time, and signals that nobody overlooks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use aqueduct_lockfree::SignalCell;

/// Guards the value against two threads at once, and counts against being lost: the value is a plain number.
#[test]
fn threads_that_get_it_count_exactly() {
    const THREADS: u64 = 4;
    const EACH: u64 = 50_000;
    let (cell, others) = (SignalCell::new(0_u64), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut done = 0;
                while done < EACH {
                    match cell.try_with(|value| *value += 1) {
                        Some(_) => done += 1,
                        None => {
                            others.fetch_add(1, Ordering::Relaxed);
                            thread::yield_now();
                        }
                    }
                }
            });
        }
    });
    assert_eq!(cell.try_with(|value| *value), Some((THREADS * EACH, 0)), "{others:?} found it taken");
}

/// Guards each signal: given by one thread, it is answered by whoever has the value or by who gave it, and no later than the next use.
#[test]
fn every_signal_is_answered() {
    let (cell, answered) = (SignalCell::new(()), AtomicU64::new(0));
    let see = || {
        let answer = |_: &mut (), given: u16| _ = answered.fetch_add(given.into(), Ordering::Relaxed);
        while let Some(((), 1..)) = cell.try_answer(answer) {}
    };
    thread::scope(|scope| {
        let user = scope.spawn(|| {
            for _ in 0..100_000 {
                if let Some(((), 1..)) = cell.try_with(|()| ()) {
                    see();
                }
            }
        });
        let mut given = 0;
        while !user.is_finished() {
            let before = answered.load(Ordering::Relaxed);
            if !cell.signal(1) {
                see();
            }
            given += 1;
            // Given again only once it was answered: signals are a mask, not a count.
            while answered.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
        }
        assert_eq!(answered.load(Ordering::Relaxed), given);
    });
}

/// Guards what is told: signals add up until they are taken, and are told to who gives the value back in the meantime.
#[test]
fn signals_stay_until_they_are_taken() {
    let cell = SignalCell::new(());
    assert!(!cell.signal(0b01));
    assert_eq!(cell.try_with(|()| assert!(cell.signal(0b100))), Some(((), 0b101)));
    assert_eq!(cell.try_with(|()| ()), Some(((), 0b101)), "telling does not take them");
    assert_eq!(cell.try_answer(|(), given| given), Some((0b101, 0)));
    assert_eq!(cell.try_answer(|(), given| given), Some((0, 0)));
    assert!(!cell.signal(u16::MAX));
    assert_eq!(cell.try_answer(|(), given| given), Some((u16::MAX, 0)));
}

/// Guards a thread against itself, and everybody against a thread that panics.
#[test]
fn it_is_given_back_whatever_happens() {
    let cell = SignalCell::new(1);
    assert_eq!(cell.try_with(|_| cell.try_with(|_| ())), Some((None, 0)));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        cell.try_answer(|value, _| {
            *value = 2;
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(cell.try_with(|value| *value), Some((2, 0)));
    assert_eq!(format!("{cell:?}"), "SignalCell { taken: false, signals: 0, .. }");
}
