//! `case-faults`: what an application loses when its collector is away, slow, full or odd.

mod mix;
mod outage;
mod storm;
mod table;

use crate::Failure;
use crate::faults::{Carrier, Job, Round, Script, Side, Stage};
use crate::harness::{Declared, Effort, Run, Samples, Suite};
use crate::process::Profile;

const STOCK: &str = "opentelemetry-otlp 0.33";
/// Of all random numbers in here.
const SEED: u64 = 20_261_122;

/// Losses, books, and the return of a backend.
pub(super) const SUITE: Suite = Suite {
    name: "case-faults",
    about: "An application in a process of its own ends spans of 4 attributes, 20,000 a second by the clock unless the row says otherwise, and \
            sends them over gRPC to a sink in another process, which does as a script says and counts spans by identity; then it has 30 s \
            to shut down. Ours are pushed to aqueduct-pipeline, which encodes them where they end; what is refused for a full budget is lost. The peer is the \
            SDK's BatchSpanProcessor with its gRPC exporter, all by default. `down`: nobody listens from 5 s to 10 s of 15 s. \
            `outage of 60 s`: three applications at a time, then the four with the SDK, 5 s before and 10 s after it; their attributes are \
            random, and what the pipelines hold at most is given as the ratio of its encoded size to the bytes charged. With 64 random bytes a span \
            and zstd 1 an outage is 103 MB, and the budget 106 MiB; with 128 and 256 it cannot be held within 128 MB and has to be counted, \
            and the budget is 96 MiB. What waits is compressed from 2 % of it on. `5 % of all faults`: every twentieth request, of at most 512 spans, meets one of \
            eight: UNAVAILABLE, connections refused for 0.3 s, taken and never answered, RESOURCE_EXHAUSTED with RetryInfo, reset within a \
            body, 503 with Retry-After, GOAWAY, answered after 1 s; the budget is 16 MB. A duplicate is explained by an attempt that ended \
            without the application knowing its outcome. `retry storm`: 50 clients with 4 requests a second each; their backend is away \
            for 30 s and comes back with 250 requests a second, half of what it had. \
            In rows with `span processor` or `exporter` the SDK's tracer makes the spans, as it does for the peer, and aqueduct-opentelemetry carries them: \
            the same load meets the same script, and a loss is the same, a span that was ended and is not in the sink. `span processor`: Aqueduct::span_processor with its defaults and no \
            variable of the environment, but that under all faults and in the outage it has the budget, the batches and the compression that the \
            pipeline has there. `outage of 60 s, span processor by default` has them not: 32 MiB for spans. In the outage the SDK's spans have texts, as it knows no \
            bytes: 4 x 24 hexadecimal digits, 48 random bytes a span; of 32 digits each, with 64, an outage would be larger than the budget. \
            `exporter on enqueue` and `exporter on delivery`: the SDK's BatchSpanProcessor with its defaults and our SpanExporter, whose export is over when the pipeline \
            has the batch, or when the sink has answered. What finds no room in that processor's queue of 2,048 spans is lost before us, and no bar is held against it; \
            it is counted in `spans lost`, and not in `lost of those given`, which is what our exporter was given and did not deliver. As that processor gives an \
            exporter 5 s to end, the program flushes it and shuts ours down before. All these run side by side, after the others. An application that ended less than half of what was due, or \
            met none of its faults, is an error. With `--quick` all times are shorter and all applications of a fault run side by side.",
    rows: &[
        Declared::lower("healthy: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("down for 5 s: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("20 % UNAVAILABLE: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("answers after 2 s: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("50,000/s, answers after 10 ms: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("50,000/s, answers after 50 ms: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower(TABLE_BOOKS, "spans").bar("ours<=0"),
        Declared::lower("healthy, span processor: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("down for 5 s, span processor: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("20 % UNAVAILABLE, span processor: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("answers after 2 s, span processor: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("50,000/s, answers after 10 ms, span processor: spans lost", "%")
            .against(STOCK)
            .bar("ours<=0"),
        Declared::lower("50,000/s, answers after 50 ms, span processor: spans lost", "%")
            .against(STOCK)
            .bar("ours<=0"),
        Declared::lower(PROCESSOR_BOOKS, "spans").bar("ours<=0"),
        Declared::lower("healthy, exporter on enqueue: spans lost", "%").against(STOCK),
        Declared::lower("down for 5 s, exporter on enqueue: spans lost", "%").against(STOCK),
        Declared::lower("20 % UNAVAILABLE, exporter on enqueue: spans lost", "%").against(STOCK),
        Declared::lower("answers after 2 s, exporter on enqueue: spans lost", "%").against(STOCK),
        Declared::lower("50,000/s, answers after 10 ms, exporter on enqueue: spans lost", "%").against(STOCK),
        Declared::lower("50,000/s, answers after 50 ms, exporter on enqueue: spans lost", "%").against(STOCK),
        Declared::lower("healthy, exporter on delivery: spans lost", "%").against(STOCK),
        Declared::lower("down for 5 s, exporter on delivery: spans lost", "%").against(STOCK),
        Declared::lower("20 % UNAVAILABLE, exporter on delivery: spans lost", "%").against(STOCK),
        Declared::lower("answers after 2 s, exporter on delivery: spans lost", "%").against(STOCK),
        Declared::lower("50,000/s, answers after 10 ms, exporter on delivery: spans lost", "%")
            .against(STOCK),
        Declared::lower("50,000/s, answers after 50 ms, exporter on delivery: spans lost", "%")
            .against(STOCK),
        Declared::lower(EXPORTERS_LOST, "spans").bar("ours<=0"),
        Declared::lower(EXPORTERS_BOOKS, "spans").bar("ours<=0"),
        Declared::lower("outage of 60 s, 4 x 16 random bytes: spans lost", "%").bar("ours<=0"),
        Declared::lower("outage of 60 s, 4 x 16 random bytes: peak RSS", "MB").bar("ours<=128"),
        Declared::higher("outage of 60 s, 4 x 16 random bytes: raw over held bytes", "ratio"),
        Declared::lower("outage of 60 s, 4 x 64 hex digits: spans lost", "%"),
        Declared::lower("outage of 60 s, 4 x 64 hex digits: peak RSS", "MB").bar("ours<=128"),
        Declared::higher("outage of 60 s, 4 x 64 hex digits: raw over held bytes", "ratio"),
        Declared::lower("outage of 60 s, 4 x 64 random bytes: spans lost", "%"),
        Declared::lower("outage of 60 s, 4 x 64 random bytes: peak RSS", "MB").bar("ours<=128"),
        Declared::higher("outage of 60 s, 4 x 64 random bytes: raw over held bytes", "ratio"),
        Declared::lower("outage of 60 s, span processor: spans lost", "%").bar("ours<=0"),
        Declared::lower("outage of 60 s, span processor: peak RSS", "MB").bar("ours<=128"),
        Declared::lower("outage of 60 s, span processor by default: spans lost", "%"),
        Declared::lower("outage of 60 s, span processor by default: peak RSS", "MB"),
        Declared::lower("outage of 60 s, exporter on enqueue: spans lost", "%"),
        Declared::lower("outage of 60 s, exporter on enqueue: lost of those given", "%").bar("ours<=0"),
        Declared::lower("outage of 60 s, exporter on delivery: spans lost", "%"),
        Declared::lower("outage of 60 s, exporter on delivery: lost of those given", "%").bar("ours<=0"),
        Declared::lower(OUTAGE_BOOKS, "spans").bar("ours<=0"),
        Declared::higher("5 % of all faults: export success", "%").against(STOCK).bar("ours>=99.9"),
        Declared::lower("5 % of all faults: spans lost", "%").against(STOCK).bar("ours<=0.1"),
        Declared::lower("5 % of all faults: spans misaccounted for", "spans").bar("ours<=0"),
        Declared::lower("5 % of all faults: duplicates", "%").against(STOCK),
        Declared::lower("5 % of all faults: duplicates unexplained", "spans").bar("ours<=0"),
        Declared::higher("5 % of all faults, HTTP: export success", "%").bar("ours>=99.9"),
        Declared::lower("5 % of all faults, HTTP: spans lost", "%").bar("ours<=0.1"),
        Declared::lower("5 % of all faults, HTTP: spans misaccounted for", "spans").bar("ours<=0"),
        Declared::lower("5 % of all faults, HTTP: duplicates", "%"),
        Declared::lower("5 % of all faults, HTTP: duplicates unexplained", "spans").bar("ours<=0"),
        Declared::higher("5 % of all faults, span processor: export success", "%")
            .against(STOCK)
            .bar("ours>=99.9"),
        Declared::lower("5 % of all faults, span processor: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("5 % of all faults, span processor: spans misaccounted for", "spans").bar("ours<=0"),
        Declared::lower("5 % of all faults, span processor: duplicates", "%").against(STOCK),
        Declared::higher("5 % of all faults, span processor, HTTP: export success", "%").bar("ours>=99.9"),
        Declared::lower("5 % of all faults, span processor, HTTP: spans lost", "%").bar("ours<=0"),
        Declared::lower("5 % of all faults, span processor, HTTP: spans misaccounted for", "spans")
            .bar("ours<=0"),
        Declared::lower("5 % of all faults, span processor, HTTP: duplicates", "%"),
        Declared::lower("5 % of all faults, exporter on enqueue: spans lost", "%").against(STOCK),
        Declared::lower("5 % of all faults, exporter on enqueue: lost of those given", "%").bar("ours<=0.1"),
        Declared::lower("5 % of all faults, exporter on enqueue: spans misaccounted for", "spans")
            .bar("ours<=0"),
        Declared::lower("5 % of all faults, exporter on delivery: spans lost", "%").against(STOCK),
        Declared::lower("5 % of all faults, exporter on delivery: lost of those given", "%").bar("ours<=0.1"),
        Declared::lower("5 % of all faults, exporter on delivery: spans misaccounted for", "spans")
            .bar("ours<=0"),
        Declared::higher("retry storm: worst later second, share of the capacity", "ratio").bar("ours>=0.9"),
        Declared::lower("retry storm: from the return to 90 % of the capacity", "s"),
        Declared::lower("retry storm: requests that arrived for each one taken", "ratio").bar("ours<=1.2"),
        Declared::lower("retry storm: spans misaccounted for", "spans").bar("ours<=0"),
        Declared::higher("retry storm, span processor: worst later second, share of the capacity", "ratio")
            .bar("ours>=0.9"),
        Declared::lower("retry storm, span processor: from the return to 90 % of the capacity", "s"),
        Declared::lower("retry storm, span processor: requests that arrived for each one taken", "ratio")
            .bar("ours<=1.2"),
        Declared::lower("retry storm, span processor: spans misaccounted for", "spans").bar("ours<=0"),
    ],
    measure,
};

/// The rows before it, as far as they were asked for.
const TABLE_BOOKS: &str = "fault table, all rows: spans misaccounted for";
const PROCESSOR_BOOKS: &str = "fault table, span processor, all rows: spans misaccounted for";
const EXPORTERS_LOST: &str = "fault table, exporters, all rows: lost of those given";
const EXPORTERS_BOOKS: &str = "fault table, exporters, all rows: spans misaccounted for";
const OUTAGE_BOOKS: &str = "outage of 60 s, all rows: spans misaccounted for";

/// What the names of rows call a carrier of ours.
const PROCESSOR: &str = "span processor";
const ON_ENQUEUE: &str = "exporter on enqueue";
const ON_DELIVERY: &str = "exporter on delivery";

fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let tiny = run.effort() == Effort::Tiny;
    let stage = Stage::prepare(if tiny { Profile::Dev } else { Profile::Release })?;
    eprintln!("case-faults: seed {SEED}");
    table::measure(run, &stage)?;
    if run.wants_group("outage of 60 s") {
        outage::measure(run, &stage)?;
    }
    if run.wants_group("5 % of all faults") {
        mix::measure(run, &stage)?;
    }
    if run.wants_group("retry storm") {
        storm::measure(run, &stage)?;
    }
    Ok(())
}

/// The rate of an application; a debug build is not hurried.
fn rate(run: &Run<'_>, rate: f64) -> f64 {
    run.effort().pick(rate / 20.0, rate, rate)
}

/// Groups of applications one after the other where figures count, all at the same time where time does. The rounds are those of the applications in their order.
fn rounds(run: &Run<'_>, stage: &Stage, groups: &[&[(Script, Job)]]) -> Result<Vec<Round>, Failure> {
    let all = groups.concat();
    let rounds = match run.effort() {
        Effort::Full => {
            let groups = groups.iter().map(|group| stage.rounds(group));
            groups.collect::<Result<Vec<_>, _>>()?.concat()
        }
        Effort::Quick | Effort::Tiny => stage.rounds(&all)?,
    };
    if run.effort() != Effort::Tiny {
        for ((script, job), round) in all.iter().zip(&rounds) {
            took_place(script, job, round)?;
        }
    }
    Ok(rounds)
}

/// An application that had no core, or that met no fault, loses nothing, and would pass any bar.
fn took_place(script: &Script, job: &Job, round: &Round) -> Result<(), Failure> {
    let due = job.rate * job.seconds;
    if (round.told.generated as f64) < due / 2.0 {
        return Err(format!("{:?} ended {} of {due} spans", job.side, round.told.generated).into());
    }
    let faulty = script.refuse_every > 0 || script.answer_after_ms > 0 || script.faulty > 0.0;
    if faulty && round.tally.faults.is_empty() {
        return Err(format!("{:?} met no fault in {} requests", job.side, round.tally.requests).into());
    }
    Ok(())
}

/// The same load with the SDK's tracer in front.
fn behind_sdk(job: &Job, carrier: Carrier) -> Job {
    Job { side: Side::Sdk(carrier), ..job.clone() }
}

/// The same load with the stock SDK.
fn stock(job: &Job) -> Job {
    Job { queue_bytes: 0, batch_items: 0, ..behind_sdk(job, Carrier::Stock) }
}

/// What is wrong in the books of a side that has some.
fn misaccounted(round: &Round) -> Result<u64, Failure> {
    Ok(round.misaccounted().ok_or("an application of ours has no ledger")?)
}

fn exactly<const N: usize>(rounds: Vec<Round>) -> Result<[Round; N], Failure> {
    rounds.try_into().map_err(|_| format!("{N} applications ran").into())
}

fn samples(ours: &Round, stock: &Round, figure: fn(&Round) -> f64) -> Samples {
    Samples { ours: vec![figure(ours)], peer: vec![figure(stock)] }
}

/// What stands behind the figures, for whoever looks into a bad one.
fn tell(name: &str, round: &Round) {
    let Round { told, tally } = round;
    let unknown = match told.unknown {
        0 => String::new(),
        spans => format!(" ({spans} of unknown outcome)"),
    };
    eprintln!(
        "{name}: {} ended, {} lost by the SDK's queue, {} refused, {} arrived in {} of {} requests, {} twice{unknown}; shutdown {:.1} s, peak RSS {} MB",
        told.generated,
        told.overflowed,
        told.refused,
        tally.unique,
        tally.taken,
        tally.requests,
        tally.duplicates,
        told.shutdown_seconds,
        told.peak_rss / 1_000_000,
    );
    if let Some(books) = &told.books {
        eprintln!("  {books:?}");
    }
    if !tally.faults.is_empty() {
        eprintln!("  {:?}", tally.faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against rows that hold because nothing happened: an application without a core, and faults that nobody met.
    #[test]
    fn a_round_without_a_load_or_a_fault_is_an_error() {
        let job = Job { rate: 1_000.0, seconds: 2.0, ..Job::default() };
        let (healthy, faulty) = (Script::default(), Script { refuse_every: 5, ..Script::default() });
        let mut round = Round::default();
        assert!(took_place(&healthy, &job, &round).is_err());
        round.told.generated = 1_000;
        assert!(took_place(&healthy, &job, &round).is_ok());
        assert!(took_place(&faulty, &job, &round).is_err());
        round.tally.faults.insert("UNAVAILABLE".to_owned(), 1);
        assert!(took_place(&faulty, &job, &round).is_ok());
    }
}
