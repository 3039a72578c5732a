//! The metrics of pipelines: their descriptions, and how a reading is written.

use aqueduct_batch::SealReason;
use aqueduct_metrics::{Desc, Exposition};

use crate::measured::{ATTEMPT, BYTES, ITEMS, QUEUED, WAITED};
use crate::report::LaneStatus;
use crate::{sample, tail};

/// The attributes of what every lane has.
pub(crate) const LANE: &[&str] = &["signal", "destination"];

const WALKED: Desc = Desc::gauge(
    "aqueduct_pipeline_walked_items",
    "{item}",
    "Items held, counted by walking the stages; summed over stages it equals aqueduct_held_items at rest.",
)
.with_attributes(&["signal", "destination", "stage"]);
const ENCODING: Desc = Desc::gauge(
    "aqueduct_pipeline_encoding_items",
    "{item}",
    "Items in open chunks of encoding intakes, which are not accepted yet; the same for each destination of a pipeline.",
)
.with_attributes(LANE);
const HELD_BYTES: Desc =
    Desc::gauge("aqueduct_pipeline_held_bytes", "By", "Bytes charged to the destination's budget.")
        .with_attributes(LANE);
const CAPACITY: Desc =
    Desc::gauge("aqueduct_pipeline_capacity_bytes", "By", "The destination's budget.").with_attributes(LANE);
const REQUESTS: Desc = Desc::gauge(
    "aqueduct_pipeline_in_flight_requests",
    "{request}",
    "Requests under way to the destination.",
)
.with_attributes(LANE);
const LIMIT: Desc = Desc::gauge(
    "aqueduct_pipeline_in_flight_limit",
    "{request}",
    "How many requests may be under way to the destination now.",
)
.with_attributes(LANE);
const ATTEMPTS: Desc =
    Desc::counter("aqueduct_pipeline_attempts_total", "{attempt}", "Attempts to deliver a batch.")
        .with_attributes(LANE);
const RETRIES: Desc = Desc::counter(
    "aqueduct_pipeline_retries_total",
    "{attempt}",
    "Attempts that followed a failed one of the same batch.",
)
.with_attributes(LANE);
const FAILED: Desc = Desc::counter(
    "aqueduct_pipeline_failed_attempts_total",
    "{attempt}",
    "Attempts after which the destination did not have the batch: refused, failed, or of unknown outcome; without panics.",
)
.with_attributes(LANE);
const SEALED: Desc = Desc::counter(
    "aqueduct_pipeline_sealed_batches_total",
    "{batch}",
    "Batches that were sealed, by what made them full; the same for each destination of a pipeline.",
)
.with_attributes(&["signal", "destination", "reason"]);
const SENT: Desc = Desc::counter(
    "aqueduct_pipeline_sent_bytes_total",
    "By",
    "Bytes of request bodies handed to the exporter over all attempts, after compression.",
)
.with_attributes(LANE);
const PANICS: Desc = Desc::counter(
    "aqueduct_pipeline_exporter_panics_total",
    "{panic}",
    "Attempts that ended by a panic of the exporter; their batches were kept.",
)
.with_attributes(LANE);
const SPLITS: Desc = Desc::counter(
    "aqueduct_pipeline_splits_total",
    "{batch}",
    "Batches, or parts of them, that were made smaller because the destination does not take so much at once.",
)
.with_attributes(LANE);
const RESTARTS: Desc = Desc::counter(
    "aqueduct_pipeline_worker_restarts_total",
    "{restart}",
    "Tasks of the pipeline's thread that panicked and were begun again; what they held was kept.",
)
.with_attributes(LANE);
const REFUSED: Desc = Desc::counter(
    "aqueduct_pipeline_refused_items_total",
    "{item}",
    "Items of chunks that were refused because the budget had no room; they are in no ledger.",
)
.with_attributes(LANE);
const COMPRESSED_FROM: Desc = Desc::gauge(
    "aqueduct_pipeline_compressed_from_bytes",
    "By",
    "Bytes of the batches that wait compressed, before that.",
)
.with_attributes(LANE);
const COMPRESSED_TO: Desc = Desc::gauge(
    "aqueduct_pipeline_compressed_to_bytes",
    "By",
    "Bytes of the batches that wait compressed, after that.",
)
.with_attributes(LANE);
const INHERITED: Desc = Desc::gauge(
    "aqueduct_pipeline_inherited_items",
    "{item}",
    "Items that the parent held when this process was forked from it, and delivers.",
)
.with_attributes(LANE);
const PAUSED: Desc = Desc::gauge(
    "aqueduct_pipeline_paused_seconds",
    "s",
    "How long the destination is paused still; 0 when it is not.",
)
.with_attributes(LANE);

/// The metrics of this crate; those of the ledgers are in [`aqueduct_metrics::METRICS`].
pub const METRICS: &[Desc] = &[
    WALKED,
    ENCODING,
    HELD_BYTES,
    CAPACITY,
    REQUESTS,
    LIMIT,
    ATTEMPTS,
    RETRIES,
    FAILED,
    SEALED,
    SENT,
    PANICS,
    SPLITS,
    RESTARTS,
    REFUSED,
    COMPRESSED_FROM,
    COMPRESSED_TO,
    INHERITED,
    PAUSED,
    ATTEMPT,
    WAITED,
    QUEUED,
    ITEMS,
    BYTES,
    tail::TRACES,
    tail::SPANS,
    tail::LATE,
    tail::RESCUED,
    tail::VOTES,
    tail::DECIDED_TRACES,
    tail::DECIDED_SPANS,
    tail::HELD_TRACES,
    tail::HELD_SPANS,
    tail::HELD_BYTES,
    tail::CAPACITY,
    sample::ITEMS,
];

/// Writes the families of [`METRICS`] and of the ledgers that are about lanes, for these, which may come from several pipelines. Distributions are written by
/// [`write_distributions`](crate::write_distributions), samplers by [`write_tail_metrics`](crate::write_tail_metrics) and
/// [`write_sampler_metrics`](crate::write_sampler_metrics).
pub fn write_metrics(lanes: &[LaneStatus], page: &mut Exposition) {
    type Reading = fn(&LaneStatus) -> u64;
    for lane in lanes {
        let labels = [("signal", lane.signal.as_str()), ("destination", lane.destination.as_str())];
        page.ledgers(&[(&labels, lane.ledger)]);
    }
    let counters: [(&Desc, Reading); 16] = [
        (&ENCODING, |lane| lane.encoding_items),
        (&HELD_BYTES, |lane| lane.held_bytes),
        (&CAPACITY, |lane| lane.queue_bytes),
        (&REQUESTS, |lane| lane.in_flight_requests),
        (&LIMIT, |lane| lane.in_flight_limit as u64),
        (&ATTEMPTS, |lane| lane.attempts),
        (&RETRIES, |lane| lane.retries),
        (&FAILED, |lane| lane.failed_attempts),
        (&SENT, |lane| lane.sent_bytes),
        (&PANICS, |lane| lane.exporter_panics),
        (&SPLITS, |lane| lane.splits),
        (&RESTARTS, |lane| lane.restarts),
        (&REFUSED, |lane| lane.refused_items),
        (&COMPRESSED_FROM, |lane| lane.compressed_from_bytes),
        (&COMPRESSED_TO, |lane| lane.compressed_to_bytes),
        (&INHERITED, |lane| lane.inherited),
    ];
    for (desc, value) in counters {
        let mut family = page.family(desc);
        for lane in lanes {
            family
                .sample(&[("signal", lane.signal.as_str()), ("destination", &lane.destination)], value(lane));
        }
    }
    let mut family = page.family(&PAUSED);
    for lane in lanes {
        let labels = [("signal", lane.signal.as_str()), ("destination", lane.destination.as_str())];
        family.sample(&labels, lane.paused.unwrap_or_default().as_secs_f64());
    }
    let mut family = page.family(&SEALED);
    for lane in lanes {
        for reason in SealReason::ALL {
            let labels = [
                ("signal", lane.signal.as_str()),
                ("destination", lane.destination.as_str()),
                ("reason", reason.as_str()),
            ];
            family.sample(&labels, lane.sealed_batches[reason.index()]);
        }
    }
    let mut family = page.family(&WALKED);
    for lane in lanes {
        let stages = [
            ("tail", lane.tail_items),
            ("open", lane.open_items),
            ("queued", lane.queued_items),
            ("retry", lane.retry_items),
            ("in_flight", lane.in_flight_items),
        ];
        for (stage, items) in stages {
            let labels =
                [("signal", lane.signal.as_str()), ("destination", &lane.destination), ("stage", stage)];
            family.sample(&labels, items);
        }
    }
}
