//! `Queue`, in many threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use aqueduct_lockfree::Queue;
use aqueduct_testkit::linearizability::{assert_linearizable, history};

use crate::census::{Census, Counted, together};
use crate::items::stress_time;
use crate::models::{Fifo, FifoOperation};

/// Guards linearizability over histories of real threads: single operations and batches (as the operations they consist of would
/// only be right if nobody came between, batches here are of one item).
#[test]
fn histories_are_linearizable() {
    let end = Instant::now() + stress_time() / 2;
    let mut rounds = 0;
    while Instant::now() < end || rounds < 20 {
        // Starting near a segment's end, so that moving on is part of most histories.
        let queue = Queue::starting_at(u64::MAX - 255);
        for item in 0..250 {
            queue.push(item);
            queue.pop();
        }
        let events = history(3, |thread, recorder| {
            let mut items = Vec::new();
            for step in 0..6 {
                let item = (thread * 10 + step) as u64;
                match (thread + step + rounds) % 5 {
                    0 => recorder.record(|| {
                        queue.push(item);
                        FifoOperation::Push(item, Ok(()))
                    }),
                    1 => recorder.record(|| {
                        queue.push_batch(&mut vec![item]);
                        FifoOperation::Push(item, Ok(()))
                    }),
                    2 => recorder.record(|| FifoOperation::Pop(queue.pop())),
                    3 => recorder.record(|| FifoOperation::IsEmpty(queue.is_empty())),
                    _ => recorder.record(|| {
                        queue.pop_batch(&mut items, 1);
                        FifoOperation::Pop(items.pop())
                    }),
                }
            }
        });
        assert_linearizable(&Fifo::unbounded(), &events);
        rounds += 1;
    }
}

/// Producers push what tells who they are and how far they got; consumers check the order. Returns how many items went through.
fn stress(producers: u64, consumers: u64, batch: usize) -> u64 {
    let queue = Queue::<Box<(u64, u64)>>::new();
    let producing = AtomicU64::new(producers);
    let (pushed, popped, sum) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let end = Instant::now() + stress_time() / 2;
    let produce = |producer: u64| {
        let (mut next, mut total, mut items) = (0, 0_u64, Vec::new());
        while Instant::now() < end {
            for _ in 0..batch {
                total = total.wrapping_add(next ^ producer << 32);
                items.push(Box::new((producer, next)));
                next += 1;
            }
            match batch {
                1 => items.drain(..).for_each(|item| queue.push(item)),
                _ => queue.push_batch(&mut items),
            }
            // The queue has no bound, and the test should.
            while queue.len() > 100_000 {
                thread::yield_now();
            }
        }
        pushed.fetch_add(next, Ordering::SeqCst);
        sum.fetch_add(total, Ordering::SeqCst);
        producing.fetch_sub(1, Ordering::SeqCst);
    };
    let consume = || {
        let mut last = vec![None; producers as usize];
        let (mut count, mut total, mut items) = (0, 0_u64, Vec::new());
        loop {
            let over = producing.load(Ordering::SeqCst) == 0;
            match batch {
                1 => items.extend(queue.pop()),
                _ => assert!(queue.pop_batch(&mut items, batch + 1) <= batch + 1),
            }
            if items.is_empty() {
                if over {
                    break;
                }
                thread::yield_now();
            }
            for item in items.drain(..) {
                let (producer, index) = *item;
                let before = last[producer as usize].replace(index);
                assert!(before < Some(index), "the order of one producer is kept");
                total = total.wrapping_add(index ^ producer << 32);
                count += 1;
            }
        }
        popped.fetch_add(count, Ordering::SeqCst);
        sum.fetch_sub(total, Ordering::SeqCst);
    };
    together(producers + consumers, |thread| if thread < producers { produce(thread) } else { consume() });
    assert_eq!(popped.load(Ordering::SeqCst), pushed.load(Ordering::SeqCst), "each item comes once");
    assert_eq!(sum.load(Ordering::SeqCst), 0, "what comes is what went in");
    assert!(queue.is_empty());
    popped.into_inner()
}

/// Guards against the naive queue's first two defects, which the allocator and the boxes' contents show: a segment freed while others are in it, and an item
/// taken by two consumers or by none.
#[test]
fn use_after_free_of_the_old_head() {
    assert!(stress(2, 2, 1) > 1000);
}

/// Guards against the same with batches, which claim many slots at once.
#[test]
fn moving_the_value_out_before_winning_the_race() {
    assert!(stress(2, 2, 37) > 1000);
}

/// Guards that each item is dropped exactly once, whoever gets it, and that memory of emptied segments comes back.
#[test]
fn drop_balance() {
    let census = Arc::new(Census::default());
    let queue = Queue::new();
    together(4, |thread| {
        if thread < 2 {
            (0..20_000).for_each(|_| queue.push(Counted::new(&census)));
            return;
        }
        let mut got = 0;
        while got < 15_000 {
            match queue.pop() {
                Some(item) => {
                    drop(item);
                    got += 1;
                }
                None => thread::yield_now(),
            }
        }
    });
    assert_eq!(census.alive(), 10_000);
    assert_eq!(queue.len(), 10_000);
    drop(queue);
    assert_eq!(census.alive(), 0);
}
