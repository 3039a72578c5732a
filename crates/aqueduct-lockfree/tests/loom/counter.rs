//! Models of the sharded counters, with two cells: one thread owns one, others share.

use aqueduct_lockfree::{ShardedCounter, ShardedMax};
use loom::sync::Arc;
use loom::thread;

use crate::model;

/// An owner that loads and stores, one that shares, and a taker: nothing is lost or taken twice.
#[test]
fn taking_races_with_adding() {
    model(3, || {
        let counter = Arc::new(ShardedCounter::with_cells(1));
        let adders = [0, usize::MAX].map(|place| {
            let counter = counter.clone();
            thread::spawn(move || {
                counter.add_at(place, 1);
                counter.add_at(place, 2);
            })
        });
        let first = counter.take();
        assert!(counter.sum() <= 6);
        adders.into_iter().for_each(|adder| adder.join().unwrap());
        assert_eq!(first + counter.take(), 6);
    });
}

/// Two takers and an owner: each addition is taken once, and no taker takes a total that lags behind for one that is ahead.
#[test]
fn takers_race() {
    model(3, || {
        let counter = Arc::new(ShardedCounter::with_cells(1));
        let takers = [(); 2].map(|()| {
            let counter = counter.clone();
            thread::spawn(move || counter.take())
        });
        (0..2).for_each(|_| counter.add_at(0, 1));
        let [first, second] = takers.map(|taker| taker.join().unwrap());
        let parts = [first, second, counter.take()];
        // Each by itself: one that is too much by what another is short of would be near 2^64.
        assert!(parts.iter().all(|part| *part <= 2) && parts.iter().sum::<u64>() == 2, "{parts:?}");
    });
}

/// Two takers of what is beyond half of the range: nothing is taken for a total that lags behind.
#[test]
fn takers_race_for_much() {
    const MUCH: u64 = u64::MAX - 10;
    model(3, || {
        let counter = Arc::new(ShardedCounter::with_cells(1));
        counter.add_at(0, MUCH);
        let taker = {
            let counter = counter.clone();
            thread::spawn(move || {
                counter.add_at(0, 1);
                counter.take()
            })
        };
        let mine = counter.take();
        let theirs = taker.join().unwrap();
        let parts = [mine, theirs, counter.take()];
        assert!([[MUCH, 1, 0], [0, MUCH + 1, 0], [MUCH + 1, 0, 0]].contains(&parts), "{parts:?}");
    });
}

/// The swap of a taker between the load and the store of an owner: the largest is in one of the two takings.
#[test]
fn taking_races_with_recording() {
    model(3, || {
        let max = Arc::new(ShardedMax::with_cells(1));
        let recorders = [0, usize::MAX].map(|place| {
            let max = max.clone();
            thread::spawn(move || {
                max.record_at(place, 5);
                max.record_at(place, 3 + (place & 1) as u64 * 4);
            })
        });
        let first = max.take();
        recorders.into_iter().for_each(|recorder| recorder.join().unwrap());
        assert_eq!(first.max(max.take()), Some(7));
    });
}
