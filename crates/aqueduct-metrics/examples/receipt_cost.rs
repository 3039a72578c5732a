//! What the ledger costs on this machine: run with
//! `cargo run --release -p aqueduct-metrics --example receipt_cost`.
//!
//! Prints nanoseconds per operation, the best of several rounds (a shared machine only ever adds time), so that one can tell what
//! accounting for every item adds to a request. The first row is what one uncontended atomic addition costs here: the floor.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aqueduct_metrics::{Acknowledge, Ledger, Settled};

const ROUNDS: u32 = 30;
/// Requests joined into one batch: 8192 one-span requests, the default batch of the pipeline.
const BATCH: u64 = 8192;

fn main() {
    let atomic = AtomicU64::new(0);
    row("one atomic addition (floor)", || {
        for _ in 0..BATCH {
            black_box(&atomic).fetch_add(1, Ordering::Relaxed);
        }
    });

    let ledger = Ledger::new();
    row("accept + absorb, settled per batch", || {
        let mut batch = ledger.accept(0);
        for _ in 0..BATCH {
            batch.absorb(black_box(&ledger).accept(1)).expect("receipts of one ledger join");
        }
        batch.delivered();
    });
    row("accept + settle, each on its own", || {
        for _ in 0..BATCH {
            black_box(&ledger).accept(1).delivered();
        }
    });

    let waiter: Arc<dyn Acknowledge> = Arc::new(Silent);
    row("accept + attach + absorb, told per batch", || {
        let mut batch = ledger.accept(0);
        for _ in 0..BATCH {
            let mut receipt = black_box(&ledger).accept(1);
            receipt.attach(Arc::clone(&waiter));
            batch.absorb(receipt).expect("receipts of one ledger join");
        }
        batch.delivered();
    });
    row("snapshot", || {
        for _ in 0..BATCH {
            black_box(black_box(&ledger).snapshot());
        }
    });
}

/// Runs `BATCH` operations per round and prints what one of them took in the best round.
fn row(name: &str, mut round: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("{name:<44} {:>7.2} ns", best.as_secs_f64() * 1e9 / BATCH as f64);
}

/// A waiter that does nothing, so that only the bookkeeping is measured.
#[derive(Debug)]
struct Silent;

impl Acknowledge for Silent {
    fn settled(&self, _items: u64, _how: &Settled) {}
}
