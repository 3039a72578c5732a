//! Is what threads see of a `Ring` what a bounded queue could have answered, one operation after another?

use std::time::Instant;

use aqueduct_lockfree::Ring;
use aqueduct_testkit::linearizability::{Event, assert_linearizable, history};

use crate::items::stress_time;
use crate::models::{Fifo, FifoOperation};

/// Runs a few operations on each of three threads and returns what they saw.
fn record(ring: &Ring<u64>, round: u64, close: bool) -> Vec<Event<FifoOperation>> {
    const OPERATIONS: u64 = 6;
    history(3, |thread, recorder| {
        let thread = thread as u64;
        let mut random = (round * 3 + thread + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut batch = Vec::new();
        for number in 0..OPERATIONS {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let item = thread * OPERATIONS + number;
            recorder.record(|| match random % 8 {
                _ if close && thread == 0 && number == OPERATIONS / 2 => {
                    ring.close();
                    FifoOperation::Close
                }
                0..=2 => FifoOperation::Push(item, ring.push(item)),
                3 if !close => FifoOperation::Overwrite(item, ring.push_overwrite(item).expect("open")),
                4 => FifoOperation::Len(ring.len()),
                // Of one: of more, the items are neighbours, but others may see the first without the second.
                5 => {
                    ring.pop_batch(1, &mut batch);
                    FifoOperation::Pop(batch.pop())
                }
                _ => FifoOperation::Pop(ring.pop()),
            });
        }
    })
}

/// Guards the order of all operations, overwriting included, on a ring so small that full and empty are frequent.
#[test]
fn histories_are_linearizable() {
    let (start, mut round) = (Instant::now(), 0);
    while start.elapsed() < stress_time() {
        let capacity = [1, 2, 4][round as usize % 3];
        let ring = Ring::starting_at(capacity, u64::MAX - round % 8);
        let events = record(&ring, round, round % 4 == 3);
        assert_linearizable(&Fifo::bounded(capacity), &events);
        round += 1;
    }
    assert!(round > 20, "only {round} histories");
}
