//! One test for each defect that was found, named after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aqueduct_lockfree::map::{Admitted, Capped, Guard};
use aqueduct_lockfree::{Lanes, LanesConfig, PushError, Queue};

use crate::items::stress_time;

/// A consumer could pass on to the next segment before the tail's index had, and the length came out near 2^64.
#[test]
fn a_queues_length_was_absurd_while_a_segment_was_added() {
    let queue = Queue::<[u64; 80]>::new();
    let (stop, absurd) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    (0..7).for_each(|_| queue.push([1; 80]));
                    while !queue.is_empty() && !stop.load(Ordering::Relaxed) {
                        std::thread::yield_now();
                    }
                }
            });
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    queue.pop();
                }
            });
        }
        let start = Instant::now();
        while start.elapsed() < stress_time() / 2 {
            absurd.fetch_max(queue.len(), Ordering::Relaxed);
        }
        stop.store(true, Ordering::Relaxed);
    });
    // What passed through between the two reads of a length counts, and that may be much; near 2^64 it cannot be.
    assert!(absurd.load(Ordering::Relaxed) <= 1 << 40, "{absurd:?}");
}

/// What idle producers had been granted was missing to a burst: up to three quarters of the capacity, where a quarter is documented.
#[test]
fn idle_producers_withheld_most_of_the_capacity() {
    for count in [4, 16, 64] {
        let (lanes, mut consumer) = Lanes::bounded(2048);
        let mut out = Vec::new();
        let idle: Vec<_> = (0..count).map(|_| lanes.producer()).collect();
        idle.iter().for_each(|producer| producer.push(0).expect("room"));
        assert_eq!(consumer.drain(10_000, &mut out), count);
        let burst = lanes.producer();
        let taken = (0..2048).take_while(|&n| burst.push(n).is_ok()).count();
        assert!(taken >= 2048 * 5 / 8, "{taken} of 2048 beside {count} idle producers");
    }
}

/// With much granted to many, more than the threshold could wait without anybody asking for more, which is when the consumer is woken.
#[test]
fn a_backlog_beyond_the_threshold_woke_nobody() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = calls.clone();
    let notifier = move || {
        counting.fetch_add(1, Ordering::SeqCst);
    };
    let (lanes, mut consumer) =
        LanesConfig::default().with_notifier(notifier).build::<usize>().expect("sound");
    let mut out = Vec::new();
    let producers: Vec<_> = (0..16).map(|_| lanes.producer()).collect();
    producers.iter().for_each(|producer| producer.push(0).expect("room"));
    consumer.drain(10_000, &mut out);
    assert!(consumer.arm());
    let mut silent = 0;
    // As much as each had been granted before it would ask again.
    for (producer, count) in
        producers.iter().zip([240, 235, 150, 108, 82, 65, 53, 44, 36, 31, 26, 22, 19, 15, 12, 10])
    {
        for item in 0..count {
            producer.push(item).expect("room");
            if calls.load(Ordering::SeqCst) == 0 {
                silent = lanes.len();
            }
        }
    }
    assert!(silent <= consumer.threshold(), "{silent} waited, the threshold is {}", consumer.threshold());
}

/// After `close` the consumer's loop spun while any producer was idle.
#[test]
fn waiting_after_close_spun_beside_an_idle_producer() {
    let (lanes, mut consumer) = Lanes::bounded(64);
    let idle = lanes.producer();
    idle.push(1).expect("room");
    lanes.close();
    let mut out = Vec::new();
    let (start, mut rounds) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_millis(50) {
        consumer.wait_drain(start + Duration::from_millis(50), 512, &mut out);
        rounds += 1;
    }
    assert!(rounds <= 10, "{rounds} rounds");
    assert_eq!(out, [1]);
    drop(idle);
    assert!(consumer.is_finished());
}

/// Each push after `close` from a thread without a producer made one and kept its memory.
#[test]
fn refused_pushes_after_close_kept_memory() {
    let (lanes, consumer) = Lanes::<[u64; 64]>::bounded(2048);
    lanes.close();
    let before = lanes.stats();
    for _ in 0..1000 {
        assert!(matches!(lanes.push([0; 64]), Err(PushError::Closed(_))));
    }
    assert_eq!(lanes.stats().refused - before.refused, 1000);
    assert!(format!("{consumer:?}").len() < 10_000, "lanes are kept");
}

/// One of two threads that asked for the same absent key could be told that the table is full, although the key was in it.
#[test]
fn a_key_that_was_admitted_counted_as_overflow() {
    let maps: Vec<Capped<u64, u64>> = (0..2000).map(|_| Capped::new(1, 0)).collect();
    let arrived = AtomicUsize::new(0);
    let ask = || {
        let mut overflows = 0;
        for (round, map) in maps.iter().enumerate() {
            arrived.fetch_add(1, Ordering::SeqCst);
            while arrived.load(Ordering::SeqCst) < 2 * (round + 1) {
                std::thread::yield_now();
            }
            let guard = Guard::pin();
            overflows +=
                usize::from(matches!(map.get_or_insert_with(7, || 1, &guard), Admitted::Overflow(_)));
        }
        overflows
    };
    let overflows = std::thread::scope(|scope| {
        let other = scope.spawn(ask);
        ask() + other.join().expect("no panic")
    });
    assert_eq!(overflows, 0);
}
