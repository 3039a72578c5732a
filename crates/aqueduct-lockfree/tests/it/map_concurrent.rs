//! `HashMap` and `Capped`, in many threads.

use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use aqueduct_lockfree::HashMap;
use aqueduct_lockfree::map::{Admitted, Capped, Guard, Operation};
use aqueduct_testkit::linearizability::{assert_linearizable, history};

use crate::census::{Census, Counted, together};
use crate::items::stress_time;
use crate::map::{Bad, collect_until};
use crate::models::{Slots, SlotsOperation};

/// Guards linearizability over histories of real threads, with keys that share buckets, and while tables grow and are cleared out.
#[test]
fn histories_are_linearizable() {
    let end = Instant::now() + stress_time();
    let mut rounds = 0;
    while Instant::now() < end || rounds < 20 {
        // Everybody in one bucket and the next.
        let map = HashMap::with_hasher(BuildHasherDefault::<Bad<0>>::default());
        // Just before growing, or far from it.
        (0..rounds % 7).for_each(|key| assert!(map.pin().insert(100 + key, 0).is_none()));
        let events = history(3, |thread, recorder| {
            for step in 0..7 {
                let (key, value) = (((thread + step) % 2) as u64, (thread * 10 + step) as u64);
                match (thread * 3 + step * 5 + rounds as usize) % 6 {
                    0 | 1 => recorder.record(|| SlotsOperation::Get(key, map.get_cloned(&key))),
                    2 => recorder
                        .record(|| SlotsOperation::Insert(key, value, map.pin().insert(key, value).copied())),
                    3 => recorder.record(|| SlotsOperation::Remove(key, map.pin().remove(&key).copied())),
                    4 => recorder.record(|| {
                        let got = *map.pin().get_or_insert_with(key, || value);
                        SlotsOperation::GetOrInsert(key, value, got)
                    }),
                    _ => recorder.record(|| {
                        let sum = map.pin().update(&key, |old| old + value).copied();
                        SlotsOperation::Add(key, value, sum)
                    }),
                }
                if step == 3 && thread == 0 {
                    // Not recorded: it changes nothing that the others can see, but puts the table under them.
                    map.shrink_to_fit();
                }
            }
        });
        assert_linearizable(&Slots::default(), &events);
        rounds += 1;
    }
}

/// Guards against the naive map's second entry for a key that two threads insert at once.
#[test]
fn duplicates_for_one_key() {
    for round in 0..200_u64 {
        let map = HashMap::new();
        let made = AtomicUsize::new(0);
        together(3, |thread| {
            for key in 0..50 {
                let pinned = map.pin();
                if (key + round) % 2 == 0 {
                    if pinned.insert(key, thread).is_none() {
                        made.fetch_add(1, Ordering::SeqCst);
                    }
                } else if let aqueduct_lockfree::map::Computed::Inserted(_) =
                    pinned.compute(key, |value| match value {
                        None => Operation::Insert(thread),
                        Some(_) => Operation::Keep,
                    })
                {
                    made.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let guard = Guard::pin();
        let mut keys: Vec<_> = map.iter(&guard).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        assert_eq!(keys, (0..50).collect::<Vec<_>>());
        assert_eq!((map.len(), made.into_inner()), (50, 50), "each key was new once");
    }
}

/// Guards against lost updates.
#[test]
fn no_update_is_lost() {
    let map: HashMap<u64, u64> = (0..4).map(|key| (key, 0)).collect();
    together(3, |thread| {
        for step in 0..5000_u64 {
            let key = (thread + step) % 4;
            if step % 2 == 0 {
                map.pin().update(&key, |value| value + 1);
            } else {
                map.pin().compute(key, |value| Operation::Insert(value.expect("it is never removed") + 1));
            }
        }
    });
    assert_eq!((0..4).filter_map(|key| map.get_cloned(&key)).sum::<u64>(), 15_000);
}

/// Guards readers against growth: keys that are there all the time are found all the time, with a value that was theirs, while others come, go, are
/// replaced, and the tables change under them.
#[test]
fn readers_never_miss_while_the_table_changes() {
    let map = HashMap::new();
    let census = Arc::new(Census::default());
    let value = |key: u64| (key, Counted::new(&census));
    (0..64).for_each(|key| assert!(map.pin().insert(key, value(key)).is_none()));
    let reads = AtomicUsize::new(0);
    let end = Instant::now() + stress_time();
    let write = |thread: u64| {
        let first = 1000 + thread * 10_000;
        let mine = first..first + 2000;
        for round in 1_u64.. {
            for other in mine.clone() {
                map.pin().insert(other, value(other));
                map.pin().insert(other % 64, value(other % 64));
            }
            for other in mine.clone() {
                assert_eq!(map.pin().remove(&other).map(|value| value.0), Some(other));
            }
            if round % 3 == 0 {
                map.pin().insert(first, value(first));
                map.retain(|key, _| !mine.contains(key));
                assert!(!map.contains_key(&first));
                map.shrink_to_fit();
            }
            if Instant::now() > end {
                break;
            }
        }
    };
    let read = || {
        let mut count = 0;
        while Instant::now() < end {
            let pinned = map.pin();
            for key in 0..64 {
                let value = pinned.get(&key).expect("it is never removed");
                assert!(value.0 == key && !value.1.dropped);
                count += 1;
            }
            let seen = pinned.iter().filter(|(key, _)| **key < 64).count();
            assert_eq!(seen, 64, "each of those that stay comes once");
        }
        reads.fetch_add(count, Ordering::SeqCst);
    };
    together(4, |thread| if thread < 2 { write(thread) } else { read() });
    assert!(reads.into_inner() > 1000);
    assert_eq!(map.len(), 64);
    drop(map);
    collect_until(|| census.alive() == 0);
}

/// Guards the cap against a race past it, and that each call gets its own value or the overflow.
#[test]
fn the_cap_holds_under_contention() {
    let map: Capped<u64, u64> = Capped::new(100, u64::MAX);
    let over = AtomicUsize::new(0);
    together(3, |thread| {
        for step in 0..20_000 {
            let guard = Guard::pin();
            let key = (step * 7 + thread) % 150;
            match map.get_or_insert_with(key, || key, &guard) {
                Admitted::Own(value) => assert_eq!(*value, key),
                Admitted::Overflow(value) => {
                    assert_eq!(*value, u64::MAX);
                    over.fetch_add(1, Ordering::Relaxed);
                }
            }
            assert!(map.len() <= 100);
            if step % 5 == 0 {
                map.remove(&((step + thread) % 150), &guard);
            }
        }
    });
    let guard = Guard::pin();
    assert!(map.iter(&guard).count() <= 100);
    assert_eq!(map.overflowed(), over.into_inner() as u64);
    assert_eq!(map.len(), map.iter(&guard).count());
}
