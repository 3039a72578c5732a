//! Models of `Ring`.

use aqueduct_lockfree::{PushError, Ring};
use loom::sync::Arc;
use loom::thread;

use crate::model;

/// Two pushers and a popper on one slot: each value once, in some order, and no slot touched by two.
#[test]
fn pushers_and_a_popper_share_a_slot() {
    model(2, || {
        let ring = Arc::new(Ring::new(1));
        let pushers = [1, 2].map(|value| {
            let ring = ring.clone();
            thread::spawn(move || ring.push(Box::new(value)).is_ok())
        });
        let mut out: Vec<i32> = ring.pop().into_iter().map(|value| *value).collect();
        let accepted = pushers.map(|pusher| pusher.join().unwrap());
        out.extend(std::iter::from_fn(|| ring.pop()).map(|value| *value));
        out.sort_unstable();
        let expected: Vec<_> =
            [1, 2].into_iter().zip(accepted).filter(|pair| pair.1).map(|pair| pair.0).collect();
        assert_eq!(out, expected);
        assert_eq!(ring.refused() as usize, 2 - out.len());
        assert!(!out.is_empty(), "an empty ring takes one");
    });
}

/// Two poppers race for one value while a pusher brings the second: order holds for each, nobody gets one twice.
#[test]
fn poppers_race() {
    model(2, || {
        let ring = Arc::new(Ring::starting_at(2, u64::MAX));
        ring.push(Box::new(1)).unwrap();
        let popper = {
            let ring = ring.clone();
            thread::spawn(move || ring.pop())
        };
        let pusher = {
            let ring = ring.clone();
            thread::spawn(move || ring.push(Box::new(2)).is_ok())
        };
        let mine = ring.pop();
        let theirs = popper.join().unwrap();
        assert!(pusher.join().unwrap());
        let rest = ring.pop();
        let mut all: Vec<_> = [mine, theirs, rest].into_iter().flatten().map(|value| *value).collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

/// An overwriting push against a popper, on a full ring of one slot: either takes the oldest, and both values come out once.
#[test]
fn overwriting_races_with_popping() {
    model(3, || {
        let ring = Arc::new(Ring::new(1));
        ring.push(Box::new(1)).unwrap();
        let popper = {
            let ring = ring.clone();
            thread::spawn(move || ring.pop())
        };
        let displaced = ring.push_overwrite(Box::new(2)).unwrap();
        let popped = popper.join().unwrap();
        let mut all: Vec<_> =
            [displaced, popped, ring.pop()].into_iter().flatten().map(|value| *value).collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

/// Two overwriting pushes on a full ring: each displaces one.
#[test]
fn overwriters_race() {
    model(2, || {
        let ring = Arc::new(Ring::new(2));
        assert_eq!(ring.push_batch(&mut vec![Box::new(1), Box::new(2)]), 2);
        let other = {
            let ring = ring.clone();
            thread::spawn(move || ring.push_overwrite(Box::new(3)).unwrap().map(|value| *value))
        };
        let mine = ring.push_overwrite(Box::new(4)).unwrap().map(|value| *value);
        let mut displaced = [mine, other.join().unwrap()];
        displaced.sort_unstable();
        assert_eq!(displaced, [Some(1), Some(2)]);
        assert_eq!((ring.len(), ring.displaced()), (2, 2));
    });
}

/// Batches on both sides: neighbours stay neighbours, in order, nothing is lost.
#[test]
fn batches_race() {
    model(2, || {
        let ring = Arc::new(Ring::new(2));
        let pusher = {
            let ring = ring.clone();
            thread::spawn(move || {
                let mut batch = vec![Box::new(1), Box::new(2)];
                ring.push_batch(&mut batch) + batch.len()
            })
        };
        let single = {
            let ring = ring.clone();
            thread::spawn(move || ring.push(Box::new(3)).is_ok())
        };
        let mut out = Vec::new();
        ring.pop_batch(2, &mut out);
        assert_eq!(pusher.join().unwrap(), 2);
        let accepted = single.join().unwrap();
        ring.pop_batch(2, &mut out);
        let of_batch: Vec<_> = out.iter().map(|value| **value).filter(|&value| value < 3).collect();
        assert!([1, 2].starts_with(&of_batch), "{out:?}");
        assert_eq!(out.len() as u64 + ring.refused(), 3);
        assert_eq!(out.iter().any(|value| **value == 3), accepted);
    });
}

/// Closing against a push and an overwriting push: what was accepted is found, and finished means that nothing follows.
#[test]
fn closing_races_with_pushing() {
    model(3, || {
        let ring = Arc::new(Ring::new(1));
        let pusher = {
            let ring = ring.clone();
            thread::spawn(move || match ring.push(1) {
                Ok(()) => true,
                Err(PushError::Closed(1)) => false,
                Err(other) => panic!("{other:?}"),
            })
        };
        ring.close();
        let mut taken = 0;
        while !ring.is_finished() {
            taken += usize::from(ring.pop().is_some());
            thread::yield_now();
        }
        assert_eq!(pusher.join().unwrap(), taken == 1);
        assert_eq!(ring.pop(), None);
    });
}
