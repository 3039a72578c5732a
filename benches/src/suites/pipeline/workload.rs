//! Whole runs of a pipeline, for counting instructions.

use std::time::Duration;

use aqueduct_pipeline::{LaneDistributions, PipelineConfig};
use aqueduct_wire::{Chunk, Signal};

use super::{encoding, through_pipeline};
use crate::{Failure, payload};

/// What a run has measured about itself.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Values that were recorded in distributions.
    pub records: u64,
    /// Looks at the clock for them: one when a batch leaves, one at the end of each attempt.
    pub clocks: u64,
    /// Chunks that were accepted and settled.
    pub receipts: u64,
}

/// The least that an encoding intake fills a chunk with before it seals it, unless it has waited for long.
const CHUNK: u128 = 48 * 1024;

/// Spans through an encoding intake, from encoding to settling.
///
/// # Errors
/// Not all of them were delivered.
pub fn encode(spans: u64) -> Result<Told, Failure> {
    // Without a clock: rustix reads it through a page that valgrind does not show.
    let (_, lanes) = encoding::pushed(spans, 1, Duration::default)?;
    let bytes: u128 = lanes.iter().map(|lane| lane.bytes.sum()).sum();
    let batches: u64 = lanes.iter().map(|lane| lane.bytes.count()).sum();
    let chunks = u64::try_from(bytes / CHUNK)?.saturating_add(batches);
    Ok(told(&lanes, chunks))
}

/// Chunks of so many spans, from the offer to settling.
///
/// # Errors
/// Not all of them were delivered.
pub fn offer(spans: u64, chunks: u64) -> Result<Told, Failure> {
    let chunk = Chunk::from_valid(Signal::Traces, spans, payload::traces(usize::try_from(spans)?));
    let (.., lanes) = through_pipeline(&chunk, chunks, PipelineConfig::default())?;
    Ok(told(&lanes, chunks))
}

fn told(lanes: &[LaneDistributions], receipts: u64) -> Told {
    let sum = |of: fn(&LaneDistributions) -> u64| lanes.iter().map(of).sum::<u64>();
    let clocks = sum(|lane| lane.queued.count() + lane.attempts.count());
    let others = sum(|lane| lane.waited.count() + lane.items.count() + lane.bytes.count());
    Told { records: clocks + others, clocks, receipts }
}
