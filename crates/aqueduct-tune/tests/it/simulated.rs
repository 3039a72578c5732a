//! The tuner against six simulated back ends, from three bad starts each.

use crate::simulator::{ALL, BackEnd, Simulation, WINDOW, best, bounds, run, score, settings, starts};
use aqueduct_tune::{Algorithm, AutoTuner, Objective, Outcome};

/// The share by which figures of a window scatter.
const NOISE: f64 = 0.04;

/// Guards the promise of the crate: near the best static settings, from wherever it starts, never out of bounds, and then at rest.
#[test]
fn near_the_best_static_settings_and_then_at_rest() {
    for back_end in ALL {
        let (_, best) = best(&back_end);
        for (index, start) in starts().into_iter().enumerate() {
            let name = back_end.name;
            let from = score(&back_end, &start) / best;
            assert!(from < 0.7, "{name}: start {index} is not bad, {from:.2} of the best");
            for seed in [1, 2] {
                let run = run(back_end, start, best, 100 * seed + index as u64, 6_000, NOISE);
                let history = run.tuner.history();
                assert!(!run.outside, "{name}, start {index}, seed {seed}: out of bounds\n{history}");
                assert!(run.ratio >= 0.9, "{name}, start {index}, seed {seed}: {:.3}\n{history}", run.ratio);
                assert!(
                    run.rested.is_some_and(|at| at < 1_000),
                    "{name}, start {index}, seed {seed}: {:?}",
                    run.rested
                );
                assert!(
                    run.reverted <= 1,
                    "{name}, start {index}, seed {seed}: {} taken back\n{history}",
                    run.reverted
                );
            }
        }
    }
}

/// Guards against a tuner that only works from bad starts: from good ones it is never much worse, trials and all.
#[test]
fn good_settings_stay_good() {
    for back_end in ALL {
        let (settings, best) = best(&back_end);
        let mut tuner = AutoTuner::new(settings, &bounds());
        let mut simulation = Simulation::new(back_end, 7, NOISE);
        let began = std::time::Instant::now();
        let mut worst = f64::MAX;
        for window in 0..3_000_u32 {
            let snapshot = simulation.step(tuner.parameters());
            tuner.observe(&snapshot, began + WINDOW * window);
            if tuner.is_resting() {
                worst = worst.min(score(&back_end, tuner.parameters()) / best);
            }
        }
        assert!(worst >= 0.98, "{}: {worst:.3}\n{}", back_end.name, tuner.history());
    }
}

/// Guards the waking: a destination that gets slower after the search is noticed, and the settings follow.
#[test]
fn a_destination_that_changes_is_tuned_again() {
    let fast = ALL[0];
    let start = settings(256, 5, 4, (Algorithm::None, 1), 2);
    let mut tuner = AutoTuner::new(start, &bounds());
    let mut simulation = Simulation::new(fast, 11, NOISE);
    let began = std::time::Instant::now();
    for window in 0..1_000_u32 {
        let snapshot = simulation.step(tuner.parameters());
        tuner.observe(&snapshot, began + WINDOW * window);
    }
    assert!(tuner.is_resting());
    let far = far_away(fast);
    let before = score(&far, tuner.parameters());
    simulation.move_to(far);
    for window in 1_000..3_000_u32 {
        let snapshot = simulation.step(tuner.parameters());
        tuner.observe(&snapshot, began + WINDOW * window);
    }
    let (after, best) = (score(&far, tuner.parameters()), best(&far).1);
    assert!(before < 0.5 * best, "{before:.1} of {best:.1}: nothing to notice");
    assert!(after > 0.9 * best, "{after:.1} of {best:.1}\n{}", tuner.history());
    assert!(tuner.is_resting());
}

/// The same, far away: nothing that a verdict would speak of.
fn far_away(back_end: BackEnd) -> BackEnd {
    BackEnd { round_trip: 0.06, ..back_end }
}

/// Guards the history: what it says is what happened.
#[test]
fn the_history_says_what_happened() {
    let back_end = ALL[1];
    let run = run(back_end, starts()[0], 1.0, 5, 2_000, 0.0);
    let mut settings = starts()[0];
    for entry in run.tuner.history().iter() {
        assert_eq!(settings.get(entry.knob), Some(entry.old), "{entry}");
        match entry.outcome {
            Outcome::Kept => {
                settings.set(entry.knob, entry.new);
                assert!(entry.after.unwrap_or(0.0) >= 1.01 * entry.before, "{entry}");
            }
            Outcome::Reverted => assert!(entry.after.is_some(), "{entry}"),
            ref other => panic!("{other}"),
        }
    }
    assert_eq!(&settings, run.tuner.parameters());
    let settled = Simulation::settled(&back_end, &settings, back_end.offered);
    let last = run
        .tuner
        .history()
        .iter()
        .rev()
        .find(|entry| entry.outcome == Outcome::Kept)
        .and_then(|entry| entry.after);
    let score = Objective::default().score(&settled);
    assert!(last.is_some_and(|last| (last / score - 1.0).abs() < 0.05), "{last:?} against {score}");
}
