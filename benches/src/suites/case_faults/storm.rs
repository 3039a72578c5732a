//! Many clients that have waited for the same backend.

use std::ops::Range;

use super::{PROCESSOR, SEED, behind_sdk, exactly, misaccounted, rounds, tell};
use crate::Failure;
use crate::faults::{Carrier, Job, Recovery, Round, Script, Second, Stage};
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
    let processor = behind_sdk(&job, Carrier::Processor);
    let all = rounds(run, stage, &[&[(script.clone(), job)], &[(script, processor)]])?;
    let [ours, processor] = exactly(all)?;
    let after_return = back as usize..(back + after) as usize;
    record(run, "retry storm", &ours, after_return.clone(), ours.unexplained())?;
    record(run, &format!("retry storm, {PROCESSOR}"), &processor, after_return, 0)
}

/// What is wrong with the duplicates is misaccounted for, too.
fn record(
    run: &mut Run<'_>,
    name: &str,
    round: &Round,
    after_return: Range<usize>,
    unexplained: u64,
) -> Result<(), Failure> {
    tell(name, round);
    let seconds = round.tally.seconds.get(after_return).unwrap_or_default();
    let series = |count: fn(&Second) -> u64| {
        seconds.iter().map(|second| count(second).to_string()).collect::<Vec<_>>().join(" ")
    };
    eprintln!("{name}: arrived in each second since the return: {}", series(|second| second.requests));
    eprintln!("{name}: taken in each second since the return:   {}", series(|second| second.taken));
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
        ("spans misaccounted for", (misaccounted(round)? + unexplained) as f64),
    ] {
        run.record(&format!("{name}: {row}"), &Samples::one(figure))?;
    }
    Ok(())
}
