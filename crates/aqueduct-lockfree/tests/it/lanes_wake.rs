//! When the consumer of `Lanes` sleeps and wakes.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_lockfree::{Consumer, Lanes, LanesConfig};

/// Far enough not to be what ends a wait in these tests, near enough to fail rather than hang.
const FAR: Duration = Duration::from_secs(60);

/// Starts a thread that waits once, and says how long it took and what came.
fn waiting(mut consumer: Consumer<usize>) -> thread::JoinHandle<(Duration, usize, Consumer<usize>)> {
    let (ready, started) = mpsc::channel();
    let handle = thread::spawn(move || {
        ready.send(()).expect("the test listens");
        let start = Instant::now();
        let taken = consumer.wait_drain(start + FAR, usize::MAX, &mut Vec::new());
        (start.elapsed(), taken, consumer)
    });
    started.recv().expect("the thread starts");
    handle
}

/// Guards the threshold: reaching it wakes, whenever the consumer falls asleep.
#[test]
fn the_threshold_wakes() {
    for delay in [0, 1, 5] {
        let (lanes, consumer) = LanesConfig::default().with_capacity(64).with_threshold(16).build().unwrap();
        let waiting = waiting(consumer);
        thread::sleep(Duration::from_millis(delay));
        let producers = [lanes.producer(), lanes.producer()];
        (0..16).for_each(|number| producers[number % 2].push(number).unwrap());
        let (time, _, _) = waiting.join().unwrap();
        assert!(time < FAR / 2, "{time:?}");
    }
}

/// Guards the deadline: what is below the threshold is there then, and not before.
#[test]
fn the_deadline_brings_what_there_is() {
    let (lanes, mut consumer) = Lanes::bounded(64);
    lanes.push(1).unwrap();
    let (start, pause) = (Instant::now(), Duration::from_millis(20));
    let mut out = Vec::new();
    assert_eq!(consumer.wait_drain(start + pause, 64, &mut out), 1);
    assert!(start.elapsed() >= pause, "one item is no reason to wake");
    assert_eq!(consumer.wait_drain(start, 64, &mut out), 0, "a deadline in the past does not wait");
}

/// Guards that closing and waking end a wait, before and during it.
#[test]
fn closing_and_waking_end_a_wait() {
    let (lanes, mut consumer) = Lanes::bounded(64);
    lanes.wake();
    consumer.wait_drain(Instant::now() + FAR, 64, &mut Vec::new());
    let pause = Duration::from_millis(5);
    let start = Instant::now();
    consumer.wait_drain(start + pause, 64, &mut Vec::new());
    assert!(start.elapsed() >= pause, "a wake is used up by one wait");

    let waiting_once = waiting(consumer);
    lanes.wake();
    let (time, taken, consumer) = waiting_once.join().unwrap();
    assert!(time < FAR / 2 && taken == 0);
    let waiting_again = waiting(consumer);
    lanes.close();
    let (time, _, mut consumer) = waiting_again.join().unwrap();
    assert!(time < FAR / 2);
    assert_eq!(consumer.wait_drain(Instant::now() + FAR, 64, &mut Vec::new()), 0, "closed: no further wait");
}

/// Guards the notifier: once for each arming, and not without.
#[test]
fn the_notifier_is_called_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let config = LanesConfig::default().with_capacity(64).with_threshold(8);
    let (lanes, mut consumer) =
        config.with_notifier(move || _ = counted.fetch_add(1, SeqCst)).build().unwrap();
    let producer = lanes.producer();
    for round in 0..3 {
        assert!(consumer.arm());
        (0..64).for_each(|number| _ = producer.push(number));
        assert_eq!(calls.load(SeqCst), round + 1);
        assert!(!consumer.arm(), "there is enough");
        consumer.drain(usize::MAX, &mut Vec::new());
        (0..64).for_each(|number| _ = producer.push(number));
        assert_eq!(calls.load(SeqCst), round + 1, "nobody armed");
        consumer.drain(usize::MAX, &mut Vec::new());
    }
    assert!(consumer.arm());
    lanes.close();
    assert_eq!(calls.load(SeqCst), 4);
}

/// Guards against a wake for nothing: a consumer is not woken for what it has taken already.
#[test]
fn wakes_are_few() {
    let (lanes, mut consumer) =
        LanesConfig::default().with_capacity(2048).with_threshold(1024).build().unwrap();
    const ITEMS: usize = 200_000;
    let producer = thread::spawn(move || {
        let producer = lanes.producer();
        for number in 0..ITEMS {
            while producer.push(number).is_err() {
                thread::yield_now();
            }
        }
    });
    let (mut taken, mut waits, mut out) = (0, 0, Vec::new());
    while taken < ITEMS {
        let deadline = Instant::now() + if ITEMS - taken < 2048 { Duration::from_millis(1) } else { FAR };
        taken += consumer.wait_drain(deadline, usize::MAX, &mut out);
        out.clear();
        waits += 1;
    }
    producer.join().unwrap();
    assert!(waits <= ITEMS / 256, "{waits} waits");
}
