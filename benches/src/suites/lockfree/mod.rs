//! `aqueduct-lockfree`: queues between threads, and counters.

mod contenders;
mod counter;
pub mod instructions;
mod lanes;
pub mod map;
pub mod queue;
mod ring;
mod scenes;
mod signal_cell;
mod threads;

use crate::Failure;
use crate::harness::{Declared, Run, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "lockfree",
    about: "Queues of 64-bit numbers unless said otherwise. Push rows are nanoseconds of CPU an item, as there are fewer cores than \
            threads: the threads fill half of 8,192 places together, then another thread takes it all, so that each slot comes from another \
            core's cache; `to plain writes` is the same loop with a write into an array, handed over whole, which is what the machine takes \
            for it. Drain, flood and ring rows are items a second through 2,048 places, everybody spinning a little and then yielding where \
            there is nothing to do. The 99.9th percentile is of single pushes, the timer's own cost subtracted.",
    rows: ROWS,
    measure,
};

const GROUPS: &[&[Declared]] =
    &[lanes::ROWS, ring::ROWS, queue::ROWS, map::ROWS, counter::ROWS, signal_cell::ROWS];
const ROWS: &[Declared] = &concatenated::<{ count() }>();

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    lanes::measure(run)?;
    ring::measure(run)?;
    queue::measure(run)?;
    map::measure(run)?;
    counter::measure(run)?;
    signal_cell::measure(run)
}

const fn count() -> usize {
    let (mut group, mut rows) = (0, 0);
    while group < GROUPS.len() {
        rows += GROUPS[group].len();
        group += 1;
    }
    rows
}

const fn concatenated<const N: usize>() -> [Declared; N] {
    let mut rows = [GROUPS[0][0]; N];
    let (mut group, mut next) = (0, 0);
    while group < GROUPS.len() {
        let mut row = 0;
        while row < GROUPS[group].len() {
            rows[next] = GROUPS[group][row];
            (row, next) = (row + 1, next + 1);
        }
        group += 1;
    }
    rows
}

/// Takes samples of ours and of each peer in turns, and records ours against the peer with the best median.
fn against_best(
    run: &mut Run<'_>,
    name: &str,
    rounds: usize,
    mut ours: impl FnMut() -> f64,
    peers: &mut [&mut dyn FnMut() -> f64],
) -> Result<(), Failure> {
    use crate::harness::{Samples, median};
    if !run.wants(name) {
        return Ok(());
    }
    let mut own = Vec::new();
    let mut theirs = vec![Vec::new(); peers.len()];
    for _ in 0..rounds {
        own.push(ours());
        for (samples, peer) in theirs.iter_mut().zip(&mut *peers) {
            samples.push(peer());
        }
    }
    let best = theirs.into_iter().max_by(|a, b| median(a).total_cmp(&median(b))).unwrap_or_default();
    run.record(name, &Samples { ours: own, peer: best })
}
