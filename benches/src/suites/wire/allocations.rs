//! How often reading and writing allocate: counted in a process of its own, as an allocator that counts is slower.

use std::io::Write;

use aqueduct_testkit::CountingAllocator;
use aqueduct_wire::{Limits, Signal, validate};

use super::encode;
use crate::harness::{Declared, Effort, Run, Samples};
use crate::process::{Profile, program};
use crate::{Failure, payload};

/// In the order in which the process reports them.
pub(super) const ROWS: [Declared; 4] = [
    Declared::lower("validate/512, allocations", "per request").bar("ours<=0"),
    Declared::lower("encode/spandata, allocations", "per span").bar("ours<=0"),
    Declared::lower("encode/log-records, allocations", "per record").bar("ours<=0"),
    Declared::lower("encode/data-points, allocations", "per point").bar("ours<=0"),
];

/// Runs the program `allocations` and records what it says.
pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    if !ROWS.iter().any(|row| run.wants(row.name)) {
        return Ok(());
    }
    let profile = if run.effort() == Effort::Tiny { Profile::Dev } else { Profile::Release };
    let output = std::process::Command::new(program(profile, "allocations")?).output()?;
    if !output.status.success() {
        return Err(format!("allocations: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let figures: Vec<f64> =
        String::from_utf8(output.stdout)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    if figures.len() != ROWS.len() {
        return Err(format!("allocations: {} figures for {} rows", figures.len(), ROWS.len()).into());
    }
    ROWS.iter().zip(figures).try_for_each(|(row, figure)| run.record(row.name, &Samples::one(figure)))
}

/// What the program does: a figure a line, in the order of the rows. It must have installed [`CountingAllocator`].
///
/// # Errors
/// The allocator does not count, or the data of the benchmark are at fault.
pub fn report(out: &mut impl Write) -> Result<(), Failure> {
    if CountingAllocator::count(|| drop(Vec::<u8>::with_capacity(10))).1.count == 0 {
        return Err("nothing counts allocations here".into());
    }
    let body = payload::traces(512);
    let (valid, made) = CountingAllocator::count(|| validate(Signal::Traces, &body, &Limits::DEFAULT));
    valid?;
    writeln!(out, "{}", made.count)?;
    writeln!(out, "{}", marginal(encode::encode_spans)?)?;
    writeln!(out, "{}", marginal(encode::encode_log_records)?)?;
    writeln!(out, "{}", marginal(encode::encode_data_points)?)?;
    Ok(())
}

/// Allocations for each item more, in a chunk that has room for them.
fn marginal(encode: fn(u64, encode::Measure<'_>) -> Result<(), Failure>) -> Result<f64, Failure> {
    let count = |items| {
        let mut count = 0;
        encode(items, &mut |work| count = CountingAllocator::count(work).1.count)?;
        Ok::<_, Failure>(count)
    };
    Ok((count(1024)? as f64 - count(512)? as f64) / 512.0)
}
