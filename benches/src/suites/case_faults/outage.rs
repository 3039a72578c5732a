//! A minute without a collector.

use super::{
    ON_DELIVERY, ON_ENQUEUE, OUTAGE_BOOKS, PROCESSOR, SEED, behind_sdk, exactly, misaccounted, rate, rounds,
    tell,
};
use crate::Failure;
use crate::faults::{Carrier, Content, Job, Round, Script, Stage};
use crate::harness::{Run, Samples};

/// Bytes that a pipeline may hold in the outage, if that is enough: with what else a process needs, below 128 MB.
const OUTAGE_BUDGET: u64 = 106 << 20;

/// The same, if it will be full when the sink is back and what is sent is inflated.
const SHORT_BUDGET: u64 = 96 << 20;

/// From what share of it on what waits is compressed, in percent: the system's allocator keeps the room in which the first of it had waited as it was.
const COMPRESS_ABOVE: u8 = 2;

/// What is random in the spans of the SDK. Digits that hold as many random bytes as the first row has take a sixth more room than those bytes, which is more than the budget.
const DIGITS: Content = Content::Hex(24);

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
    let same_room = |carrier| behind_sdk(&job(DIGITS, OUTAGE_BUDGET), carrier);
    let by_default = Job { compress_above: 0, ..behind_sdk(&job(DIGITS, 0), Carrier::Processor) };
    let behind_sdk = [
        same_room(Carrier::Processor),
        by_default,
        same_room(Carrier::OnEnqueue),
        same_room(Carrier::OnDelivery),
    ];
    let pipelines: Vec<_> =
        variants.iter().map(|(_, content, bytes)| (script.clone(), job(*content, *bytes))).collect();
    let behind_sdk = behind_sdk.map(|job| (script.clone(), job));
    // Not all at once: with four more beside it the first budget, which is just enough, was not.
    let mut pipelines = rounds(run, stage, &[&pipelines, &behind_sdk])?;
    let [processor, by_default, on_enqueue, on_delivery] = exactly(pipelines.split_off(variants.len()))?;
    let mut wrong = 0;
    let mut record = |name: &str, round: &Round, figures: &[(&str, f64)]| {
        let name = format!("outage of 60 s, {name}");
        tell(&name, round);
        wrong += misaccounted(round)?;
        figures
            .iter()
            .try_for_each(|(row, figure)| run.record(&format!("{name}: {row}"), &Samples::one(*figure)))
    };
    for ((name, ..), round) in variants.iter().zip(&pipelines) {
        let ratio = round.told.raw_bytes / round.told.held_bytes.max(1) as f64;
        record(name, round, &[lost(round), peak(round), ("raw over held bytes", ratio)])?;
    }
    for (name, round) in
        [(PROCESSOR.to_owned(), &processor), (format!("{PROCESSOR} by default"), &by_default)]
    {
        record(&name, round, &[lost(round), peak(round)])?;
    }
    for (name, round) in [(ON_ENQUEUE, &on_enqueue), (ON_DELIVERY, &on_delivery)] {
        record(name, round, &[lost(round), ("lost of those given", round.lost_of_given_percent())])?;
    }
    wrong += pipelines.iter().map(Round::unexplained).sum::<u64>();
    run.record(OUTAGE_BOOKS, &Samples::one(wrong as f64))
}

fn lost(round: &Round) -> (&'static str, f64) {
    ("spans lost", round.lost_percent())
}

fn peak(round: &Round) -> (&'static str, f64) {
    ("peak RSS", round.told.peak_rss as f64 / 1e6)
}
