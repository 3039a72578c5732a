//! `case-faults`: what an application loses when its collector is away, slow, full or odd.

mod mix;
mod outage;
mod storm;
mod table;

use crate::Failure;
use crate::faults::{Job, Round, Script, Side, Stage};
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
            `outage of 60 s`: three applications at a time, 5 s before and 10 s after it; their attributes are \
            random, and what they hold at most is given as the ratio of its encoded size to the bytes charged. With 64 random bytes a span \
            and zstd 1 an outage is 103 MB, and the budget 106 MiB; with 128 and 256 it cannot be held within 128 MB and has to be counted, \
            and the budget is 96 MiB. What waits is compressed from 2 % of it on. `5 % of all faults`: every twentieth request, of at most 512 spans, meets one of \
            eight: UNAVAILABLE, connections refused for 0.3 s, taken and never answered, RESOURCE_EXHAUSTED with RetryInfo, reset within a \
            body, 503 with Retry-After, GOAWAY, answered after 1 s; the budget is 16 MB. A duplicate is explained by an attempt that ended \
            without the application knowing its outcome. `retry storm`: 50 clients with 4 requests a second each; their backend is away \
            for 30 s and comes back with 250 requests a second, half of what it had. With `--quick` all times are shorter and \
            applications run side by side.",
    rows: &[
        Declared::lower("healthy: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("down for 5 s: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("20 % UNAVAILABLE: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("answers after 2 s: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("50,000/s, answers after 10 ms: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower("50,000/s, answers after 50 ms: spans lost", "%").against(STOCK).bar("ours<=0"),
        Declared::lower(TABLE_BOOKS, "spans").bar("ours<=0"),
        Declared::lower("outage of 60 s, 4 x 16 random bytes: spans lost", "%").bar("ours<=0"),
        Declared::lower("outage of 60 s, 4 x 16 random bytes: peak RSS", "MB").bar("ours<=128"),
        Declared::higher("outage of 60 s, 4 x 16 random bytes: raw over held bytes", "ratio"),
        Declared::lower("outage of 60 s, 4 x 64 hex digits: spans lost", "%"),
        Declared::lower("outage of 60 s, 4 x 64 hex digits: peak RSS", "MB").bar("ours<=128"),
        Declared::higher("outage of 60 s, 4 x 64 hex digits: raw over held bytes", "ratio"),
        Declared::lower("outage of 60 s, 4 x 64 random bytes: spans lost", "%"),
        Declared::lower("outage of 60 s, 4 x 64 random bytes: peak RSS", "MB").bar("ours<=128"),
        Declared::higher("outage of 60 s, 4 x 64 random bytes: raw over held bytes", "ratio"),
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
        Declared::higher("retry storm: worst later second, share of the capacity", "ratio").bar("ours>=0.9"),
        Declared::lower("retry storm: from the return to 90 % of the capacity", "s"),
        Declared::lower("retry storm: requests that arrived for each one taken", "ratio").bar("ours<=1.2"),
        Declared::lower("retry storm: spans misaccounted for", "spans").bar("ours<=0"),
    ],
    measure,
};

/// The rows before it, as far as they were asked for.
const TABLE_BOOKS: &str = "fault table, all rows: spans misaccounted for";
const OUTAGE_BOOKS: &str = "outage of 60 s, all rows: spans misaccounted for";

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

/// Applications one after the other where figures count, side by side where time does.
fn rounds(run: &Run<'_>, stage: &Stage, all: &[(Script, Job)]) -> Result<Vec<Round>, Failure> {
    match run.effort() {
        Effort::Full => all.iter().map(|(script, job)| stage.round(script, job)).collect(),
        Effort::Quick | Effort::Tiny => stage.rounds(all),
    }
}

/// The same load with the stock SDK.
fn stock(job: &Job) -> Job {
    Job { side: Side::Stock, queue_bytes: 0, batch_items: 0, ..job.clone() }
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
    eprintln!(
        "{name}: {} ended, {} refused, {} arrived in {} of {} requests, {} twice ({} of unknown outcome); shutdown {:.1} s, peak RSS {} MB",
        told.generated,
        told.refused,
        tally.unique,
        tally.taken,
        tally.requests,
        tally.duplicates,
        told.unknown,
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
