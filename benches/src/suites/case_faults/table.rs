//! The losses of the faults that any application meets.

use super::{SEED, STOCK, TABLE_BOOKS, exactly, rate, rounds, samples, stock, tell};
use crate::Failure;
use crate::faults::{Job, Round, Script, Stage};
use crate::harness::{Run, Samples};

pub(super) fn measure(run: &mut Run<'_>, stage: &Stage) -> Result<(), Failure> {
    let pick = |quick: f64, full: f64| run.effort().pick(0.3, quick, full);
    let script = Script { seed: SEED, ..Script::default() };
    let down = run.effort().pick((0.1, 0.2), (0.5, 1.5), (5.0, 10.0));
    let late = |answer_after_ms| Script { answer_after_ms, ..script.clone() };
    let two_seconds = run.effort().pick(100, 500, 2_000);
    let rows = [
        ("healthy", 20_000.0, pick(1.0, 5.0), script.clone()),
        ("down for 5 s", 20_000.0, pick(2.0, 15.0), Script { down: Some(down), ..script.clone() }),
        ("20 % UNAVAILABLE", 20_000.0, pick(1.5, 8.0), Script { refuse_every: 5, ..script.clone() }),
        ("answers after 2 s", 20_000.0, pick(1.5, 10.0), late(two_seconds)),
        ("50,000/s, answers after 10 ms", 50_000.0, pick(1.0, 3.0), late(10)),
        ("50,000/s, answers after 50 ms", 50_000.0, pick(1.0, 3.0), late(50)),
    ];
    let mut misaccounted = 0;
    for (name, spans, seconds, script) in rows {
        let row = format!("{name}: spans lost");
        if !run.wants(&row) && !run.wants(TABLE_BOOKS) {
            continue;
        }
        let job = Job { rate: rate(run, spans), seconds, seed: SEED, ..Job::default() };
        let both = [(script.clone(), job.clone()), (script, stock(&job))];
        let [ours, stock] = exactly(rounds(run, stage, &both)?)?;
        tell(name, &ours);
        tell(&format!("{name}, {STOCK}"), &stock);
        misaccounted += ours.misaccounted().unwrap_or(0) + ours.unexplained();
        run.record(&row, &samples(&ours, &stock, Round::lost_percent))?;
    }
    if run.wants(TABLE_BOOKS) {
        run.record(TABLE_BOOKS, &Samples::one(misaccounted as f64))?;
    }
    Ok(())
}
