//! Faults of every kind, at any time.

use super::{SEED, STOCK, exactly, rate, rounds, samples, stock, tell};
use crate::Failure;
use crate::faults::{Job, Round, Script, Stage};
use crate::harness::{Run, Samples};

pub(super) fn measure(run: &mut Run<'_>, stage: &Stage) -> Result<(), Failure> {
    // A tiny run has a few dozen requests, of which some shall meet a fault.
    let script = Script { seed: SEED, faulty: run.effort().pick(0.3, 0.05, 0.05), ..Script::default() };
    let job = Job {
        rate: rate(run, 20_000.0),
        seconds: run.effort().pick(0.5, 4.0, 30.0),
        seed: SEED,
        queue_bytes: 16_000_000,
        batch_items: run.effort().pick(50, 512, 512),
        ..Job::default()
    };
    let http = Job { http: true, ..job.clone() };
    let all = [job.clone(), stock(&job), http].map(|job| (script.clone(), job));
    let [ours, stock, http] = exactly(rounds(run, stage, &all)?)?;
    tell(&format!("5 % of all faults, {STOCK}"), &stock);
    let figures = [
        ("export success", success as fn(&Round) -> f64),
        ("spans lost", Round::lost_percent),
        ("duplicates", duplicates),
    ];
    for (row, figure) in figures {
        run.record(&format!("5 % of all faults: {row}"), &samples(&ours, &stock, figure))?;
        run.record(&format!("5 % of all faults, HTTP: {row}"), &Samples::one(figure(&http)))?;
    }
    books(run, "5 % of all faults", &ours)?;
    books(run, "5 % of all faults, HTTP", &http)
}

fn books(run: &mut Run<'_>, name: &str, ours: &Round) -> Result<(), Failure> {
    tell(name, ours);
    let misaccounted = ours.misaccounted().unwrap_or(0) as f64;
    run.record(&format!("{name}: spans misaccounted for"), &Samples::one(misaccounted))?;
    run.record(&format!("{name}: duplicates unexplained"), &Samples::one(ours.unexplained() as f64))
}

/// Spans that arrived, in per cent of those that were ended.
fn success(round: &Round) -> f64 {
    100.0 - round.lost_percent()
}

/// Spans that arrived again, in per cent of those that arrived.
fn duplicates(round: &Round) -> f64 {
    100.0 * round.tally.duplicates as f64 / round.tally.unique.max(1) as f64
}
