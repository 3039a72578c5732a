//! Receipts, case by case: what the ledger counts and what each waiter hears.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use aqueduct_metrics::{Acknowledge, DropReason, Ledger, Receipt, Settled};

/// A waiter that writes down what it is told.
#[derive(Debug, Default)]
struct Ear(Mutex<Vec<(u64, Settled)>>);

impl Ear {
    fn heard(&self) -> Vec<(u64, Settled)> {
        self.0.lock().unwrap().clone()
    }
}

impl Acknowledge for Ear {
    fn settled(&self, items: u64, how: &Settled) {
        self.0.lock().unwrap().push((items, *how));
    }
}

fn waiting(ledger: &Ledger, items: u64) -> (Receipt, Arc<Ear>) {
    let ear = Arc::new(Ear::default());
    let mut receipt = ledger.accept(items);
    receipt.attach(ear.clone());
    (receipt, ear)
}

/// Guards the four outcomes: each counts its own items once, and tells the waiter what was said.
#[test]
fn every_outcome_is_counted_and_told() {
    let ledger = Ledger::new();
    type Close = fn(Receipt);
    let cases: [(Close, Settled); 6] = [
        (Receipt::delivered, Settled::Delivered),
        (|receipt| receipt.partial(0), Settled::Delivered),
        (|receipt| receipt.partial(3), Settled::Partial { rejected: 3 }),
        (|receipt| receipt.partial(11), Settled::Rejected),
        (Receipt::rejected, Settled::Rejected),
        (|receipt| receipt.dropped(DropReason::Budget), Settled::Dropped(DropReason::Budget)),
    ];
    for (close, expected) in cases {
        let (receipt, ear) = waiting(&ledger, 10);
        close(receipt);
        assert_eq!(ear.heard(), [(10, expected)]);
    }
    let now = ledger.snapshot();
    assert_eq!((now.accepted, now.delivered, now.rejected), (60, 27, 23));
    assert_eq!((now.dropped(DropReason::Budget), now.dropped_total(), now.held()), (10, 10, 0));
}

/// Guards against silent loss: a forgotten receipt is counted, and its waiter does not wait for ever.
#[test]
fn a_forgotten_receipt_is_leaked_out_loud() {
    let ledger = Ledger::new();
    let (receipt, ear) = waiting(&ledger, 4);
    drop(receipt);
    assert_eq!(ear.heard(), [(4, Settled::Dropped(DropReason::Leaked))]);
    assert_eq!(ledger.snapshot().dropped(DropReason::Leaked), 4);
}

/// Guards empty requests: they are answered like any other and count nothing.
#[test]
fn a_receipt_of_no_items_is_a_receipt() {
    let ledger = Ledger::new();
    let (receipt, ear) = waiting(&ledger, 0);
    receipt.delivered();
    assert_eq!(ear.heard(), [(0, Settled::Delivered)]);

    let (empty, ear) = waiting(&ledger, 0);
    let mut batch = ledger.accept(5);
    batch.absorb(empty).unwrap();
    batch.partial(2);
    assert_eq!(ear.heard(), [(0, Settled::Delivered)], "nothing of nothing was refused");

    drop(ledger.accept(0));
    assert_eq!(ledger.snapshot().dropped_total(), 0);
}

/// Guards the accounts: a receipt cannot carry items from one ledger to another, and comes back unharmed.
#[test]
fn receipts_of_two_ledgers_do_not_join() {
    let (one, two) = (Ledger::new(), Ledger::new());
    let mut receipt = one.accept(1);
    let (stranger, ear) = waiting(&two, 2);
    let back = receipt.absorb(stranger).expect_err("they belong to two ledgers");
    assert_eq!((receipt.items(), back.items()), (1, 2));
    receipt.delivered();
    back.delivered();
    assert_eq!(ear.heard(), [(2, Settled::Delivered)]);
    assert_eq!((one.snapshot().delivered, two.snapshot().delivered), (1, 2));
}

/// Guards partial success of a joined batch: nobody is told of more refused items than were certainly its own.
#[test]
fn a_partial_batch_tells_only_what_is_certain() {
    let cases = [
        // (items of A, of B, without a waiter, rejected) -> (A hears, B hears)
        ((10, 0, 0, 4), (4, 0)),
        ((10, 10, 0, 4), (0, 0)),
        ((10, 10, 0, 15), (5, 5)),
        ((10, 2, 0, 4), (2, 0)),
        ((10, 0, 10, 4), (0, 0)),
        ((1, 1, 1, 2), (0, 0)),
    ];
    for ((a, b, none, rejected), (a_hears, b_hears)) in cases {
        let ledger = Ledger::new();
        let (mut batch, ear_a) = waiting(&ledger, a);
        let (other, ear_b) = waiting(&ledger, b);
        batch.absorb(other).unwrap();
        batch.absorb(ledger.accept(none)).unwrap();
        batch.partial(rejected);
        assert_eq!(ear_a.heard(), [(a, Settled::Partial { rejected: a_hears })]);
        let expected = if b == 0 { Settled::Delivered } else { Settled::Partial { rejected: b_hears } };
        assert_eq!(ear_b.heard(), [(b, expected)]);
        assert_eq!(ledger.snapshot().rejected, rejected);
    }
}

/// Guards the order: a split takes the first items, with exactly the waiters that were attached to them.
#[test]
fn split_takes_from_the_front() {
    let ledger = Ledger::new();
    let (mut batch, first) = waiting(&ledger, 3);
    let (second, second_ear) = waiting(&ledger, 4);
    batch.absorb(second).unwrap();

    let front = batch.split(3);
    assert_eq!((front.items(), batch.items()), (3, 4));
    front.delivered();
    assert_eq!(first.heard(), [(3, Settled::Delivered)]);
    assert_eq!(second_ear.heard(), []);

    let all = batch.split(99);
    assert_eq!((all.items(), batch.items()), (4, 0));
    drop(batch);
    all.rejected();
    assert_eq!(second_ear.heard(), [(4, Settled::Rejected)]);
    assert_eq!(ledger.snapshot().dropped_total(), 0);
}

/// Guards the combination of split outcomes: once, at the end, and never better than the truth.
#[test]
fn a_split_waiter_hears_the_most_serious_outcome_once() {
    use DropReason::{Budget, MaxAge, NotSampled};
    use Settled::{Delivered, Dropped, Partial, Rejected};
    type Close = fn(Receipt);
    let delivered: Close = Receipt::delivered;
    let rejected: Close = Receipt::rejected;
    let partial: Close = |receipt| receipt.partial(1);
    let sampled: Close = |receipt| receipt.dropped(NotSampled);
    let aged: Close = |receipt| receipt.dropped(MaxAge);
    let budget: Close = |receipt| receipt.dropped(Budget);
    let cases = [
        (delivered, delivered, Delivered),
        (delivered, rejected, Partial { rejected: 6 }),
        (rejected, rejected, Rejected),
        (partial, delivered, Partial { rejected: 1 }),
        (partial, rejected, Partial { rejected: 7 }),
        (sampled, delivered, Delivered),
        (sampled, rejected, Partial { rejected: 6 }),
        (sampled, sampled, Dropped(NotSampled)),
        (sampled, aged, Dropped(MaxAge)),
        (aged, sampled, Dropped(MaxAge)),
        (aged, budget, Dropped(MaxAge)),
        (aged, delivered, Dropped(MaxAge)),
        (rejected, budget, Dropped(Budget)),
    ];
    for (index, (close_front, close_rest, expected)) in cases.into_iter().enumerate() {
        for front_first in [true, false] {
            let ledger = Ledger::new();
            let (mut rest, ear) = waiting(&ledger, 10);
            let front = rest.split(4);
            if front_first {
                close_front(front);
                assert_eq!(ear.heard(), [], "case {index}: a part is still out");
                close_rest(rest);
            } else {
                close_rest(rest);
                assert_eq!(ear.heard(), [], "case {index}: a part is still out");
                close_front(front);
            }
            // Of two losses the first to happen is told.
            let expected = match expected {
                Dropped(MaxAge) if !front_first && index == 10 => Dropped(Budget),
                expected => expected,
            };
            assert_eq!(ear.heard(), [(10, expected)], "case {index}, front first: {front_first}");
            assert_eq!(ledger.snapshot().held(), 0);
        }
    }
}

/// Guards a waiter that was split and came together again: it has the batch to itself, so it hears the exact number.
#[test]
fn a_rejoined_waiter_hears_the_exact_number() {
    let ledger = Ledger::new();
    let (mut rest, ear) = waiting(&ledger, 7);
    let mut front = rest.split(1);
    front.absorb(rest).unwrap();
    front.partial(2);
    assert_eq!(ear.heard(), [(7, Settled::Partial { rejected: 2 })]);
}

/// Guards the other senders of a batch: one waiter that panics must not leave them waiting.
#[test]
fn a_panicking_waiter_does_not_silence_the_others() {
    #[derive(Debug)]
    struct Bomb;
    impl Acknowledge for Bomb {
        fn settled(&self, _items: u64, _how: &Settled) {
            panic!("a waiter that breaks its contract");
        }
    }
    let ledger = Ledger::new();
    let (mut batch, first) = waiting(&ledger, 1);
    batch.attach(Arc::new(Bomb));
    let (other, last) = waiting(&ledger, 2);
    batch.absorb(other).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| batch.delivered())).is_err());
    assert_eq!(first.heard(), [(1, Settled::Delivered)]);
    assert_eq!(last.heard(), [(2, Settled::Delivered)]);
    assert_eq!(ledger.snapshot().delivered, 3);
}

/// Guards the order of events: a waiter that reads the ledger finds its own items settled.
#[test]
fn the_ledger_is_changed_before_the_waiter_hears() {
    #[derive(Debug)]
    struct Reader(Ledger, Mutex<Option<u64>>);
    impl Acknowledge for Reader {
        fn settled(&self, _items: u64, _how: &Settled) {
            *self.1.lock().unwrap() = Some(self.0.snapshot().held());
        }
    }
    let ledger = Ledger::new();
    let reader = Arc::new(Reader(ledger.clone(), Mutex::new(None)));
    let mut receipt = ledger.accept(7);
    receipt.attach(reader.clone());
    receipt.delivered();
    assert_eq!(*reader.1.lock().unwrap(), Some(0));
}

/// Guards what the documentation promises to threads: receipts travel, and waiters are shared.
#[test]
fn the_types_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Receipt>();
    crosses::<Ledger>();
}
