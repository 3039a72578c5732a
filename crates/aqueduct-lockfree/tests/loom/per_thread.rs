//! Models of the values per thread: owners that begin and end, and a reader.

use aqueduct_lockfree::{Absorb, PerThread};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;

use crate::model;

/// A count whose end is an exclusive access, which loom does not let happen beside any other.
struct Count(AtomicU64);

impl Count {
    fn new() -> Count {
        Count(AtomicU64::new(0))
    }

    fn add(&self, count: u64) {
        self.0.store(self.read() + count, Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Absorb for Count {
    fn absorb(&self, other: &Self) {
        self.add(other.read());
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.with_mut(|_| ());
    }
}

fn sum(counts: &PerThread<Count>) -> u64 {
    counts.read(|all| all.map(Count::read).sum())
}

/// A thread that counts and ends while another reads: the reader meets no freed value, counts nothing twice, and nothing is lost.
#[test]
fn reading_races_with_an_end() {
    model(3, || {
        let counts = Arc::new(PerThread::new(Count::new));
        let owner = {
            let counts = counts.clone();
            thread::spawn(move || {
                counts.with_at(0, |count| count.add(1));
                counts.with_at(0, |count| count.add(2));
                counts.end_at(0);
            })
        };
        assert!([0, 1, 3].contains(&sum(&counts)));
        owner.join().unwrap();
        assert_eq!((sum(&counts), counts.threads()), (3, 0));
    });
}

/// Two threads with places of their own, in the first group and a later one, and one without, which uses the rest.
#[test]
fn places_and_the_rest() {
    model(2, || {
        let counts = Arc::new(PerThread::new(Count::new));
        let owners = [0, usize::MAX].map(|place| {
            let counts = counts.clone();
            thread::spawn(move || {
                counts.with_at(place, |count| count.add(1));
                counts.end_at(place);
            })
        });
        counts.with_at(70, |count| count.add(4));
        assert!([4, 5, 6].contains(&sum(&counts)));
        owners.into_iter().for_each(|owner| owner.join().unwrap());
        assert_eq!((sum(&counts), counts.threads()), (6, 1));
    });
}
