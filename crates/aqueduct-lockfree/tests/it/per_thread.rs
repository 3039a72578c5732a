//! Values per thread, against threads that really end.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread;

use aqueduct_lockfree::{Absorb, PerThread};

/// A count that knows how many of it there are.
struct Count(AtomicU64, Arc<AtomicUsize>);

impl Count {
    fn add(&self, count: u64) {
        self.0.store(self.0.load(Relaxed) + count, Relaxed);
    }
}

impl Absorb for Count {
    fn absorb(&self, other: &Self) {
        self.add(other.0.load(Relaxed));
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Relaxed);
    }
}

fn counts() -> (PerThread<Count>, Arc<AtomicUsize>) {
    let alive = Arc::new(AtomicUsize::new(0));
    let made = alive.clone();
    let make = move || {
        made.fetch_add(1, Relaxed);
        Count(AtomicU64::new(0), made.clone())
    };
    (PerThread::new(make), alive)
}

fn sum(counts: &PerThread<Count>) -> u64 {
    counts.read(|all| all.map(|count| count.0.load(Relaxed)).sum())
}

/// Guards the handing over: with a thousand threads one after the other nothing is lost, and no more values are alive than threads.
#[test]
fn ended_threads_leave_their_counts_and_no_memory() {
    let (counts, alive) = counts();
    let counts = Arc::new(counts);
    for turn in 1..=1000 {
        let counts = counts.clone();
        thread::spawn(move || (0..3).for_each(|_| counts.with(|count| count.add(1)))).join().unwrap();
        assert_eq!((turn, alive.load(Relaxed)), (turn, 1), "the rest alone");
    }
    assert_eq!((sum(&counts), counts.threads()), (3000, 0));
}

/// Guards the places past the first group: 200 threads at once have a value each.
#[test]
fn more_threads_than_the_first_slots() {
    const THREADS: usize = 200;
    let (counts, alive) = counts();
    let counts = Arc::new(counts);
    let (all, go) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                counts.with(|count| count.add(1));
                all.wait();
                go.wait();
                counts.with(|count| count.add(1));
            });
        }
        all.wait();
        assert_eq!((counts.threads(), sum(&counts)), (THREADS, THREADS as u64));
        assert_eq!(alive.load(Relaxed), THREADS + 1);
        go.wait();
    });
    assert_eq!(sum(&counts), 2 * THREADS as u64);
    drop(counts);
}

/// Guards threads that outlive the structure: their values are freed with it, and their ends find nothing to hand over.
#[test]
fn the_structure_may_go_first() {
    let (counts, alive) = counts();
    let counts = Arc::new(counts);
    let (used, gone) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let thread = {
        let (counts, used, gone) = (counts.clone(), used.clone(), gone.clone());
        thread::spawn(move || {
            counts.with(|count| count.add(1));
            drop(counts);
            used.wait();
            gone.wait();
        })
    };
    used.wait();
    assert_eq!(sum(&counts), 1);
    drop(counts);
    assert_eq!(alive.load(Relaxed), 0);
    gone.wait();
    thread.join().unwrap();
}

/// Guards the end of a thread's life: a destructor of a thread-local that runs after the place was given back still counts.
#[test]
fn destructors_at_the_end_of_a_thread_count() {
    struct Last(Arc<PerThread<Count>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.with(|count| count.add(10));
        }
    }
    thread_local!(static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) });

    for first in [true, false] {
        let (counts, alive) = counts();
        let counts = Arc::new(counts);
        let inside = counts.clone();
        thread::spawn(move || {
            // Either order in which the two destructors are registered.
            if first {
                LAST.set(Some(Last(inside.clone())));
            }
            inside.with(|count| count.add(1));
            LAST.set(Some(Last(inside.clone())));
        })
        .join()
        .unwrap();
        // With `first`, the one that was replaced counted as well.
        assert_eq!(sum(&counts), if first { 21 } else { 11 });
        assert_eq!(alive.load(Relaxed), 1);
    }
}

/// Guards against a list that grows for ever: a thread that uses many structures one after the other.
#[test]
fn many_structures_on_one_thread() {
    for _ in 0..10_000 {
        let (counts, alive) = counts();
        counts.with(|count| count.add(1));
        assert_eq!((sum(&counts), alive.load(Relaxed)), (1, 2));
        drop(counts);
        assert_eq!(alive.load(Relaxed), 0);
    }
}
