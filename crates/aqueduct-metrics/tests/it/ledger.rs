//! The ledger under threads, and the reuse of its memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use aqueduct_metrics::{DropReason, Ledger, LedgerSnapshot, Receipt};

/// Guards the order in which a snapshot reads: more fates than arrivals would make `held` wrap to a number near 2^64.
///
/// Two threads accept and settle on the spot, two hand receipts over to a third that joins, cuts and settles them, while the main
/// thread reads. Reading the arrivals first instead of last fails this test within milliseconds.
#[test]
fn held_is_never_negative_while_threads_settle() {
    const RECEIPTS: u64 = 40_000;
    let ledger = Ledger::new();
    let done = AtomicBool::new(false);
    let (sender, receiver) = mpsc::sync_channel::<Receipt>(64);

    let readings = thread::scope(|scope| {
        let settlers: Vec<_> = (0..2)
            .map(|thread| {
                let ledger = &ledger;
                scope.spawn(move || {
                    for n in 0..RECEIPTS {
                        let receipt = ledger.accept(1 + n % 7);
                        match (n + thread) % 5 {
                            0 => receipt.rejected(),
                            1 => receipt.partial(n % 3),
                            2 => receipt.dropped(DropReason::ALL[(n % 10) as usize]),
                            _ => receipt.delivered(),
                        }
                    }
                })
            })
            .collect();
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let (ledger, sender) = (&ledger, sender.clone());
                scope.spawn(move || {
                    for n in 0..RECEIPTS {
                        let receipt = if n % 2 == 0 { ledger.accept(3) } else { ledger.recovered(2) };
                        sender.send(receipt).expect("the joining thread lives until all senders are gone");
                    }
                })
            })
            .collect();
        drop(sender);
        let joiner = scope.spawn(move || {
            while let Ok(mut batch) = receiver.recv() {
                while batch.items() < 50 {
                    let Ok(more) = receiver.recv() else { break };
                    batch.absorb(more).expect("there is one ledger");
                }
                batch.split(9).dropped(DropReason::MaxAge);
                batch.partial(4);
            }
        });
        let ledger = &ledger;
        let done = &done;
        let reader = scope.spawn(move || {
            let mut readings = 0_u64;
            let mut last = LedgerSnapshot::default();
            while !done.load(Ordering::Acquire) {
                let now = ledger.snapshot();
                assert!(now.settled() <= now.arrived(), "{now:?}");
                assert!(
                    last.arrived() <= now.arrived() && last.settled() <= now.settled(),
                    "{last:?} {now:?}"
                );
                last = now;
                readings += 1;
            }
            readings
        });
        for thread in settlers.into_iter().chain(senders).chain([joiner]) {
            thread.join().expect("no thread panics");
        }
        done.store(true, Ordering::Release);
        reader.join().expect("the reader saw nothing negative")
    });

    assert!(readings > 100, "the reader must have run beside the writers, it read {readings} times");
    let end = ledger.snapshot();
    assert_eq!(end.held(), 0);
    assert_eq!(end.recovered, RECEIPTS / 2 * 2 * 2);
    assert_eq!(end.accepted, 2 * (0..RECEIPTS).map(|n| 1 + n % 7).sum::<u64>() + 2 * RECEIPTS / 2 * 3);
}

/// Guards the reuse of accounts: a new ledger starts at zero whatever its memory held, and late receipts keep the old account.
#[test]
fn a_new_ledger_is_empty_and_late_receipts_keep_their_account() {
    for round in 0..100_u64 {
        let old = Ledger::new();
        old.accept(round).rejected();
        old.recovered(1).delivered();
        let late = old.accept(5);
        let clone = old.clone();
        drop(old);
        assert_eq!(clone.snapshot().held(), 5, "a clone keeps the account");
        drop(clone);

        let new = Ledger::new();
        assert_eq!(new.snapshot(), LedgerSnapshot::default());
        let mut receipt = new.accept(1);
        let late = receipt.absorb(late).expect_err("it belongs to the ledger before");
        late.delivered();
        assert_eq!((new.snapshot().delivered, new.snapshot().held()), (0, 1));
        receipt.delivered();
    }
}

/// Guards the one thing that may outlive an account: a receipt of no items counts nowhere.
#[test]
fn an_empty_receipt_that_outlives_its_ledger_counts_nowhere() {
    let old = Ledger::new();
    let mut empty = old.accept(0);
    drop(old);
    let ledgers: Vec<_> = (0..10).map(|_| Ledger::new()).collect();
    for ledger in &ledgers {
        // At most one of them has taken the account over; its items stay its own either way.
        match empty.absorb(ledger.accept(2)) {
            Ok(()) => empty.split(2).delivered(),
            Err(receipt) => receipt.delivered(),
        }
    }
    drop(empty);
    for ledger in &ledgers {
        let now = ledger.snapshot();
        assert_eq!((now.accepted, now.delivered, now.dropped_total()), (2, 2, 0));
    }
}

/// Guards the sum over destinations that a report prints.
#[test]
fn snapshots_add_up() {
    let (one, two) = (Ledger::new(), Ledger::new());
    one.accept(5).delivered();
    let held = two.accept(7);
    two.accept(2).dropped(DropReason::TooLarge);
    let sum: LedgerSnapshot = [one.snapshot(), two.snapshot()].into_iter().sum();
    assert_eq!((sum.accepted, sum.delivered, sum.dropped(DropReason::TooLarge), sum.held()), (14, 5, 2, 7));
    assert_eq!(
        format!("{sum:?}"),
        "LedgerSnapshot { accepted: 14, recovered: 0, delivered: 5, rejected: 0, too_large: 2, held: 7 }"
    );
    held.delivered();
}
