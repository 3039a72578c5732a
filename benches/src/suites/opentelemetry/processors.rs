//! What an item costs where nothing is sent.

use crate::Failure;
use crate::harness::{Run, Samples};
use crate::sdk::{Behind, Item, Load, Shape, Theatre, Told};

pub(super) fn measure(run: &mut Run<'_>, theatre: &Theatre) -> Result<(), Failure> {
    let bursts = Shape::Bursts(run.effort().pick(2, 100, 500));
    let flood =
        Shape::Flood { items: run.effort().pick(200, 100_000, 150_000), rounds: run.effort().pick(1, 2, 4) };
    group(
        run,
        theatre,
        Item::Span,
        1,
        bursts,
        &[
            ("spans, no processor: process CPU", Behind::Nothing, |told| told.cpu_ns),
            ("spans: process CPU", Behind::Ours, |told| told.cpu_ns),
            ("spans, bursts on 1 thread: application thread", Behind::Ours, |told| told.thread_ns),
        ],
    )?;
    group(
        run,
        theatre,
        Item::Span,
        2,
        bursts,
        &[
            ("spans, no processor, bursts on 2 threads: application thread", Behind::Nothing, |told| {
                told.thread_ns
            }),
            ("spans, bursts on 2 threads: application thread", Behind::Ours, |told| told.thread_ns),
        ],
    )?;
    group(
        run,
        theatre,
        Item::Span,
        2,
        flood,
        &[
            ("spans, contention of 2 threads: application thread", Behind::Ours, |told| told.thread_ns),
            ("spans, contention of 2 threads: process CPU", Behind::Ours, |told| told.cpu_ns),
        ],
    )?;
    group(
        run,
        theatre,
        Item::Record,
        1,
        bursts,
        &[
            ("logs, no processor: process CPU", Behind::Nothing, |told| told.cpu_ns),
            ("logs: process CPU", Behind::Ours, |told| told.cpu_ns),
            ("logs, bursts on 1 thread: application thread", Behind::Ours, |told| told.thread_ns),
        ],
    )
}

/// A row, whose figure it is, and which.
type Figure = (&'static str, Behind, fn(&Told) -> f64);

/// Rows of the same load: without a processor, with ours and with the SDK's, in turns.
fn group(
    run: &mut Run<'_>,
    theatre: &Theatre,
    item: Item,
    threads: u32,
    shape: Shape,
    figures: &[Figure],
) -> Result<(), Failure> {
    if !figures.iter().any(|(row, ..)| run.wants(row)) {
        return Ok(());
    }
    let load = |behind| Load { behind, item, endpoint: None, threads, shape };
    let (mut nothing, mut ours, mut sdk) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..run.effort().pick(1, 3, 7) {
        nothing.push(theatre.run(&load(Behind::Nothing))?);
        ours.push(theatre.run_whole(&load(Behind::Ours))?);
        sdk.push(theatre.run_whole(&load(Behind::Sdk))?);
    }
    for (row, behind, figure) in figures {
        let of = |told: &[Told]| told.iter().map(figure).collect();
        let samples = match behind {
            Behind::Nothing => Samples { ours: of(&nothing), peer: Vec::new() },
            Behind::Ours | Behind::Sdk => Samples { ours: of(&ours), peer: of(&sdk) },
        };
        run.record(row, &samples)?;
    }
    Ok(())
}
