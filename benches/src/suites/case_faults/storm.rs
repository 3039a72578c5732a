//! Many clients that have waited for the same backend.

use super::{SEED, tell};
use crate::Failure;
use crate::faults::{Job, Recovery, Script, Stage};
use crate::harness::{Run, Samples};

/// Requests a second that the backend takes after its return, and twice as many before.
const HALF: f64 = 250.0;

pub(super) fn measure(run: &mut Run<'_>, stage: &Stage) -> Result<(), Failure> {
    // Whole seconds, as the sink counts by them.
    let (before, without, after) = run.effort().pick((0, 1, 1), (1, 3, 4), (10, 30, 20));
    let back = before + without;
    let script = Script {
        seed: SEED,
        down: Some((f64::from(before), f64::from(back))),
        capacity: vec![(0.0, 2.0 * HALF), (f64::from(before), HALF)],
        ..Script::default()
    };
    let job = Job {
        rate: run.effort().pick(250.0, 1_000.0, 1_000.0),
        seconds: f64::from(back + after),
        // The backlog takes minutes at this capacity; what matters is over.
        shutdown_seconds: 1.0,
        seed: SEED,
        clients: 50,
        ..Job::default()
    };
    let round = stage.round(&script, &job)?;
    tell("retry storm", &round);
    let (back, end) = (back as usize, (back + after) as usize);
    let seconds = round.tally.seconds.get(back..end).unwrap_or_default();
    let series = |count: fn(&crate::faults::Second) -> u64| {
        seconds.iter().map(|second| count(second).to_string()).collect::<Vec<_>>().join(" ")
    };
    eprintln!("retry storm: arrived in each second since the return: {}", series(|second| second.requests));
    eprintln!("retry storm: taken in each second since the return:   {}", series(|second| second.taken));
    let recovery = Recovery::of(seconds, HALF);
    // A row holds a number; that nothing was taken is told by the other rows.
    let amplification = recovery.amplification.min(1e6);
    for (row, figure) in [
        ("worst later second, share of the capacity", recovery.worst_share),
        ("from the return to 90 % of the capacity", recovery.seconds_to_recover),
        (
            "requests that arrived for each one taken",
            if amplification.is_nan() { 1e6 } else { amplification },
        ),
        ("spans misaccounted for", (round.misaccounted().unwrap_or(0) + round.unexplained()) as f64),
    ] {
        run.record(&format!("retry storm: {row}"), &Samples::one(figure))?;
    }
    Ok(())
}
