//! Single operations in loops, to count instructions of.

use aqueduct_lockfree::{Lanes, Ring, ShardedCounter};

const CAPACITY: usize = 2048;
/// How many items a drain takes.
const BATCH: u64 = 512;

/// A push and its share of a drain, `count` times.
#[must_use]
pub fn lanes_push_drain(count: u64) -> u64 {
    let (lanes, mut consumer) = Lanes::bounded(CAPACITY);
    let producer = lanes.producer();
    let (mut batch, mut sum) = (Vec::with_capacity(CAPACITY), 0);
    for number in 0..count {
        if producer.push(number).is_err() || number % BATCH == BATCH - 1 {
            consumer.drain(CAPACITY, &mut batch);
            sum += batch.drain(..).sum::<u64>();
        }
    }
    sum
}

/// As [`lanes_push_drain`], by the thread's own producer.
#[must_use]
pub fn lanes_local_push_drain(count: u64) -> u64 {
    let (lanes, mut consumer) = Lanes::bounded(CAPACITY);
    let (mut batch, mut sum) = (Vec::with_capacity(CAPACITY), 0);
    for number in 0..count {
        if lanes.push(number).is_err() || number % BATCH == BATCH - 1 {
            consumer.drain(CAPACITY, &mut batch);
            sum += batch.drain(..).sum::<u64>();
        }
    }
    sum
}

/// A push and a pop, `count` times.
#[must_use]
pub fn ring_push_pop(count: u64) -> u64 {
    let ring = Ring::new(CAPACITY);
    (0..count).filter_map(|number| ring.push(number).ok().and_then(|()| ring.pop())).sum()
}

/// An increment, `count` times.
#[must_use]
pub fn counter_inc(count: u64) -> u64 {
    let counter = ShardedCounter::new();
    (0..count).for_each(|_| counter.inc());
    counter.sum()
}
