//! A processor on a thread of its own. Threads meet by channels and barriers; a patience of an hour stands for no patience at all.

mod configuration;
mod flush;
mod full;
mod handler;
mod shutdown;
mod watermarks;

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use aqueduct_batch::{Batch, BatchConfig, Failed, Stats, Weight};

const HOUR: Duration = Duration::from_secs(3600);
const MS: Duration = Duration::from_millis(1);
const ONE: Weight = Weight::new(1, 1);

/// Batches of so many items, never sealed by time.
fn of(items: u64) -> BatchConfig {
    BatchConfig::default().with_max_items(items).with_max_age(Duration::MAX)
}

fn assert_balanced(stats: &Stats) {
    let settled = stats.handled.items + stats.failed.total().items + stats.dropped.total().items;
    assert_eq!(stats.accepted.items, settled + stats.held.items, "{stats:?}");
}

/// A handler that says when it has begun and waits until it may go on, or for ever as long as the other end is kept.
struct Gate {
    begun: Receiver<Vec<u32>>,
    go: Sender<()>,
}

fn gate() -> (Gate, impl FnMut(Batch<u32>) -> Result<(), Failed<u32>> + Send + 'static) {
    let (begins, begun) = mpsc::channel();
    let (go, goes) = mpsc::channel();
    let handler = move |batch: Batch<u32>| {
        // The test may be over, or have let go.
        let _ = begins.send(batch.into_items());
        let _ = goes.recv();
        Ok(())
    };
    (Gate { begun, go }, handler)
}
