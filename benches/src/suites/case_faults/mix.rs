//! Faults of every kind, at any time.

use super::{
    ON_DELIVERY, ON_ENQUEUE, PROCESSOR, SEED, STOCK, behind_sdk, exactly, misaccounted, rate, rounds,
    samples, stock, tell,
};
use crate::Failure;
use crate::faults::{Carrier, Job, Round, Script, Stage};
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
    let with = |job| (script.clone(), job);
    let carried = [
        behind_sdk(&job, Carrier::Processor),
        behind_sdk(&http, Carrier::Processor),
        behind_sdk(&job, Carrier::OnEnqueue),
        behind_sdk(&job, Carrier::OnDelivery),
    ];
    let peer = with(stock(&job));
    let all = rounds(run, stage, &[&[with(job)], &[peer], &[with(http)], &carried.map(with)])?;
    let [ours, stock, http, processor, processor_http, on_enqueue, on_delivery] = exactly(all)?;
    tell(&named(STOCK), &stock);
    let figures = [
        ("export success", success as fn(&Round) -> f64),
        ("spans lost", Round::lost_percent),
        ("duplicates", duplicates),
    ];
    let grpc = [("5 % of all faults".to_owned(), &ours), (named(PROCESSOR), &processor)];
    let http = [(named("HTTP"), &http), (named(&format!("{PROCESSOR}, HTTP")), &processor_http)];
    for (row, figure) in figures {
        for (name, round) in &grpc {
            run.record(&format!("{name}: {row}"), &samples(round, &stock, figure))?;
        }
        for (name, round) in &http {
            run.record(&format!("{name}: {row}"), &Samples::one(figure(round)))?;
        }
    }
    let exporters = [(named(ON_ENQUEUE), &on_enqueue), (named(ON_DELIVERY), &on_delivery)];
    for (name, round) in &exporters {
        run.record(&format!("{name}: spans lost"), &samples(round, &stock, Round::lost_percent))?;
        run.record(&format!("{name}: lost of those given"), &Samples::one(round.lost_of_given_percent()))?;
    }
    for (name, round) in grpc.iter().chain(&http).chain(&exporters) {
        tell(name, round);
        run.record(&format!("{name}: spans misaccounted for"), &Samples::one(misaccounted(round)? as f64))?;
    }
    for (name, round) in [&grpc[0], &http[0]] {
        let unexplained = round.unexplained() as f64;
        run.record(&format!("{name}: duplicates unexplained"), &Samples::one(unexplained))?;
    }
    Ok(())
}

fn named(of: &str) -> String {
    format!("5 % of all faults, {of}")
}

/// Spans that arrived, in per cent of those that were ended.
fn success(round: &Round) -> f64 {
    100.0 - round.lost_percent()
}

/// Spans that arrived again, in per cent of those that arrived.
fn duplicates(round: &Round) -> f64 {
    100.0 * round.tally.duplicates as f64 / round.tally.unique.max(1) as f64
}
