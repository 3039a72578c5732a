//! Models of `Lanes`, with lanes of one slot and capacities of a few.

use std::time::{Duration, Instant};

use aqueduct_lockfree::{Consumer, LanesConfig, LanesStats, PushError};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread;

use crate::model;

fn config(capacity: usize) -> LanesConfig {
    LanesConfig::default().with_capacity(capacity).with_segment(1)
}

fn drain(consumer: &mut Consumer<Box<u32>>, out: &mut Vec<u32>) {
    let mut batch = Vec::new();
    consumer.drain(usize::MAX, &mut batch);
    out.extend(batch.into_iter().map(|item| *item));
}

/// A producer that outgrows its segments while the consumer drains: order, nothing lost, no slot touched by two, no segment leaked.
#[test]
fn a_lane_grows_while_it_is_drained() {
    model(3, || {
        let (lanes, mut consumer) = config(4).build().unwrap();
        let producer = lanes.producer();
        let pusher =
            thread::spawn(move || (0..3).filter(|&number| producer.push(Box::new(number)).is_ok()).count());
        let mut out = Vec::new();
        drain(&mut consumer, &mut out);
        drain(&mut consumer, &mut out);
        assert_eq!(pusher.join().unwrap(), 3);
        drain(&mut consumer, &mut out);
        assert_eq!(out, [0, 1, 2]);
    });
}

/// Slots are used again as the consumer gives them back, with no room to grow.
#[test]
fn a_slot_is_used_again() {
    model(3, || {
        let (lanes, mut consumer) = config(1).build().unwrap();
        let producer = lanes.producer();
        let pusher =
            thread::spawn(move || (0..3).filter(|&number| producer.push(Box::new(number)).is_ok()).count());
        let mut out = Vec::new();
        drain(&mut consumer, &mut out);
        drain(&mut consumer, &mut out);
        let accepted = pusher.join().unwrap();
        drain(&mut consumer, &mut out);
        assert_eq!(out.len(), accepted);
        assert!(out.is_sorted());
        assert_eq!(lanes.stats().refused as usize, 3 - accepted);
    });
}

/// Two producers share a capacity of two: never more accepted than fits, and all that was accepted comes out.
#[test]
fn producers_share_the_credit() {
    model(2, || {
        let (lanes, mut consumer) = config(2).build().unwrap();
        let pushers = [0, 1].map(|id| {
            let producer = lanes.producer();
            thread::spawn(move || {
                (0..2).filter(|&number| producer.push(Box::new(10 * id + number)).is_ok()).count()
            })
        });
        let accepted: usize = pushers.into_iter().map(|pusher| pusher.join().unwrap()).sum();
        assert!((1..=2).contains(&accepted), "{accepted}");
        let mut out = Vec::new();
        drain(&mut consumer, &mut out);
        assert_eq!(out.len(), accepted);
    });
}

/// A producer that is made, pushes and goes while the consumer drains: handed over, and finished only afterwards.
#[test]
fn a_producer_comes_and_goes() {
    model(2, || {
        let (lanes, mut consumer) = config(2).build().unwrap();
        let pusher = {
            let lanes = lanes.clone();
            thread::spawn(move || lanes.producer().push(Box::new(1)).is_ok())
        };
        let mut out = Vec::new();
        drain(&mut consumer, &mut out);
        assert!(pusher.join().unwrap());
        lanes.close();
        while !consumer.is_finished() {
            drain(&mut consumer, &mut out);
        }
        assert_eq!(out, [1]);
    });
}

/// Closing against a push: accepted is found, refused is counted, and finished means that nothing follows.
#[test]
fn closing_races_with_pushing() {
    model(3, || {
        let (lanes, mut consumer) = config(2).build().unwrap();
        let producer = lanes.producer();
        let pusher = thread::spawn(move || match producer.push(Box::new(1)) {
            Ok(()) => 1,
            Err(PushError::Closed(_)) => 0,
            Err(other) => panic!("{other:?}"),
        });
        consumer.close();
        let mut out = Vec::new();
        while !consumer.is_finished() {
            drain(&mut consumer, &mut out);
            thread::yield_now();
        }
        assert_eq!(pusher.join().unwrap(), out.len());
        assert_eq!(lanes.stats().accepted + lanes.stats().refused, 1);
    });
}

/// The consumer goes while a producer pushes: nothing is leaked, whoever is last, and each item that was accepted counts as taken or as discarded,
/// before the producer goes and after.
#[test]
fn the_consumer_goes() {
    model(3, || {
        let (lanes, mut consumer) = config(4).build().unwrap();
        let producer = lanes.producer();
        producer.push(Box::new(1)).unwrap();
        let mut out = Vec::new();
        drain(&mut consumer, &mut out);
        let pusher = thread::spawn(move || {
            let accepted = (2..4).filter(|&number| producer.push(Box::new(number)).is_ok()).count() as u64;
            (accepted, producer)
        });
        drop(consumer);
        let (accepted, producer) = pusher.join().unwrap();
        let counts = |stats: LanesStats| {
            assert_eq!(stats.waiting(), 0);
            [stats.accepted, stats.refused, stats.taken, stats.discarded]
        };
        assert_eq!(counts(lanes.stats()), [1 + accepted, 2 - accepted, 1, accepted]);
        drop(producer);
        assert_eq!(counts(lanes.stats()), [1 + accepted, 2 - accepted, 1, accepted]);
    });
}

/// The consumer and a producer go at the same time, and a third thread reads the counts: never more taken or discarded than accepted, nor more than
/// there was.
#[test]
fn both_ends_go() {
    model(3, || {
        let (lanes, consumer) = config(2).build().unwrap();
        let producer = lanes.producer();
        producer.push(Box::new(1)).unwrap();
        let pusher = thread::spawn(move || producer.push(Box::new(2)).is_ok());
        let reader = {
            let lanes = lanes.clone();
            thread::spawn(move || {
                let stats = lanes.stats();
                assert!(stats.accepted >= stats.taken + stats.discarded && stats.accepted <= 2, "{stats:?}");
            })
        };
        drop(consumer);
        let accepted = 1 + u64::from(pusher.join().unwrap());
        reader.join().unwrap();
        let stats = lanes.stats();
        assert_eq!((stats.accepted, stats.taken, stats.discarded), (accepted, 0, accepted));
        assert_eq!((stats.refused, stats.waiting()), (2 - accepted, 0));
    });
}

/// The threshold wakes a consumer that goes to sleep at the same time. In loom no deadline ends a wait: a lost wake is a deadlock.
#[test]
fn the_threshold_wakes() {
    for threshold in [1, 2] {
        model(3, move || {
            let (lanes, mut consumer) = config(2).with_threshold(threshold).build().unwrap();
            let producer = lanes.producer();
            let pusher = thread::spawn(move || {
                (0..threshold as u32).for_each(|number| producer.push(Box::new(number)).unwrap());
                producer
            });
            let far = Instant::now() + Duration::from_secs(3600);
            // Woken when half of the threshold waits, at the latest: once for each half.
            consumer.wait_drain(far, usize::MAX, &mut Vec::new());
            drop(pusher.join().unwrap());
        });
    }
}

/// As above with two producers, each of which brings half of the threshold.
#[test]
fn the_threshold_of_two_producers_wakes() {
    model(2, || {
        let (lanes, mut consumer) = config(2).with_threshold(2).build().unwrap();
        let pushers = [0, 1].map(|number| {
            let producer = lanes.producer();
            thread::spawn(move || producer.push(Box::new(number)).unwrap())
        });
        let far = Instant::now() + Duration::from_secs(3600);
        consumer.wait_drain(far, usize::MAX, &mut Vec::new());
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
    });
}

/// Closing and nudging wake a consumer that goes to sleep at the same time.
#[test]
fn closing_and_nudging_wake() {
    for close in [true, false] {
        model(3, move || {
            let (lanes, mut consumer) = config(2).build::<Box<u32>>().unwrap();
            let other = thread::spawn(move || if close { lanes.close() } else { lanes.wake() });
            let far = Instant::now() + Duration::from_secs(3600);
            consumer.wait_drain(far, usize::MAX, &mut Vec::new());
            other.join().unwrap();
        });
    }
}

/// The notifier: an armed consumer is either told at once that there is something, or notified exactly once.
#[test]
fn an_armed_consumer_is_notified() {
    model(3, || {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let config = config(2).with_threshold(1).with_notifier(move || _ = counted.fetch_add(1, SeqCst));
        let (lanes, mut consumer) = config.build().unwrap();
        let producer = lanes.producer();
        let pusher = thread::spawn(move || producer.push(Box::new(1)).unwrap());
        let armed = consumer.arm();
        pusher.join().unwrap();
        let calls = calls.load(SeqCst);
        assert!(if armed { calls == 1 } else { calls <= 1 }, "{armed} {calls}");
        let mut out = Vec::new();
        drain(&mut consumer, &mut out);
        assert_eq!(out, [1]);
    });
}
