//! Random trees of accept, absorb, split and settle, against a model that knows every single item.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aqueduct_metrics::{Acknowledge, DropReason, Ledger, Receipt, Settled};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Accept { items: u64, recovered: bool },
    Attach { receipt: usize },
    Absorb { into: usize, from: usize },
    Split { receipt: usize, items: u64 },
    Settle { receipt: usize, how: Settled },
    Forget { receipt: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let receipt = 0..64_usize;
    let how = prop_oneof![
        Just(Settled::Delivered),
        Just(Settled::Rejected),
        (0..12_u64).prop_map(|rejected| Settled::Partial { rejected }),
        (0..DropReason::COUNT).prop_map(|index| Settled::Dropped(DropReason::ALL[index])),
    ];
    prop_oneof![
        4 => (0..9_u64, any::<bool>()).prop_map(|(items, recovered)| Step::Accept { items, recovered }),
        4 => receipt.clone().prop_map(|receipt| Step::Attach { receipt }),
        4 => (receipt.clone(), receipt.clone()).prop_map(|(into, from)| Step::Absorb { into, from }),
        3 => (receipt.clone(), 0..12_u64).prop_map(|(receipt, items)| Step::Split { receipt, items }),
        3 => (receipt.clone(), how).prop_map(|(receipt, how)| Step::Settle { receipt, how }),
        1 => receipt.prop_map(|receipt| Step::Forget { receipt }),
    ]
}

/// What the model knows of an item that has been settled: its fate if the receipt says so of each item, `None` after a partial success.
type Fate = Option<Settled>;

/// A receipt and the items it stands for, in order.
struct Held {
    receipt: Receipt,
    items: Vec<u64>,
    /// Waiters of no items, which no item stands for: before which item they were attached, and which they are.
    empty_waiters: Vec<(usize, usize)>,
}

#[derive(Debug)]
struct Ear(Mutex<Vec<(u64, Settled)>>);

impl Acknowledge for Ear {
    fn settled(&self, items: u64, how: &Settled) {
        self.0.lock().unwrap().push((items, *how));
    }
}

struct Waiter {
    ear: Arc<Ear>,
    items: Vec<u64>,
    /// For a waiter of no items: whether its receipt is settled.
    settled_empty: bool,
}

#[derive(Default)]
struct Model {
    held: Vec<Held>,
    next_item: u64,
    accepted: u64,
    recovered: u64,
    delivered: u64,
    rejected: u64,
    dropped: [u64; DropReason::COUNT],
    fates: HashMap<u64, Fate>,
    /// The settled receipts with a partial success: their items and how many were refused.
    partials: Vec<(Vec<u64>, u64)>,
    waiters: Vec<Waiter>,
}

impl Model {
    fn step(&mut self, ledger: &Ledger, step: Step) {
        let count = self.held.len();
        match step {
            Step::Accept { items, recovered } => {
                let receipt = if recovered { ledger.recovered(items) } else { ledger.accept(items) };
                *(if recovered { &mut self.recovered } else { &mut self.accepted }) += items;
                let range = self.next_item..self.next_item + items;
                self.next_item += items;
                self.held.push(Held { receipt, items: range.collect(), empty_waiters: Vec::new() });
            }
            _ if count == 0 => {}
            Step::Attach { receipt } => {
                let held = &mut self.held[receipt % count];
                let ear = Arc::new(Ear(Mutex::default()));
                held.receipt.attach(ear.clone());
                if held.items.is_empty() {
                    held.empty_waiters.push((0, self.waiters.len()));
                }
                self.waiters.push(Waiter { ear, items: held.items.clone(), settled_empty: false });
            }
            Step::Absorb { into, from } if into % count != from % count => {
                let from = self.held.remove(from % count);
                let into = into % self.held.len();
                let into = &mut self.held[into];
                into.receipt.absorb(from.receipt).expect("there is one ledger");
                let offset = into.items.len();
                into.items.extend(from.items);
                into.empty_waiters
                    .extend(from.empty_waiters.iter().map(|(at, waiter)| (at + offset, *waiter)));
            }
            Step::Absorb { .. } => {}
            Step::Split { receipt, items } => {
                let held = &mut self.held[receipt % count];
                let front = held.receipt.split(items);
                let at = (items as usize).min(held.items.len());
                let rest = held.items.split_off(at);
                let items = std::mem::replace(&mut held.items, rest);
                assert_eq!(front.items(), items.len() as u64);
                let everything = held.items.is_empty();
                let empty_waiters =
                    held.empty_waiters.extract_if(.., |(before, _)| everything || *before < at).collect();
                held.empty_waiters.iter_mut().for_each(|(before, _)| *before -= at);
                self.held.push(Held { receipt: front, items, empty_waiters });
            }
            Step::Settle { receipt, how } => {
                let held = self.held.swap_remove(receipt % count);
                self.settle(held, how, false);
            }
            Step::Forget { receipt } => {
                let held = self.held.swap_remove(receipt % count);
                self.settle(held, Settled::Dropped(DropReason::Leaked), true);
            }
        }
    }

    fn settle(&mut self, held: Held, how: Settled, forget: bool) {
        let Held { receipt, items, empty_waiters } = held;
        assert_eq!(receipt.items(), items.len() as u64);
        let all = items.len() as u64;
        let fate = match how {
            _ if forget => Some(how),
            Settled::Partial { rejected: 0 } => Some(Settled::Delivered),
            Settled::Partial { rejected } if rejected >= all => Some(Settled::Rejected),
            Settled::Partial { .. } => None,
            how => Some(how),
        };
        match how {
            _ if forget => drop(receipt),
            Settled::Delivered => receipt.delivered(),
            Settled::Partial { rejected } => receipt.partial(rejected),
            Settled::Rejected => receipt.rejected(),
            Settled::Dropped(reason) => receipt.dropped(reason),
            other => unreachable!("the strategy makes no {other:?}"),
        }
        match (fate, how) {
            (Some(Settled::Delivered), _) => self.delivered += all,
            (Some(Settled::Rejected), _) => self.rejected += all,
            (Some(Settled::Dropped(reason)), _) => self.dropped[reason.index()] += all,
            (None, Settled::Partial { rejected }) => {
                self.rejected += rejected;
                self.delivered += all - rejected;
                self.partials.push((items.clone(), rejected));
            }
            other => unreachable!("{other:?}"),
        }
        for item in items {
            assert!(self.fates.insert(item, fate).is_none(), "an item is settled once");
        }
        for (_, waiter) in empty_waiters {
            self.waiters[waiter].settled_empty = true;
        }
    }

    /// The law, and every waiter: told nothing before its last item is settled, told once afterwards, and the truth.
    fn check(&self, ledger: &Ledger) {
        let now = ledger.snapshot();
        assert_eq!((now.accepted, now.recovered), (self.accepted, self.recovered));
        assert_eq!((now.delivered, now.rejected), (self.delivered, self.rejected));
        for reason in DropReason::ALL {
            assert_eq!(now.dropped(reason), self.dropped[reason.index()], "{reason}");
        }
        let held: u64 = self.held.iter().map(|held| held.receipt.items()).sum();
        assert_eq!(now.held(), held, "counted by walking the receipts");
        assert_eq!(now.accepted + now.recovered, now.delivered + now.rejected + now.dropped_total() + held);

        for waiter in &self.waiters {
            let heard = waiter.ear.0.lock().unwrap().clone();
            if waiter.items.is_empty() {
                assert_eq!(heard.len(), usize::from(waiter.settled_empty), "{heard:?}");
                continue;
            }
            if waiter.items.iter().any(|item| !self.fates.contains_key(item)) {
                assert!(heard.is_empty(), "told {heard:?} while items are still held");
                continue;
            }
            let [(items, how)] = heard[..] else { panic!("told {} times", heard.len()) };
            assert_eq!(items, waiter.items.len() as u64);
            self.check_told(waiter, how);
        }
    }

    fn check_told(&self, waiter: &Waiter, how: Settled) {
        let mine: Vec<_> = waiter.items.iter().map(|item| (*item, self.fates[item])).collect();
        let loss = |fate: &Fate| matches!(fate, Some(Settled::Dropped(reason)) if reason.is_loss());
        let total = mine.len() as u64;
        let refused_wholly = mine.iter().filter(|(_, fate)| *fate == Some(Settled::Rejected)).count() as u64;
        // Of each partly refused receipt, the items that must be this waiter's because there are too few others.
        let refused_partly: u64 = self
            .partials
            .iter()
            .map(|(items, rejected)| {
                let others = items.iter().filter(|item| !waiter.items.contains(item)).count() as u64;
                rejected.saturating_sub(others)
            })
            .sum();
        let in_doubt = mine.iter().any(|(_, fate)| fate.is_none());
        let certain = refused_wholly + refused_partly;

        if mine.iter().any(|(_, fate)| loss(fate)) {
            let Settled::Dropped(told) = how else { panic!("a loss was told as {how:?}") };
            assert!(
                mine.iter().any(|(_, fate)| *fate == Some(Settled::Dropped(told))),
                "{told} happened to others"
            );
        } else if certain == total {
            assert_eq!(how, Settled::Rejected);
        } else if certain > 0 || in_doubt {
            assert_eq!(how, Settled::Partial { rejected: certain });
        } else if mine.iter().any(|(_, fate)| *fate == Some(Settled::Delivered)) {
            assert_eq!(how, Settled::Delivered);
        } else {
            assert_eq!(how, Settled::Dropped(DropReason::NotSampled));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards the conservation law at every step and at the end, and that each waiter hears exactly once, of its own items, the truth.
    #[test]
    fn any_tree_of_receipts_conserves_items_and_tells_the_truth(steps in vec(step(), 1..80)) {
        let ledger = Ledger::new();
        let mut model = Model::default();
        for step in steps {
            model.step(&ledger, step);
            model.check(&ledger);
        }
        while let Some(held) = model.held.pop() {
            model.settle(held, Settled::Dropped(DropReason::Leaked), true);
            model.check(&ledger);
        }
        prop_assert_eq!(ledger.snapshot().held(), 0);
    }
}
