//! `ShardedCounter` against one atomic.

use std::sync::atomic::{AtomicU64, Ordering};

use aqueduct_lockfree::ShardedCounter;

use super::scenes::together;
use crate::Failure;
use crate::harness::{Declared, Run};

const PEER: &str = "AtomicU64::fetch_add";

pub(super) const ROWS: &[Declared] = &[
    Declared::lower("counter/1t", "ns").against(PEER),
    Declared::lower("counter/2t", "ns").against(PEER).bar("ratio<=0.15"),
    Declared::lower("counter/8t", "ns").against(PEER),
];

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let rounds = run.effort().pick(1, 5, 15);
    let operations = run.effort().pick(100, 200_000, 1_000_000);
    for (threads, row) in [(1, "counter/1t"), (2, "counter/2t"), (8, "counter/8t")] {
        let (sharded, atomic) = (ShardedCounter::new(), AtomicU64::new(0));
        run.alternate(
            row,
            rounds,
            || Ok(together(threads, operations, || sharded.inc())),
            || Ok(together(threads, operations, || _ = atomic.fetch_add(1, Ordering::Relaxed))),
        )?;
        assert_eq!(sharded.sum(), atomic.into_inner(), "exact at rest");
    }
    Ok(())
}
