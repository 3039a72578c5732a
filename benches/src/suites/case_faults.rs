//! `case-faults`: what an application loses when its collector is away, slow, full or odd.

use crate::Failure;
use crate::faults::{Content, Job, Recovery, Round, Script, Side, Stage};
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
    table(run, &stage)?;
    if run.wants_group("outage of 60 s") {
        outage(run, &stage)?;
    }
    if run.wants_group("5 % of all faults") {
        mix(run, &stage)?;
    }
    if run.wants_group("retry storm") {
        storm(run, &stage)?;
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

/// The losses of the faults that any application meets.
fn table(run: &mut Run<'_>, stage: &Stage) -> Result<(), Failure> {
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

/// Bytes that a pipeline may hold in the outage, if that is enough: with what else a process needs, below 128 MB.
const OUTAGE_BUDGET: u64 = 106 << 20;

/// The same, if it will be full when the sink is back and what is sent is inflated.
const SHORT_BUDGET: u64 = 96 << 20;

/// From what share of it on what waits is compressed, in percent: the system's allocator keeps the room in which the first of it had waited as it was.
const COMPRESS_ABOVE: u8 = 2;

/// A minute without a collector.
fn outage(run: &mut Run<'_>, stage: &Stage) -> Result<(), Failure> {
    let (before, without, after) = run.effort().pick((0.2, 0.3, 0.2), (0.5, 2.5, 1.0), (5.0, 60.0, 10.0));
    let script = Script { seed: SEED, down: Some((before, before + without)), ..Script::default() };
    let variants = [
        ("4 x 16 random bytes", Content::Raw(16), OUTAGE_BUDGET),
        ("4 x 64 hex digits", Content::Hex(64), SHORT_BUDGET),
        ("4 x 64 random bytes", Content::Raw(64), SHORT_BUDGET),
    ];
    let job = |content, queue_bytes| Job {
        rate: rate(run, 20_000.0),
        seconds: before + without + after,
        seed: SEED,
        content,
        queue_bytes,
        compress_above: COMPRESS_ABOVE,
        ..Job::default()
    };
    let jobs: Vec<_> =
        variants.iter().map(|(_, content, bytes)| (script.clone(), job(*content, *bytes))).collect();
    let rounds = stage.rounds(&jobs)?;
    let mut misaccounted = 0;
    for ((name, ..), round) in variants.iter().zip(&rounds) {
        let name = format!("outage of 60 s, {name}");
        tell(&name, round);
        let ratio = round.told.raw_bytes / round.told.held_bytes.max(1) as f64;
        let mut record = |row: &str, figure| run.record(&format!("{name}: {row}"), &Samples::one(figure));
        record("spans lost", round.lost_percent())?;
        record("peak RSS", round.told.peak_rss as f64 / 1e6)?;
        record("raw over held bytes", ratio)?;
        misaccounted += round.misaccounted().unwrap_or(0) + round.unexplained();
    }
    run.record(OUTAGE_BOOKS, &Samples::one(misaccounted as f64))
}

/// Faults of every kind, at any time.
fn mix(run: &mut Run<'_>, stage: &Stage) -> Result<(), Failure> {
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

fn exactly<const N: usize>(rounds: Vec<Round>) -> Result<[Round; N], Failure> {
    rounds.try_into().map_err(|_| format!("{N} applications ran").into())
}

fn books(run: &mut Run<'_>, name: &str, ours: &Round) -> Result<(), Failure> {
    tell(name, ours);
    let misaccounted = ours.misaccounted().unwrap_or(0) as f64;
    run.record(&format!("{name}: spans misaccounted for"), &Samples::one(misaccounted))?;
    run.record(&format!("{name}: duplicates unexplained"), &Samples::one(ours.unexplained() as f64))
}

/// Requests a second that the backend takes after its return, and twice as many before.
const HALF: f64 = 250.0;

/// Many clients that have waited for the same backend.
fn storm(run: &mut Run<'_>, stage: &Stage) -> Result<(), Failure> {
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

fn samples(ours: &Round, stock: &Round, figure: fn(&Round) -> f64) -> Samples {
    Samples { ours: vec![figure(ours)], peer: vec![figure(stock)] }
}

/// Spans that arrived, in per cent of those that were ended.
fn success(round: &Round) -> f64 {
    100.0 - round.lost_percent()
}

/// Spans that arrived again, in per cent of those that arrived.
fn duplicates(round: &Round) -> f64 {
    100.0 * round.tally.duplicates as f64 / round.tally.unique.max(1) as f64
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
