//! `Ring` against crossbeam's `ArrayQueue`.

use aqueduct_lockfree::Ring;
use crossbeam_queue::ArrayQueue;

use super::contenders::{Crossbeam, Shared};
use super::scenes::{exchange, push};
use crate::Failure;
use crate::harness::{Declared, Run};

const PEER: &str = "crossbeam ArrayQueue";
const CAPACITY: usize = 2048;

pub(super) const ROWS: &[Declared] = &[
    Declared::higher("ring/mpmc/2x2", "items/s").against(PEER).bar("ratio>=1"),
    Declared::higher("ring/push_batch8/2p", "items/CPU s").against(PEER).bar("ratio>=1.5"),
];

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let rounds = run.effort().pick(1, 7, 25);
    let items = run.effort().pick(200, 200_000, 1_000_000);
    run.alternate(
        "ring/mpmc/2x2",
        rounds,
        || {
            let ring = Ring::new(CAPACITY);
            Ok(exchange(&ring, 2, items, |ring, item| ring.push(item).is_ok(), |ring| ring.pop()))
        },
        || {
            let queue = ArrayQueue::new(CAPACITY);
            Ok(exchange(&queue, 2, items, |queue, item| queue.push(item).is_ok(), |queue| queue.pop()))
        },
    )?;
    let repeats = run.effort().pick(1, 30, 30);
    run.alternate(
        "ring/push_batch8/2p",
        rounds,
        || Ok(1e9 / push::<u64, Shared>(2, 8, repeats, 8192)),
        || Ok(1e9 / push::<u64, Crossbeam>(2, 8, repeats, 8192)),
    )
}
