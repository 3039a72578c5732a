//! What looks like an effect and is none: noise, a busier hour, a surge.

use std::time::Instant;

use aqueduct_tune::{AutoTuner, Outcome, Parameters};

use crate::simulator::{ALL, BackEnd, Simulation, WINDOW, bounds, settings, starts};

/// Tunes a pipeline that ignores the tuner, so that every change that is kept was kept by mistake. Returns how many were tried, and kept.
fn ignored(
    back_end: BackEnd,
    fixed: &Parameters,
    seed: u64,
    noise: f64,
    mut surge: impl FnMut(bool) -> f64,
) -> (usize, usize) {
    let mut tuner = AutoTuner::new(*fixed, &bounds());
    let mut simulation = Simulation::new(back_end, seed, noise);
    let began = Instant::now();
    let (mut tried, mut kept) = (0, 0);
    let mut changed = false;
    for window in 0..600_u32 {
        simulation.surge = surge(changed);
        let snapshot = simulation.step(fixed);
        changed = !tuner.observe(&snapshot, began + WINDOW * window).is_empty();
    }
    for entry in tuner.history().iter() {
        tried += 1;
        kept += usize::from(entry.outcome == Outcome::Kept);
    }
    (tried, kept)
}

/// Guards the three standard errors: of changes without any effect hardly one is kept, quiet or noisy.
#[test]
fn noise_is_no_effect() {
    for noise in [0.01, 0.05, 0.2] {
        let (mut tried, mut kept) = (0, 0);
        for seed in 0..20 {
            let run = ignored(
                ALL[1],
                &settings(256, 20, 64, (aqueduct_tune::Algorithm::None, 1), 2),
                seed,
                noise,
                |_| 1.0,
            );
            (tried, kept) = (tried + run.0, kept + run.1);
        }
        assert!(tried > 200, "{tried} tried");
        assert!(kept * 100 <= tried, "noise {noise}: {kept} of {tried} kept");
    }
}

/// Guards against taking the time of day for an effect, where a day is 400 windows long: far quicker than any real one.
#[test]
fn a_busier_hour_is_no_effect() {
    for (high, items) in [(64, 256), (4, 64)] {
        let (mut tried, mut kept) = (0, 0);
        for seed in 0..20 {
            let back_end = BackEnd { swing: (0.6, 400.0), ..ALL[1] };
            let fixed = settings(items, 20, high, (aqueduct_tune::Algorithm::None, 1), 2);
            let run = ignored(back_end, &fixed, seed, 0.03, |_| 1.0);
            (tried, kept) = (tried + run.0, kept + run.1);
        }
        assert!(tried > 100, "{tried} tried");
        // Where the load falls below what can be carried the queue drains all of a sudden: what is tried in that moment nobody can tell.
        assert!(kept * 25 <= tried, "in flight {high}: {kept} of {tried} kept");
    }
}

/// Guards the comparison at the same load: the load falls to a third whenever something was changed, and comes back at the next change, so that what is short of capacity looks better.
#[test]
fn a_load_that_falls_just_then_is_no_effect() {
    for start in starts() {
        let mut low = false;
        let surge = |changed: bool| {
            low ^= changed;
            if low { 0.3 } else { 1.0 }
        };
        let (tried, kept) = ignored(ALL[1], &start, 3, 0.02, surge);
        assert!(tried >= 5, "{tried} tried");
        assert_eq!(kept, 0, "of {tried}");
    }
}
