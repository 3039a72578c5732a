//! `Ring` under threads, for as long as `stress_time` says.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use aqueduct_lockfree::Ring;

use crate::items::{Balance, stress_time};

/// Guards, under threads that do everything at once: no loss, no duplicate, order of each producer at each consumer, exact counts, drops.
#[test]
fn everything_at_once() {
    const PRODUCERS: usize = 2;
    let balance = Balance::default();
    let ring = Ring::starting_at(8, u64::MAX - 1000);
    let (accepted, displaced, refused) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let taken = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let (ring, balance, stop) = (&ring, &balance, &stop);
                let (accepted, displaced, refused) = (&accepted, &displaced, &refused);
                scope.spawn(move || {
                    let mut number = 0;
                    let mut next = || {
                        number += 1;
                        balance.item(producer << 48 | number)
                    };
                    while !stop.load(Relaxed) {
                        match ring.push(next()) {
                            Ok(()) => accepted.fetch_add(1, SeqCst),
                            Err(_) => refused.fetch_add(1, SeqCst),
                        };
                        displaced
                            .fetch_add(u64::from(ring.push_overwrite(next()).unwrap().is_some()), SeqCst);
                        accepted.fetch_add(1, SeqCst);
                        let mut batch: Vec<_> = (0..5).map(|_| next()).collect();
                        accepted.fetch_add(ring.push_batch(&mut batch) as u64, SeqCst);
                        refused.fetch_add(batch.len() as u64, SeqCst);
                    }
                })
            })
            .collect();
        for consumer in 0..2 {
            let (ring, taken) = (&ring, &taken);
            scope.spawn(move || {
                let (mut last, mut out) = ([0; PRODUCERS], Vec::new());
                while !ring.is_finished() {
                    if consumer == 0 {
                        ring.pop_batch(3, &mut out);
                    } else {
                        out.extend(ring.pop());
                    }
                    if out.is_empty() {
                        thread::yield_now();
                    }
                    for item in out.drain(..) {
                        let (producer, number) = (item.number >> 48, item.number & ((1 << 48) - 1));
                        assert!(number > last[producer], "{number} after {}", last[producer]);
                        last[producer] = number;
                        taken.fetch_add(1, SeqCst);
                    }
                }
            });
        }
        let start = Instant::now();
        while start.elapsed() < stress_time() / 2 {
            thread::yield_now();
        }
        stop.store(true, Relaxed);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        ring.close();
    });
    assert_eq!(ring.refused(), refused.load(SeqCst));
    assert_eq!(ring.displaced(), displaced.load(SeqCst));
    assert_eq!(accepted.load(SeqCst), taken.load(SeqCst) + displaced.load(SeqCst));
    assert!(taken.load(SeqCst) > 100, "it ran");
    drop(ring);
    assert!(balance.is_even(), "{balance:?}");
}
