//! `aqueduct-tune`: what a look at a window costs, and how near a tuner comes to the best static settings.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aqueduct_testkit::CountingAllocator;
use aqueduct_tune::{AutoTuner, BottleneckChecklist, Snapshot, diagnose};

use crate::Failure;
use crate::harness::{Declared, Run, Samples, Suite};

// The back ends of the crate's own tests, so that both speak of the same.
#[path = "../../../crates/aqueduct-tune/tests/it/simulator.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod simulator;

use simulator::{ALL, Simulation, WINDOW, best, bounds, run as simulate, starts};

const GRID: &str = "the best static settings on a grid";

/// Windows, verdicts, and six simulated back ends.
pub(super) const SUITE: Suite = Suite {
    name: "tune",
    about: "`observe` is one window for a tuner that owns nine knobs, at rest and while it searches; the windows are made beforehand. The back ends are \
            simulated by formula, with a scatter of 4 %: their rows are the worst score of three bad starts with several seeds each, over the last third of 6,000 windows \
            and without noise, beside the best static settings found on a grid of 5,760. Changes taken back are counted in that third, the most of any run.",
    rows: &[
        Declared::lower(AT_REST, "ns").bar("ours<=2000"),
        Declared::lower(SEARCHING, "ns").bar("ours<=2000"),
        Declared::lower(ALLOCATIONS, "per window").bar("ours<=0"),
        Declared::lower("diagnose", "ns"),
        Declared::lower("bottleneck checklist", "ns"),
        Declared::higher("fast", "score").against(GRID).bar("ratio>=0.9"),
        Declared::higher("50 ms", "score").against(GRID).bar("ratio>=0.9"),
        Declared::higher("rate-limited", "score").against(GRID).bar("ratio>=0.9"),
        Declared::higher("CPU-bound", "score").against(GRID).bar("ratio>=0.9"),
        Declared::higher("lossy", "score").against(GRID).bar("ratio>=0.9"),
        Declared::higher("diurnal", "score").against(GRID).bar("ratio>=0.9"),
        Declared::lower(RESTED, "windows"),
        Declared::lower(REVERTED, "changes").bar("ours<=1"),
        Declared::lower(OUTSIDE, "runs").bar("ours<=0"),
    ],
    measure,
};

const AT_REST: &str = "observe, at rest";
const SEARCHING: &str = "observe, searching";
const ALLOCATIONS: &str = "observe, allocations";
const RESTED: &str = "all back ends: windows until at rest, at most";
const REVERTED: &str = "all back ends: taken back in the steady state, at most";
const OUTSIDE: &str = "all back ends: out of bounds";

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    costs(run)?;
    back_ends(run)
}

/// A tuner after some windows, and some more windows under its settings.
fn tuned(windows: u32) -> (AutoTuner, Vec<Snapshot>, Instant) {
    let began = Instant::now();
    let mut tuner = AutoTuner::new(starts()[0], &bounds());
    let mut simulation = Simulation::new(ALL[1], 1, 0.04);
    for window in 0..windows {
        let snapshot = simulation.step(tuner.parameters());
        tuner.observe(&snapshot, began + WINDOW * window);
    }
    let snapshots = (0..256).map(|_| simulation.step(tuner.parameters())).collect();
    (tuner, snapshots, began + WINDOW * windows)
}

fn costs(run: &mut Run<'_>) -> Result<(), Failure> {
    let (mut tuner, snapshots, now) = tuned(1_500);
    assert!(tuner.is_resting(), "1,500 windows are enough");
    let (made, allocations) = CountingAllocator::count(|| {
        snapshots.iter().map(|snapshot| tuner.observe(snapshot, now).len()).sum::<usize>()
    });
    assert_eq!(made, 0, "it rests");
    run.record(ALLOCATIONS, &Samples::one(allocations.count as f64 / snapshots.len() as f64))?;
    let windows = snapshots.len() as u64;
    run.alone(AT_REST, windows, || {
        snapshots.iter().map(|snapshot| tuner.observe(snapshot, now).len()).sum::<usize>()
    })?;

    let (fresh, _, now) = tuned(0);
    run.alone(SEARCHING, windows, || {
        // Always the beginning of a search, changes included.
        let mut tuner = fresh.clone();
        let mut changes = 0;
        for (window, snapshot) in (0_u64..).zip(&snapshots) {
            changes += tuner.observe(snapshot, now + Duration::from_secs(window)).len();
        }
        changes
    })?;
    run.alone("diagnose", windows, || {
        snapshots.iter().map(|snapshot| diagnose(snapshot).len()).sum::<usize>()
    })?;
    run.alone("bottleneck checklist", windows, || {
        snapshots.iter().for_each(|snapshot| {
            black_box(BottleneckChecklist::of(snapshot));
        });
    })
}

fn back_ends(run: &mut Run<'_>) -> Result<(), Failure> {
    let seeds = run.effort().pick(1, 5, 20);
    let (mut rested, mut reverted, mut outside) = (0, 0, 0);
    for back_end in ALL {
        if !run.wants(back_end.name) && !run.wants_group("all back ends") {
            continue;
        }
        let (_, best) = best(&back_end);
        let mut worst = f64::MAX;
        for (index, start) in starts().into_iter().enumerate() {
            for seed in 1..=seeds {
                let run = simulate(back_end, start, best, 100 * seed + index as u64, 6_000, 0.04);
                worst = worst.min(run.ratio * best);
                rested = rested.max(run.rested.unwrap_or(6_000));
                reverted = reverted.max(run.reverted);
                outside += usize::from(run.outside);
            }
        }
        run.record(back_end.name, &Samples { ours: vec![worst], peer: vec![best] })?;
    }
    run.record(RESTED, &Samples::one(rested as f64))?;
    run.record(REVERTED, &Samples::one(reverted as f64))?;
    run.record(OUTSIDE, &Samples::one(outside as f64))
}
