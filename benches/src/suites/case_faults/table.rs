//! The losses of the faults that any application meets.

use super::{
    EXPORTERS_BOOKS, EXPORTERS_LOST, ON_DELIVERY, ON_ENQUEUE, PROCESSOR, PROCESSOR_BOOKS, SEED, STOCK,
    TABLE_BOOKS, behind_sdk, exactly, misaccounted, rate, rounds, samples, stock, tell,
};
use crate::Failure;
use crate::faults::{Carrier, Job, Round, Script, Stage};
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
    let mut sums = Sums::default();
    for (name, spans, seconds, script) in rows {
        if !run.wants_group(name) && !SUMS.iter().any(|row| run.wants(row)) {
            continue;
        }
        let job = Job { rate: rate(run, spans), seconds, seed: SEED, ..Job::default() };
        let with = |job| (script.clone(), job);
        let carried = [Carrier::Processor, Carrier::OnEnqueue, Carrier::OnDelivery];
        let carried = carried.map(|carrier| with(behind_sdk(&job, carrier)));
        let all = rounds(run, stage, &[&[with(job.clone())], &[with(stock(&job))], &carried])?;
        let [ours, stock, processor, on_enqueue, on_delivery] = exactly(all)?;
        tell(&format!("{name}, {STOCK}"), &stock);
        for (of, round) in [
            (name.to_owned(), &ours),
            (format!("{name}, {PROCESSOR}"), &processor),
            (format!("{name}, {ON_ENQUEUE}"), &on_enqueue),
            (format!("{name}, {ON_DELIVERY}"), &on_delivery),
        ] {
            tell(&of, round);
            run.record(&format!("{of}: spans lost"), &samples(round, &stock, Round::lost_percent))?;
        }
        sums.pipeline += misaccounted(&ours)? + ours.unexplained();
        sums.processor += misaccounted(&processor)?;
        for exporter in [&on_enqueue, &on_delivery] {
            sums.exporters_lost += exporter.lost_of_given();
            sums.exporters += misaccounted(exporter)?;
        }
    }
    let Sums { pipeline, processor, exporters_lost, exporters } = sums;
    for (row, spans) in SUMS.into_iter().zip([pipeline, processor, exporters_lost, exporters]) {
        if run.wants(row) {
            run.record(row, &Samples::one(spans as f64))?;
        }
    }
    Ok(())
}

/// Rows that need all others.
const SUMS: [&str; 4] = [TABLE_BOOKS, PROCESSOR_BOOKS, EXPORTERS_LOST, EXPORTERS_BOOKS];

/// What is in them, in spans.
#[derive(Default)]
struct Sums {
    pipeline: u64,
    processor: u64,
    exporters_lost: u64,
    exporters: u64,
}
