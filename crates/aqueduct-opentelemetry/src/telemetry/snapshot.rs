//! The counts at one instant.

use aqueduct_metrics::DropReason;
use aqueduct_pipeline::LaneStatus;
use aqueduct_wire::Signal;

use crate::counts::{NotTaken, Origin};
use crate::outlet::Outlet;

/// The counts of all signals at one instant, of this process; made by [`Aqueduct::snapshot`](crate::Aqueduct::snapshot).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// One entry for each signal that was used.
    pub signals: Vec<SignalSnapshot>,
}

/// The counts of one signal. Items are spans, log records or data points.
///
/// Two things the conventions want that nobody behind the SDK's interface can know: spans that were started and not recorded, and the outcome of an item before its
/// destination has answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignalSnapshot {
    /// The signal.
    pub signal: Signal,
    /// `otel.sdk.span.started`: spans that were started while they were recorded.
    pub started: Vec<SpanCount>,
    /// `otel.sdk.span.live`: of those, the ones that have not ended. With [`SpanCount::parent_origin`] left empty.
    pub live: Vec<SpanCount>,
    /// `otel.sdk.log.created`: log records that were emitted.
    pub created: u64,
    /// `otel.sdk.processor.*.queue.size`: items that wait to be sent for the first time.
    pub queue_size: u64,
    /// `otel.sdk.processor.*.queue.capacity`: how many there may be, reckoned at 1 KiB each; the limit is one of bytes.
    pub queue_capacity: u64,
    /// `otel.sdk.processor.*.processed` without an error: items that got into the pipeline.
    pub processed: u64,
    /// `otel.sdk.processor.*.processed` with an error, and items that nobody wanted: by reason; reasons without items are left out.
    pub not_taken: Vec<(NotTaken, u64)>,
    /// `otel.sdk.exporter.*.inflight`: items that were sent at least once and have no outcome, retries included.
    pub in_flight: u64,
    /// `otel.sdk.exporter.*.exported` without an error: items that the collector took.
    pub exported: u64,
    /// `otel.sdk.exporter.*.exported` with an error (`error.type`): rejected by the collector, or given up.
    pub failed: Vec<(&'static str, u64)>,
    /// All else that the pipeline says.
    pub lane: LaneStatus,
}

/// Spans of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanCount {
    /// `otel.span.parent.origin`: `none`, `local` or `remote`.
    pub parent_origin: &'static str,
    /// `otel.span.sampling_result`: `RECORD_ONLY` or `RECORD_AND_SAMPLE`.
    pub sampling_result: &'static str,
    /// How many.
    pub spans: u64,
}

const SAMPLING: [(bool, &str); 2] = [(false, "RECORD_ONLY"), (true, "RECORD_AND_SAMPLE")];

/// What an item is reckoned to need, in bytes.
const ITEM_BYTES: u64 = 1024;

impl SignalSnapshot {
    pub(crate) fn of(outlet: &Outlet) -> Option<SignalSnapshot> {
        let (signal, counts) = (outlet.signal(), outlet.counts());
        let lane = outlet.existing()?.status().into_iter().next()?;
        let (mut started, mut live) = (Vec::new(), Vec::new());
        if signal == Signal::Traces {
            for (sampled, sampling_result) in SAMPLING {
                live.push(SpanCount { parent_origin: "", sampling_result, spans: counts.live(sampled) });
                for origin in Origin::ALL {
                    let spans = counts.all_started(origin, sampled);
                    started.push(SpanCount { parent_origin: origin.as_str(), sampling_result, spans });
                }
            }
        }
        let not_taken = NotTaken::ALL.into_iter().map(|why| (why, counts.all_not_taken(why)));
        let ledger = &lane.ledger;
        let lost = DropReason::ALL.into_iter().filter(|reason| reason.is_loss());
        let lost = lost.map(|reason| (reason.as_str(), ledger.dropped(reason)));
        let failed = [("rejected", ledger.rejected)].into_iter().chain(lost);
        Some(SignalSnapshot {
            signal,
            started,
            live,
            created: counts.all_created(),
            queue_size: lane.encoding_items + lane.tail_items + lane.open_items + lane.queued_items,
            queue_capacity: outlet.recipe().map_or(0, |recipe| recipe.lane.queue_bytes / ITEM_BYTES),
            processed: ledger.accepted + lane.encoding_items,
            not_taken: not_taken.filter(|(_, items)| *items > 0).collect(),
            in_flight: lane.retry_items + lane.in_flight_items,
            exported: ledger.delivered,
            failed: failed.filter(|(_, items)| *items > 0).collect(),
            lane,
        })
    }
}
