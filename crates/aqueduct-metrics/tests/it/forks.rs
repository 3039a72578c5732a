//! Ledgers in a forked child.
#![cfg(unix)]

use std::sync::atomic::{AtomicBool, Ordering};

use aqueduct_metrics::Ledger;
use aqueduct_testkit::holds_in_a_child;

/// Guards the child against a lock that another thread of its parent held when it forked: ledgers share a list of memory to reuse.
#[test]
fn a_child_makes_ledgers_whatever_its_parent_was_doing() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(Ledger::new());
                }
            });
        }
        let all = (0..8).all(|_| {
            holds_in_a_child(|| {
                let ledger = Ledger::new();
                ledger.accept(3).delivered();
                ledger.snapshot().delivered == 3
            })
        });
        stop.store(true, Ordering::Relaxed);
        assert!(all);
    });
}
