//! `Lanes` under threads, for as long as `stress_time` says.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_lockfree::{Consumer, Lanes, LanesConfig};

use crate::items::{Balance, Counted, stress_time};

/// How many numbers a producer has for its items; more than it pushes.
const PRODUCER: usize = 1 << 10;

/// Takes until finished and checks the order of each producer; returns how many came.
fn consume(mut consumer: Consumer<Counted>, wait: bool) -> u64 {
    let (mut last, mut out, mut taken) = (std::collections::HashMap::new(), Vec::new(), 0);
    while !consumer.is_finished() {
        if wait {
            consumer.wait_drain(Instant::now() + Duration::from_millis(1), 13, &mut out);
        } else {
            consumer.drain(usize::MAX, &mut out);
        }
        for item in out.drain(..) {
            let before = last.insert(item.number / PRODUCER, item.number);
            assert!(before < Some(item.number), "{} after {before:?}", item.number);
            taken += 1;
        }
        thread::yield_now();
    }
    taken
}

/// Threads come, push a while by handle or by thread, and go; the queue is closed in the middle.
fn stress(lanes: Lanes<Counted>, consumer: Consumer<Counted>, wait: bool, time: Duration) {
    let balance = Balance::default();
    let (offered, accepted, ids) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let taken = thread::scope(|scope| {
        let taken = scope.spawn(move || consume(consumer, wait));
        let starters: Vec<_> = (0..3)
            .map(|starter| {
                let (lanes, balance, offered, accepted, ids, stop) =
                    (&lanes, &balance, &offered, &accepted, &ids, &stop);
                scope.spawn(move || {
                    while !stop.load(Relaxed) {
                        let id = ids.fetch_add(1, SeqCst) as usize;
                        let (lanes, balance) = (lanes.clone(), balance.clone());
                        let life = move || {
                            let producer = (starter > 0).then(|| lanes.producer());
                            let mut got = 0;
                            for number in 0..500 {
                                let item = balance.item(id * PRODUCER + number);
                                let pushed = match &producer {
                                    Some(producer) => producer.push(item),
                                    None => lanes.push(item),
                                };
                                got += u64::from(pushed.is_ok());
                            }
                            got
                        };
                        // Joined: a scope ends before the thread-locals of its threads do.
                        accepted.fetch_add(thread::spawn(life).join().expect("a life ends"), SeqCst);
                        offered.fetch_add(500, SeqCst);
                    }
                })
            })
            .collect();
        let start = Instant::now();
        while start.elapsed() < time {
            thread::yield_now();
        }
        // In the middle of pushes: those that race are accepted or refused, and counted either way.
        lanes.close();
        stop.store(true, Relaxed);
        starters.into_iter().for_each(|starter| starter.join().expect("a starter ends"));
        taken.join().expect("the consumer ends")
    });
    let stats = lanes.stats();
    assert_eq!(stats.accepted, accepted.load(SeqCst));
    assert_eq!(stats.accepted + stats.refused, offered.load(SeqCst));
    assert_eq!((stats.taken, stats.taken), (taken, accepted.load(SeqCst)), "{stats:?}");
    assert!(taken > 100, "it ran");
    assert!(balance.is_even(), "{balance:?}");
}

/// Guards, under threads that come and go: order, no loss, no duplicate, exact counts, drops; polling, tiny segments.
#[test]
fn threads_come_and_go() {
    let (lanes, consumer) = LanesConfig::default().with_capacity(100).with_segment(2).build().unwrap();
    stress(lanes, consumer, false, stress_time() / 2);
}

/// As above, with a consumer that sleeps.
#[test]
fn threads_come_and_go_and_the_consumer_sleeps() {
    let (lanes, consumer) = LanesConfig::default().with_capacity(64).with_threshold(4).build().unwrap();
    stress(lanes, consumer, true, stress_time() / 2);
}

/// Guards the bound under threads: never more than the capacity waits.
#[test]
fn the_bound_holds_under_threads() {
    let (lanes, mut consumer) = Lanes::bounded(64);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let (producer, stop) = (lanes.producer(), &stop);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    let _ = producer.push(1);
                }
            });
        }
        let (start, mut out) = (Instant::now(), Vec::new());
        while start.elapsed() < stress_time() / 4 {
            out.clear();
            assert!(
                consumer.drain(usize::MAX, &mut out) <= 64 + 64,
                "a drain takes what came during it, too"
            );
            assert!(consumer.len() <= 64);
        }
        stop.store(true, Relaxed);
    });
    let mut out = Vec::new();
    assert!(consumer.drain(usize::MAX, &mut out) <= 64);
}
