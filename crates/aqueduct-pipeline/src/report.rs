//! What a pipeline tells about itself: status, flush and shutdown reports.

use std::fmt;
use std::time::Duration;

use aqueduct_batch::SealReason;
use aqueduct_metrics::LedgerSnapshot;
use aqueduct_wire::Signal;

/// One lane at one instant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaneStatus {
    /// The pipeline's signal.
    pub signal: Signal,
    /// The destination's name.
    pub destination: String,
    /// The lane's ledger.
    pub ledger: LedgerSnapshot,
    /// Items that [`EncodingIntake`](crate::EncodingIntake)s of the pipeline have taken and not yet sealed. They are in no ledger yet, and not part of
    /// [`LaneStatus::held_items`].
    pub encoding_items: u64,
    /// Spans that the tail sampler holds, found by asking it.
    pub tail_items: u64,
    /// Items in open batches, found by walking them.
    pub open_items: u64,
    /// Items in sealed batches that were never tried, found by walking them.
    pub queued_items: u64,
    /// Items in batches that wait to be tried again, found by walking them.
    pub retry_items: u64,
    /// Items in requests under way, found by walking them.
    pub in_flight_items: u64,
    /// Requests under way.
    pub in_flight_requests: u64,
    /// How many there may be now.
    pub in_flight_limit: usize,
    /// Bytes charged to the lane's budget, including those that are reserved for open chunks.
    pub held_bytes: u64,
    /// The lane's budget in bytes.
    pub queue_bytes: u64,
    /// Whether new chunks are about to be refused (95 % of the budget).
    pub full: bool,
    /// Attempts made, first ones included.
    pub attempts: u64,
    /// Attempts that followed a failure.
    pub retries: u64,
    /// Attempts after which the destination did not have the batch: refused, failed, or of unknown outcome. Those that panicked are not among them.
    pub failed_attempts: u64,
    /// Batches that were sealed, by [`SealReason::index`]: the same for each destination of a pipeline.
    pub sealed_batches: [u64; SealReason::ALL.len()],
    /// Bytes handed to the exporter over all attempts, after compression.
    pub sent_bytes: u64,
    /// Attempts that ended by a panic of the exporter; their batches were kept.
    pub exporter_panics: u64,
    /// Batches, or parts of them, that were made smaller because the destination does not take so much at once.
    pub splits: u64,
    /// Tasks of the worker that panicked and were begun again. What they held was kept.
    pub restarts: u64,
    /// Items of chunks that were refused because there was no room. They are in no ledger: whoever offered them still owns them.
    pub refused_items: u64,
    /// Of the batches that wait compressed: their bytes before, and after.
    pub compressed_from_bytes: u64,
    /// See [`compressed_from_bytes`](Self::compressed_from_bytes).
    pub compressed_to_bytes: u64,
    /// Items that the parent held for the destination when this process was forked from it. They are in no ledger here: the parent delivers them.
    pub inherited: u64,
    /// How long the destination is paused still; `None` when it is not.
    pub paused: Option<Duration>,
    /// How long ago something was delivered.
    pub last_success: Option<Duration>,
    /// How long ago an attempt failed, and why.
    pub last_failure: Option<(Duration, String)>,
}

impl LaneStatus {
    /// Of a lane that was never used in this process.
    pub(crate) fn idle(signal: Signal, destination: &str, inherited: u64) -> Self {
        Self {
            signal,
            destination: destination.to_owned(),
            ledger: LedgerSnapshot::default(),
            encoding_items: 0,
            tail_items: 0,
            open_items: 0,
            queued_items: 0,
            retry_items: 0,
            in_flight_items: 0,
            in_flight_requests: 0,
            in_flight_limit: 0,
            held_bytes: 0,
            queue_bytes: 0,
            full: false,
            attempts: 0,
            retries: 0,
            failed_attempts: 0,
            sealed_batches: Default::default(),
            sent_bytes: 0,
            exporter_panics: 0,
            splits: 0,
            restarts: 0,
            refused_items: 0,
            compressed_from_bytes: 0,
            compressed_to_bytes: 0,
            inherited,
            paused: None,
            last_success: None,
            last_failure: None,
        }
    }

    /// Items held, found by walking tail sampler, open batches, queue, retries and attempts; at rest equal to the ledger's
    /// [`LedgerSnapshot::held`].
    #[must_use]
    pub fn held_items(&self) -> u64 {
        self.tail_items + self.open_items + self.queued_items + self.retry_items + self.in_flight_items
    }
}

/// What a flush or a shutdown could not do, or that it did everything. One entry per lane.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Whether everything that was accepted before the call had settled when it returned.
    pub complete: bool,
    /// How long the call took.
    pub took: Duration,
    /// The lanes as they were when the call returned.
    pub lanes: Vec<LaneStatus>,
}

/// What [`crate::Pipeline::flush`] returns.
pub type FlushReport = Report;
/// What [`crate::Pipeline::shutdown`] returns.
pub type ShutdownReport = Report;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, lane) in self.lanes.iter().enumerate() {
            let ledger = &lane.ledger;
            let gap = if index == 0 { "" } else { "\n" };
            write!(
                f,
                "{gap}{} to {}: {} accepted, {} delivered, {} rejected, {} dropped, {} held",
                lane.signal,
                lane.destination,
                ledger.accepted,
                ledger.delivered,
                ledger.rejected,
                ledger.dropped_total(),
                ledger.held()
            )?;
        }
        Ok(())
    }
}

/// Why a call that waits for the pipeline returned without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The call was made on the pipeline's own worker thread, which would have waited for itself.
    WouldDeadlock,
    /// The worker's thread has ended, and nobody is left to tell.
    Stopped,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitError::WouldDeadlock => {
                "called on the pipeline's own worker thread, which would wait for itself"
            }
            WaitError::Stopped => "the pipeline's worker thread has ended",
        })
    }
}

impl std::error::Error for WaitError {}
