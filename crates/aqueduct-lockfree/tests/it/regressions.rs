//! One test for each defect that was found, named after it.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aqueduct_lockfree::map::{Admitted, Capped, Guard};
use aqueduct_lockfree::{Lanes, LanesConfig, PushError, Queue, ShardedCounter};

use crate::items::{panics, stress_time};

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

/// More than 2^63 between two takings was taken for a total that lags behind: the counter gave nothing until its sum had wrapped around.
#[test]
fn a_counter_kept_what_was_beyond_half_of_its_range() {
    let counter = ShardedCounter::with_cells(4);
    counter.add(u64::MAX - 1);
    assert_eq!((counter.sum(), counter.take(), counter.sum()), (u64::MAX - 1, u64::MAX - 1, 0));
    for part in [1, 1 << 63, (1 << 63) + 1, u64::MAX] {
        counter.add(part);
        assert_eq!(counter.take(), part);
    }
    assert_eq!(counter.take(), 0);
}

/// What a producer pushed while the consumer was dropped, after its lane had been looked at, counted as waiting ever after; and if a producer ended
/// before its lane had been looked at, what the lane held counted for more or for less than it was.
#[test]
fn a_push_beside_the_end_of_the_consumer_waited_for_ever() {
    /// An item whose destructor runs in the middle of the end of the consumer.
    struct Item(Option<Box<dyn FnOnce() + Send>>);
    impl Drop for Item {
        fn drop(&mut self) {
            if let Some(work) = self.0.take() {
                work();
            }
        }
    }
    let (lanes, mut consumer) = Lanes::bounded(64);
    let [first, second, third] = [(); 3].map(|()| lanes.producer());
    assert!([&first, &second, &third].iter().all(|producer| producer.push(Item(None)).is_ok()));
    assert_eq!(consumer.drain(2, &mut Vec::new()), 2);
    // Two more to each of the later lanes, the last of which end while the first is being emptied.
    assert!((0..2).all(|_| second.push(Item(None)).is_ok() && third.push(Item(None)).is_ok()));
    let stats = lanes.clone();
    let end = move || {
        drop((second, third));
        let stats = stats.stats();
        assert_eq!((stats.accepted, stats.taken, stats.waiting()), (8, 2, 0), "in the middle: {stats:?}");
    };
    assert!(first.push(Item(Some(Box::new(end)))).is_ok());
    drop(consumer);
    drop(first);
    let stats = lanes.stats();
    assert_eq!((stats.accepted, stats.taken, stats.discarded, stats.waiting()), (8, 2, 6, 0), "{stats:?}");
}

const CHILD: &str = "AQUEDUCT_LOCKFREE_TEST_STRANGERS";

/// The collector that frees segments frees other structures' garbage as well, and did so between claiming items and taking them: when a destructor
/// panicked there, the claimed items were gone. In a process of its own, because the garbage is put where any thread may find it.
#[test]
fn a_strangers_panic_lost_what_a_queue_had_claimed() {
    /// What another user of the collector leaves behind.
    fn leave_bombs() {
        crossbeam_epoch::pin().defer(|| {
            EXPLODED.fetch_add(1, Ordering::Relaxed);
            panic!("a stranger's destructor panics, as asked for")
        });
    }

    static EXPLODED: AtomicUsize = AtomicUsize::new(0);

    if std::env::var_os(CHILD).is_none() {
        let output = Command::new(std::env::current_exe().expect("this is a program"))
            .args([
                "--exact",
                "regressions::a_strangers_panic_lost_what_a_queue_had_claimed",
                "--test-threads=1",
            ])
            .env(CHILD, "1")
            // The collector forgets the rest of the garbage that it was at when the panic came; not what this is about.
            .env("ASAN_OPTIONS", "detect_leaks=0")
            .output()
            .expect("the test runs again");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    const ITEMS: u64 = 700;
    // One by one and in batches, from segments of seven slots, so that most of the collecting is at their ends.
    for max in [1, 5] {
        let queue = Queue::<[u64; 80]>::new();
        (0..ITEMS).for_each(|item| queue.push([item; 80]));
        let (mut taken, mut batch) = (Vec::new(), Vec::new());
        let before = EXPLODED.load(Ordering::Relaxed);
        while !queue.is_empty() {
            // Pinning may set off one left before.
            panics(leave_bombs);
            panics(|| match max {
                1 => taken.extend(queue.pop().map(|item| item[0])),
                _ => _ = queue.pop_batch(&mut batch, max),
            });
            taken.extend(batch.drain(..).map(|item| item[0]));
        }
        let exploded = EXPLODED.load(Ordering::Relaxed) - before;
        assert!(exploded > 10, "the strangers' destructors hardly ran: {exploded}");
        assert!(taken.iter().copied().eq(0..ITEMS), "{} of {ITEMS} came", taken.len());
    }
}
