//! `Lanes` against the field.

use std::time::Duration;

use super::against_best;
use super::contenders::{
    ByHandle, ByThread, Contender, Crossbeam, Item, Kanal, Nexus, Plain, Shared, TakeAll,
};
use super::scenes::{burst_drops, drain, flood, p999, push};
use crate::Failure;
use crate::harness::{Declared, Run, Samples};

const ARRAY: &str = "crossbeam ArrayQueue";
const PLAIN: &str = "plain writes into an array handed over whole";
const BEST: &str = "the best of ArrayQueue, kanal, nexus-queue and Mutex<Vec> taken whole";
const PUSH: usize = 8192;
const CAPACITY: usize = 2048;

pub(super) const ROWS: &[Declared] = &[
    Declared::lower("lanes/push/1p", "ns/push").bar("ours<=1.5"),
    Declared::lower("lanes/push/2p", "ns/push").bar("ours<=1.5"),
    Declared::lower("lanes/push/4p", "ns/push").bar("ours<=1.5"),
    Declared::lower("lanes/push/1p, to plain writes", "ns/push").against(PLAIN),
    Declared::lower("lanes/push/2p, to plain writes", "ns/push").against(PLAIN),
    Declared::lower("lanes/push/4p, to plain writes", "ns/push").against(PLAIN),
    Declared::lower("lanes/push/1p, to ArrayQueue", "ns/push").against(ARRAY).bar("ratio<=0.5"),
    Declared::lower("lanes/push/2p, to ArrayQueue", "ns/push").against(ARRAY).bar("ratio<=0.3"),
    Declared::lower("lanes/push/4p, to ArrayQueue", "ns/push").against(ARRAY).bar("ratio<=0.3"),
    Declared::lower("lanes/push/1p, thread-local", "ns/push").against(ARRAY).bar("ratio<=0.5"),
    Declared::lower("lanes/push/2p, thread-local", "ns/push").against(ARRAY).bar("ratio<=0.3"),
    Declared::lower("lanes/push/4p, thread-local", "ns/push").against(ARRAY).bar("ratio<=0.3"),
    Declared::lower("lanes/push/2p, 64 bytes", "ns/push").against(ARRAY),
    Declared::lower("lanes/push/2p, 352 bytes", "ns/push").against(ARRAY),
    Declared::higher("lanes/drain/2p", "items/s").against(BEST).bar("ratio>=1.5"),
    Declared::higher("lanes/drain/4p", "items/s").against(BEST).bar("ratio>=1.5"),
    Declared::higher("lanes/drain/8p", "items/s").against(BEST).bar("ratio>=1.5"),
    Declared::higher("lanes/flood/2p", "accepted/s").against(BEST).bar("ratio>=1.5"),
    Declared::lower("lanes/p999", "ns").against(ARRAY).bar("ours<=50"),
    Declared::lower("lanes/p999, to plain writes", "ns").against(PLAIN),
    Declared::lower("lanes/burst-drops/4p", "% dropped").against("one ring for all").bar("ratio<=1.1"),
];

pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let rounds = run.effort().pick(1, 5, 15);
    for (producers, row, plain, to, local) in [
        (
            1,
            "lanes/push/1p",
            "lanes/push/1p, to plain writes",
            "lanes/push/1p, to ArrayQueue",
            "lanes/push/1p, thread-local",
        ),
        (
            2,
            "lanes/push/2p",
            "lanes/push/2p, to plain writes",
            "lanes/push/2p, to ArrayQueue",
            "lanes/push/2p, thread-local",
        ),
        (
            4,
            "lanes/push/4p",
            "lanes/push/4p, to plain writes",
            "lanes/push/4p, to ArrayQueue",
            "lanes/push/4p, thread-local",
        ),
    ] {
        pushes::<u64, ByHandle, Plain>(run, plain, producers, rounds)?;
        pushes::<u64, ByHandle, Crossbeam>(run, to, producers, rounds)?;
        pushes::<u64, ByThread, Crossbeam>(run, local, producers, rounds)?;
        if run.wants(row) {
            let repeats = repeats(run);
            let ours = (0..rounds).map(|_| one_push::<u64, ByHandle>(producers, repeats)).collect();
            run.record(row, &Samples { ours, peer: Vec::new() })?;
        }
    }
    pushes::<[u64; 8], ByHandle, Crossbeam>(run, "lanes/push/2p, 64 bytes", 2, rounds)?;
    pushes::<[u64; 44], ByHandle, Crossbeam>(run, "lanes/push/2p, 352 bytes", 2, rounds)?;
    for (producers, row) in [(2, "lanes/drain/2p"), (4, "lanes/drain/4p"), (8, "lanes/drain/8p")] {
        let items = run.effort().pick(8 * 100, 200_000, 1_000_000);
        let scene = |f: fn(usize, usize, usize) -> f64| move || f(producers, items, CAPACITY);
        against_best(
            run,
            row,
            rounds,
            scene(drain::<u64, ByHandle>),
            &mut [
                &mut scene(drain::<u64, Crossbeam>),
                &mut scene(drain::<u64, Kanal>),
                &mut scene(drain::<u64, Nexus>),
                &mut scene(drain::<u64, TakeAll>),
            ],
        )?;
    }
    let time = Duration::from_millis(run.effort().pick(2, 20, 50));
    against_best(
        run,
        "lanes/flood/2p",
        rounds,
        || accepted::<ByHandle>(time),
        &mut [
            &mut || accepted::<Crossbeam>(time),
            &mut || accepted::<Kanal>(time),
            &mut || accepted::<Nexus>(time),
            &mut || accepted::<TakeAll>(time),
        ],
    )?;
    let bursts = run.effort().pick(4, 1000, 4000);
    run.alternate(
        "lanes/p999",
        rounds,
        || Ok(p999::<u64, ByHandle>(bursts, CAPACITY)),
        || Ok(p999::<u64, Crossbeam>(bursts, CAPACITY)),
    )?;
    run.alternate(
        "lanes/p999, to plain writes",
        rounds,
        || Ok(p999::<u64, ByHandle>(bursts, CAPACITY)),
        || Ok(p999::<u64, Plain>(bursts, CAPACITY)),
    )?;
    let bursts = run.effort().pick(8, 200, 1000);
    run.alternate(
        "lanes/burst-drops/4p",
        rounds.min(5),
        || Ok(100.0 * burst_drops::<u64, ByHandle>(4, bursts, CAPACITY)),
        || Ok(100.0 * burst_drops::<u64, Shared>(4, bursts, CAPACITY)),
    )
}

fn repeats(run: &Run<'_>) -> usize {
    run.effort().pick(1, 30, 30)
}

fn one_push<T: Item, C: Contender<T>>(producers: usize, repeats: usize) -> f64 {
    push::<T, C>(producers, 1, repeats, PUSH)
}

fn pushes<T: Item, C: Contender<T>, P: Contender<T>>(
    run: &mut Run<'_>,
    row: &str,
    producers: usize,
    rounds: usize,
) -> Result<(), Failure> {
    let repeats = repeats(run);
    run.alternate(
        row,
        rounds,
        || Ok(one_push::<T, C>(producers, repeats)),
        || Ok(one_push::<T, P>(producers, repeats)),
    )
}

/// Accepted a second; that nothing is lost is checked on the way.
fn accepted<C: Contender<u64>>(time: Duration) -> f64 {
    let flood = flood::<u64, C>(2, time, CAPACITY);
    assert_eq!(flood.accepted, flood.taken, "what was accepted comes out");
    assert!(flood.accepted <= flood.offered);
    flood.accepted as f64 / flood.seconds
}
