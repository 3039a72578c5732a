//! A minute without a collector.

use super::{OUTAGE_BOOKS, SEED, rate, tell};
use crate::Failure;
use crate::faults::{Content, Job, Script, Stage};
use crate::harness::{Run, Samples};

/// Bytes that a pipeline may hold in the outage, if that is enough: with what else a process needs, below 128 MB.
const OUTAGE_BUDGET: u64 = 106 << 20;

/// The same, if it will be full when the sink is back and what is sent is inflated.
const SHORT_BUDGET: u64 = 96 << 20;

/// From what share of it on what waits is compressed, in percent: the system's allocator keeps the room in which the first of it had waited as it was.
const COMPRESS_ABOVE: u8 = 2;

pub(super) fn measure(run: &mut Run<'_>, stage: &Stage) -> Result<(), Failure> {
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
