//! `HashMap`. In models there is one shard, whose table begins with one bucket and grows with the second entry.

use std::hash::{BuildHasherDefault, Hasher};

use aqueduct_lockfree::HashMap;
use aqueduct_lockfree::map::{Capped, Guard, Operation};
use loom::sync::Arc;
use loom::thread;

use crate::model;

/// The key itself.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers");
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Map = HashMap<u64, Box<u64>, BuildHasherDefault<Identity>>;

fn map() -> Arc<Map> {
    Arc::new(HashMap::with_hasher(BuildHasherDefault::default()))
}

/// Guards a reader against a replacement: it sees one value or the other, whole.
#[test]
fn read_while_replacing() {
    model(3, || {
        let map = map();
        map.pin().insert(1, Box::new(1));
        let other = map.clone();
        let writer =
            thread::spawn(move || assert_eq!(other.pin().insert(1, Box::new(2)), Some(&Box::new(1))));
        let seen = map.get_with(&1, |value| **value).expect("never removed");
        assert!(seen == 1 || seen == 2);
        writer.join().unwrap();
        assert_eq!(map.get_with(&1, |value| **value), Some(2));
    });
}

/// Guards a reader against growth: the key that was there is found, the new one is found by whoever saw it before.
#[test]
fn read_while_growing() {
    model(3, || {
        let map = map();
        map.pin().insert(1, Box::new(1));
        let other = map.clone();
        let writer = thread::spawn(move || {
            other.pin().insert(2, Box::new(2));
        });
        let before = map.get_with(&2, |value| **value);
        assert_eq!(map.get_with(&1, |value| **value), Some(1));
        let after = map.get_with(&2, |value| **value);
        assert!(before.is_none() || after == Some(2));
        writer.join().unwrap();
    });
}

/// Guards a reader against a slot that changes hands: another key's value is never taken for this one's.
#[test]
fn read_while_a_slot_is_reused() {
    model(3, || {
        let map = map();
        map.pin().insert(1, Box::new(1));
        let other = map.clone();
        let writer = thread::spawn(move || {
            other.pin().remove(&1);
            other.pin().insert(3, Box::new(3));
        });
        let pinned = map.pin();
        assert!(pinned.get(&1).is_none_or(|value| **value == 1));
        assert!(pinned.get(&3).is_none_or(|value| **value == 3));
        drop(pinned);
        writer.join().unwrap();
        assert_eq!(map.len(), 1);
    });
}

/// Guards the race of two inserts of one key.
#[test]
fn two_writers_of_one_key() {
    model(2, || {
        let map = map();
        let other = map.clone();
        let writer = thread::spawn(move || other.pin().insert(1, Box::new(1)).is_none());
        let mine = **map.pin().get_or_insert_with(1, || Box::new(2)) == 2;
        let theirs = writer.join().unwrap();
        assert!(theirs || mine, "one of them was first");
        assert_eq!(map.len(), 1);
        // Either the insertion was first, or it replaced.
        assert_eq!(map.get_with(&1, |value| **value), Some(1));
    });
}

/// Guards against a lost update.
#[test]
fn two_updates() {
    model(2, || {
        let map = map();
        map.pin().insert(1, Box::new(1));
        let other = map.clone();
        let writer = thread::spawn(move || {
            other.pin().update(&1, |value| Box::new(**value + 1));
        });
        map.pin().compute(1, |value| Operation::Insert(Box::new(**value.expect("it is there") + 1)));
        writer.join().unwrap();
        assert_eq!(map.get_with(&1, |value| **value), Some(3));
    });
}

/// Guards the limit against two new keys for the last place.
#[test]
fn the_last_place() {
    model(2, || {
        let map: Arc<Capped<u64, u64, _>> =
            Arc::new(Capped::with_hasher(1, 0, BuildHasherDefault::<Identity>::default()));
        let other = map.clone();
        let writer = thread::spawn(move || other.insert(1, 1, &Guard::pin()).is_ok());
        let mine = map.insert(2, 2, &Guard::pin()).is_ok();
        assert!(writer.join().unwrap() != mine, "one fits");
        assert_eq!(map.len(), 1);
    });
}
