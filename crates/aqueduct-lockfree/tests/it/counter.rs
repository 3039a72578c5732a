//! Sharded counters against plain ones.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

use aqueduct_lockfree::{ShardedCounter, ShardedMax, ShardedMin};
use proptest::prelude::*;

proptest! {
    /// Guards the arithmetic against a plain sum, whatever the number of cells.
    #[test]
    fn one_thread_counts_plainly(cells in 0..5_usize, steps in prop::collection::vec(prop_oneof![any::<u64>().prop_map(|n| Some(n >> 8)), Just(None)], 0..50)) {
        let (counter, max, min) = (ShardedCounter::with_cells(cells), ShardedMax::with_cells(cells), ShardedMin::with_cells(cells));
        let mut seen = Vec::new();
        for step in steps {
            match step {
                Some(value) => {
                    counter.add(value);
                    max.record(value);
                    min.record(value);
                    seen.push(value);
                    prop_assert_eq!(counter.sum(), seen.iter().sum::<u64>());
                    prop_assert_eq!((max.max(), min.min()), (seen.iter().max().copied(), seen.iter().min().copied()));
                }
                None => {
                    prop_assert_eq!(counter.take(), seen.iter().sum::<u64>());
                    prop_assert_eq!((max.take(), min.take()), (seen.iter().max().copied(), seen.iter().min().copied()));
                    seen.clear();
                }
            }
        }
    }
}

/// Guards exactness at rest with fewer cells than threads, as many, and more, and while somebody takes.
#[test]
fn many_threads_count_exactly() {
    const THREADS: u64 = 8;
    const EACH: u64 = 20_000;
    for cells in [1, 4, 64] {
        let counter = ShardedCounter::with_cells(cells);
        let (stop, mut taken) = (AtomicBool::new(false), 0);
        thread::scope(|scope| {
            let workers: Vec<_> =
                (0..THREADS).map(|_| scope.spawn(|| (0..EACH).for_each(|_| counter.inc()))).collect();
            let takers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let mut taken = 0;
                        while !stop.load(Relaxed) {
                            let part = counter.take();
                            assert!(part <= THREADS * EACH, "{part}");
                            assert!(counter.sum() <= THREADS * EACH);
                            taken += part;
                        }
                        taken
                    })
                })
                .collect();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            stop.store(true, Relaxed);
            taken = takers.into_iter().map(|taker| taker.join().unwrap()).sum();
        });
        assert_eq!(taken + counter.take(), THREADS * EACH, "{cells} cells");
        assert_eq!(counter.sum(), 0);
    }
}

/// Guards the places of threads: those that live at once never share a cell, and those of ended threads are used again without loss.
#[test]
fn threads_come_and_go() {
    let counter = ShardedCounter::with_cells(4);
    for _ in 0..50 {
        let barrier = Barrier::new(6);
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    barrier.wait();
                    (0..100).for_each(|_| counter.inc());
                });
            }
        });
    }
    assert_eq!(counter.sum(), 50 * 6 * 100);
}

/// Guards a count from the destructor of a thread-local, when the thread has no place any more.
#[test]
fn a_count_at_the_very_end_of_a_thread() {
    static COUNTER: std::sync::OnceLock<ShardedCounter> = std::sync::OnceLock::new();
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            COUNTER.get().unwrap().inc();
        }
    }
    thread_local!(static LAST: Last = const { Last });
    COUNTER.set(ShardedCounter::with_cells(64)).unwrap();
    for _ in 0..10 {
        thread::spawn(|| {
            LAST.with(|_| ());
            COUNTER.get().unwrap().inc();
        })
        .join()
        .unwrap();
    }
    assert_eq!(COUNTER.get().unwrap().sum(), 20);
}

/// Guards extremes under threads and takers: over all that was taken nothing is lost.
#[test]
fn extremes_are_not_lost() {
    for cells in [1, 64] {
        let (max, min) = (ShardedMax::with_cells(cells), ShardedMin::with_cells(cells));
        let (stop, seen) = (AtomicBool::new(false), AtomicU64::new(0));
        let tops: BTreeSet<u64> = thread::scope(|scope| {
            let workers: Vec<_> = (0..4_u64)
                .map(|thread| {
                    let (max, min) = (&max, &min);
                    scope.spawn(move || {
                        for number in 1..10_000 {
                            max.record(number * 4 + thread);
                            min.record(u64::MAX / 2 - number * 4 - thread);
                        }
                    })
                })
                .collect();
            let taker = scope.spawn(|| {
                let mut tops = BTreeSet::new();
                while !stop.load(Relaxed) {
                    tops.extend(max.take());
                    seen.fetch_max(u64::MAX / 2 - min.take().unwrap_or(u64::MAX / 2), Relaxed);
                }
                tops
            });
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            stop.store(true, Relaxed);
            taker.join().unwrap()
        });
        let top = tops.into_iter().chain(max.take()).max();
        assert_eq!(top, Some(9999 * 4 + 3), "{cells} cells");
        let bottom = seen.load(Relaxed).max(u64::MAX / 2 - min.take().unwrap_or(u64::MAX / 2));
        assert_eq!(bottom, 9999 * 4 + 3, "{cells} cells");
    }
}

/// Guards the ends of the range, and that counters wrap around rather than panic.
#[test]
fn the_ends_of_the_range() {
    let (max, min) = (ShardedMax::new(), ShardedMin::new());
    max.record(u64::MAX);
    min.record(u64::MAX);
    assert_eq!((max.max(), min.min()), (Some(u64::MAX - 1), Some(u64::MAX - 1)), "documented");
    min.record(0);
    assert_eq!(min.min(), Some(0));
    let counter = ShardedCounter::default();
    counter.add(u64::MAX / 2);
    assert_eq!(counter.take(), u64::MAX / 2);
    counter.add(u64::MAX / 2);
    counter.add(10);
    assert_eq!(counter.sum(), u64::MAX / 2 + 10);
    assert!(format!("{counter:?} {:?} {:?}", ShardedMax::default(), ShardedMin::default()).contains("sum"));
}
