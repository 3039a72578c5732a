//! What naive versions get wrong, one test for each, named after it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use aqueduct_lockfree::{CachePadded, Lanes, LanesConfig, Ring, ShardedCounter, ShardedMax, ShardedMin};

use crate::items::{Balance, stress_time};

/// `LockFreeQueue`: the old head is freed while others still read it. Values behind boxes, few slots, many laps and segments: the address
/// sanitizer sees what this alone would not.
#[test]
fn use_after_free_of_the_old_head() {
    let ring = Ring::new(2);
    let (lanes, mut consumer) =
        LanesConfig::default().with_capacity(64).with_segment(1).build::<Box<usize>>().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let (ring, lanes, stop) = (&ring, &lanes, &stop);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    let producer = lanes.producer();
                    for number in 0..100 {
                        let _ = ring.push(Box::new(number));
                        if let Some(number) = ring.pop() {
                            let _ = producer.push(number);
                        }
                    }
                }
            });
        }
        let (start, mut out) = (Instant::now(), Vec::new());
        while start.elapsed() < stress_time() / 4 {
            consumer.drain(usize::MAX, &mut out);
            assert!(out.drain(..).all(|number| *number < 100));
        }
        stop.store(true, Relaxed);
    });
}

/// `LockFreeQueue`: two consumers take the same value, or the loser drops it. Each value comes out exactly once, to one of three.
#[test]
fn moving_the_value_out_before_winning_the_race() {
    const ITEMS: usize = 30_000;
    let balance = Balance::default();
    let ring = Ring::<crate::items::Counted>::new(4);
    let counts: Vec<_> = (0..ITEMS).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for consumer in 0..3 {
            let (ring, counts) = (&ring, &counts);
            scope.spawn(move || {
                let mut out = Vec::new();
                while !ring.is_finished() {
                    if consumer == 0 {
                        ring.pop_batch(2, &mut out);
                    } else {
                        out.extend(ring.pop());
                    }
                    if out.is_empty() {
                        thread::yield_now();
                    }
                    out.drain(..).for_each(|item| _ = counts[item.number].fetch_add(1, SeqCst));
                }
            });
        }
        for number in 0..ITEMS {
            let mut item = balance.item(number);
            while let Err(refused) = ring.push(item) {
                item = refused.into_inner();
                thread::yield_now();
            }
        }
        ring.close();
    });
    assert!(counts.iter().all(|count| count.load(SeqCst) == 1));
    assert!(balance.is_even(), "{balance:?}");
}

/// `LockFreeQueue`: items that are left are leaked.
#[test]
fn items_are_leaked_on_drop() {
    let balance = Balance::default();
    let ring = Ring::new(8);
    let (lanes, consumer) = Lanes::bounded(8);
    (0..8).for_each(|number| ring.push(balance.item(number)).unwrap());
    (0..8).for_each(|number| lanes.push(balance.item(number)).unwrap());
    drop((ring, lanes, consumer));
    assert!(balance.is_even(), "{balance:?}");
}

/// `CacheLineAligned`: 64 bytes, where processors fetch pairs of lines.
#[test]
fn sixty_four_bytes_everywhere() {
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        assert_eq!((align_of::<CachePadded<u8>>(), size_of::<CachePadded<u8>>()), (128, 128));
    }
    let padded = [CachePadded::new(1_u8), CachePadded::new(2)];
    assert!((&raw const *padded[1]).addr() - (&raw const *padded[0]).addr() >= 64);
    assert_eq!(CachePadded::new(7).into_inner(), 7);
}

/// `FalseSharingAvoidance`: cells by index, so that the fifth index panics; here there are more threads than cells.
#[test]
fn an_index_beyond_the_cells_panics() {
    let (counter, barrier) = (ShardedCounter::with_cells(1), std::sync::Barrier::new(9));
    thread::scope(|scope| {
        for _ in 0..9 {
            scope.spawn(|| {
                barrier.wait();
                counter.inc();
            });
        }
    });
    assert_eq!(counter.sum(), 9);
}

/// `PerformanceMetricsCollector`: zero stands for nothing yet, so that a real zero is lost.
#[test]
fn zero_doubles_as_nothing_yet() {
    let (max, min) = (ShardedMax::new(), ShardedMin::new());
    assert_eq!((max.max(), min.min()), (None, None));
    max.record(0);
    min.record(0);
    min.record(5);
    assert_eq!((max.max(), min.min()), (Some(0), Some(0)));
}
