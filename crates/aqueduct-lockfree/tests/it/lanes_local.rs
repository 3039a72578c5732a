//! The thread-local producer.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use aqueduct_lockfree::{Lanes, LanesConfig, PushError};

use crate::items::Balance;

/// Guards the hand-over at the end of threads, and their order.
#[test]
fn a_threads_items_outlive_it() {
    let (lanes, mut consumer) = Lanes::bounded(1000);
    for thread in 0..5_u64 {
        let lanes = lanes.clone();
        thread::spawn(move || (0..100).for_each(|number| lanes.push((thread, number)).unwrap()))
            .join()
            .unwrap();
    }
    let mut out = Vec::new();
    assert_eq!(consumer.drain(1000, &mut out), 500);
    for thread in 0..5 {
        let of_one: Vec<_> = out.iter().filter(|item| item.0 == thread).map(|item| item.1).collect();
        assert_eq!(of_one, (0..100).collect::<Vec<_>>());
    }
    lanes.close();
    assert!(consumer.is_finished(), "the producers went with their threads");
}

/// Guards against mixing up queues, of the same type and of different ones, on one thread.
#[test]
fn a_thread_pushes_to_several_queues() {
    let queues: Vec<_> = (0..3).map(|_| Lanes::<u64>::bounded(100)).collect();
    let (texts, mut of_texts) = Lanes::<String>::bounded(100);
    for number in 0..30 {
        queues[number % 3].0.push(number as u64).unwrap();
        texts.push(number.to_string()).unwrap();
    }
    for (index, (_, mut consumer)) in queues.into_iter().enumerate() {
        let mut out = Vec::new();
        assert_eq!(consumer.drain(100, &mut out), 10);
        assert!(out.iter().all(|number| *number as usize % 3 == index));
    }
    let mut out = Vec::new();
    of_texts.drain(100, &mut out);
    assert!(out.iter().enumerate().all(|(index, text)| *text == index.to_string()));
}

/// Guards against memory that stays: a queue that was closed is let go when the thread uses another.
#[test]
fn closed_queues_are_swept() {
    thread::spawn(|| {
        let balance = Balance::default();
        for number in 0..10 {
            let (lanes, consumer) = Lanes::bounded(10);
            lanes.push(balance.item(number)).unwrap();
            drop(consumer);
            assert!(matches!(lanes.push(balance.item(number)), Err(PushError::Closed(_))));
        }
        assert!(balance.is_even(), "{balance:?}");
    })
    .join()
    .unwrap();
}

/// Guards a push from the destructor of a thread-local, after the thread's producers are gone, or before.
#[test]
fn a_push_at_the_very_end_of_a_thread() {
    struct Last(Lanes<usize>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.push(7).unwrap();
        }
    }
    thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });
    for before in [true, false] {
        let (lanes, mut consumer) = Lanes::bounded(10);
        thread::spawn(move || {
            let keep =
                |lanes: &Lanes<usize>| LAST.with(|last| *last.borrow_mut() = Some(Last(lanes.clone())));
            if before {
                keep(&lanes);
            }
            lanes.push(1).unwrap();
            if !before {
                keep(&lanes);
            }
        })
        .join()
        .unwrap();
        let mut out = Vec::new();
        consumer.drain(10, &mut out);
        out.sort_unstable();
        assert_eq!(out, [1, 7]);
    }
}

/// Guards the notifier that comes back into the queue on the same thread, and makes the thread sweep: nothing under way is freed.
#[test]
fn a_notifier_may_push() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (other, mut of_other) = Lanes::<u64>::bounded(100);
    let counted = calls.clone();
    let slot: Arc<std::sync::OnceLock<Lanes<u64>>> = Arc::default();
    // Weak: the notifier belongs to the queue, and would keep it for ever.
    let own = Arc::downgrade(&slot);
    let config = LanesConfig::default().with_capacity(8).with_threshold(2).with_notifier(move || {
        counted.fetch_add(1, SeqCst);
        let own = own.upgrade().expect("the test holds it");
        let own = own.get().expect("it was set");
        own.close();
        other.push(1).unwrap();
        assert!(own.push(2).is_err());
    });
    let (lanes, mut consumer) = config.build::<u64>().unwrap();
    assert!(slot.set(lanes.clone()).is_ok());
    assert!(consumer.arm());
    let accepted = (0..8).filter(|&number| lanes.push(number).is_ok()).count();
    assert_eq!(calls.load(SeqCst), 1);
    assert_eq!(consumer.drain(100, &mut Vec::new()), accepted);
    assert_eq!(of_other.drain(100, &mut Vec::new()), 1);
}
