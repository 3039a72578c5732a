//! How long attempts take and batches wait, and how large batches are.

use std::time::{Duration, Instant};

use aqueduct_metrics::{Desc, Distribution, Exposition, Histogram};
use aqueduct_wire::Signal;

use crate::held::Times;
use crate::home::Home;
use crate::lane::Lane;
use crate::metrics::LANE;
use crate::pipeline::Pipeline;

pub(crate) const ATTEMPT: Desc = Desc::histogram(
    "aqueduct_export_duration_seconds",
    "s",
    "Time from the start of an attempt to its outcome.",
)
.with_attributes(LANE)
.with_convention("otel.sdk.exporter.operation.duration")
.with_aliases(&["otlp.export.duration"]);
pub(crate) const WAITED: Desc = Desc::histogram(
    "aqueduct_pipeline_wait_duration_seconds",
    "s",
    "Time from the first item of a batch to the batch's first attempt: filling, and the queue.",
)
.with_attributes(LANE);
pub(crate) const QUEUED: Desc = Desc::histogram(
    "aqueduct_pipeline_queue_duration_seconds",
    "s",
    "Time that a batch has waited from its sealing to its first attempt.",
)
.with_attributes(LANE);
pub(crate) const ITEMS: Desc =
    Desc::histogram("aqueduct_pipeline_batch_items", "{item}", "Items in a batch, at its first attempt.")
        .with_attributes(LANE);
pub(crate) const BYTES: Desc = Desc::histogram(
    "aqueduct_pipeline_batch_bytes",
    "By",
    "Bytes of a batch before compression, at its first attempt.",
)
.with_attributes(LANE);

/// Upper bounds of the buckets that are published, in seconds: from a quick collector beside us to the longest attempts.
const SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Those of items: powers of four.
const COUNTS: [f64; 9] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0];
/// Those of bytes: powers of four, from 256 B to 16 MiB.
const SIZES: [f64; 9] =
    [256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

/// Recorded by the lane's task, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    attempts: Distribution,
    waited: Distribution,
    queued: Distribution,
    items: Distribution,
    bytes: Distribution,
}

impl Measured {
    /// An attempt had an outcome.
    pub(crate) fn attempt(&self, took: Duration) {
        self.attempts.record_duration(took);
    }

    /// A batch is tried for the first time.
    pub(crate) fn departs(&self, now: Instant, times: Times, items: u64, bytes: usize) {
        self.waited.record_duration(now.saturating_duration_since(times.opened));
        self.queued.record_duration(now.saturating_duration_since(times.sealed));
        self.items.record(items);
        self.bytes.record(bytes as u64);
    }
}

/// What was measured of one lane since the pipeline was built. Quantiles are within 0.8 %; for an interval take the difference of two
/// ([`Histogram::since`]).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaneDistributions {
    /// The pipeline's signal.
    pub signal: Signal,
    /// The destination's name.
    pub destination: String,
    /// Time from the start of an attempt to its outcome, in nanoseconds: compressing a small batch, sending it, and waiting for the answer. Attempts that
    /// failed count, those that panicked do not.
    pub attempts: Histogram,
    /// Time from the first item of a batch to the batch's first attempt, in nanoseconds: filling, and the queue.
    pub waited: Histogram,
    /// Time that a batch has waited from its sealing to its first attempt, in nanoseconds.
    pub queued: Histogram,
    /// Items in a batch, at its first attempt.
    pub items: Histogram,
    /// Bytes of a batch before compression, at its first attempt.
    pub bytes: Histogram,
}

impl Pipeline {
    /// What was measured of each lane. Adds up some thousand buckets a lane: for pages and tuners, not for each batch. Empty in a process in which
    /// nothing was offered yet.
    #[must_use]
    pub fn distributions(&self) -> Vec<LaneDistributions> {
        distributions(&self.home)
    }
}

pub(crate) fn distributions(home: &Home) -> Vec<LaneDistributions> {
    let of = |lane: &Lane| LaneDistributions {
        signal: lane.signal,
        destination: lane.destination.name().to_owned(),
        attempts: lane.measured.attempts.read(),
        waited: lane.measured.waited.read(),
        queued: lane.measured.queued.read(),
        items: lane.measured.items.read(),
        bytes: lane.measured.bytes.read(),
    };
    home.existing().map_or_else(Vec::new, |core| core.shared.lanes.iter().map(|lane| of(lane)).collect())
}

/// Writes the distributions among [`METRICS`](crate::METRICS) for these lanes, which may come from several pipelines.
pub fn write_distributions(lanes: &[LaneDistributions], page: &mut Exposition) {
    type Reading = fn(&LaneDistributions) -> &Histogram;
    let families: [(&Desc, Reading, f64, &[f64]); 5] = [
        (&ATTEMPT, |lane| &lane.attempts, 1e-9, &SECONDS),
        (&WAITED, |lane| &lane.waited, 1e-9, &SECONDS),
        (&QUEUED, |lane| &lane.queued, 1e-9, &SECONDS),
        (&ITEMS, |lane| &lane.items, 1.0, &COUNTS),
        (&BYTES, |lane| &lane.bytes, 1.0, &SIZES),
    ];
    for (desc, reading, scale, bounds) in families {
        let mut family = page.family(desc);
        for lane in lanes {
            let labels = [("signal", lane.signal.as_str()), ("destination", lane.destination.as_str())];
            family.distribution(&labels, reading(lane), scale, bounds);
        }
    }
}
