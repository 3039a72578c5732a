//! Changing a pipeline while it runs.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use aqueduct_batch::BatchConfig;
use aqueduct_transport::Compression;

use crate::home::{Core, Home};
use crate::lane::Lane;
use crate::pipeline::Pipeline;

/// What can be changed while a pipeline runs; what is `None` stays as it is. Applied by [`Pipeline::apply`].
///
/// Settings of destinations apply to all lanes of the pipeline.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_pipeline::Parameters;
///
/// let mut parameters = Parameters::default();
/// parameters.batch_items = Some(512);
/// parameters.batch_delay = Some(Duration::from_millis(50));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Parameters {
    /// Items in a batch at most ([`BatchConfig::max_items`]), at least 1. Open chunks of an [`EncodingIntake`](crate::EncodingIntake) keep the number that
    /// the pipeline was built with.
    pub batch_items: Option<u64>,
    /// Bytes in a batch at most ([`BatchConfig::max_bytes`]), at least 1.
    pub batch_bytes: Option<u64>,
    /// How long the first chunk of a batch may wait ([`BatchConfig::max_age`]).
    pub batch_delay: Option<Duration>,
    /// Requests under way at most ([`LaneConfig::max_in_flight`](crate::LaneConfig::max_in_flight)), at least 1.
    pub max_in_flight: Option<usize>,
    /// Connections to each destination at most ([`ClientConfig::max_connections`](aqueduct_transport::ClientConfig::max_connections)), at least 1.
    pub connections: Option<usize>,
    /// The byte budget ([`LaneConfig::queue_bytes`](crate::LaneConfig::queue_bytes)), at least 1. When it shrinks nothing is dropped: chunks are refused until less is held.
    pub queue_bytes: Option<u64>,
    /// How batches are compressed from now on.
    pub compression: Option<Compression>,
    /// Threads of the worker pool ([`Builder::worker_pool`](crate::Builder::worker_pool)), at least 1 and at most what the pool was made for.
    pub worker_threads: Option<usize>,
}

/// One setting of [`Parameters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Knob {
    /// [`Parameters::batch_items`].
    BatchItems,
    /// [`Parameters::batch_bytes`].
    BatchBytes,
    /// [`Parameters::batch_delay`].
    BatchDelay,
    /// [`Parameters::max_in_flight`].
    MaxInFlight,
    /// [`Parameters::connections`].
    Connections,
    /// [`Parameters::queue_bytes`].
    QueueBytes,
    /// [`Parameters::compression`].
    Compression,
    /// [`Parameters::worker_threads`].
    WorkerThreads,
}

impl Knob {
    /// The setting's name in [`Parameters`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BatchItems => "batch_items",
            Self::BatchBytes => "batch_bytes",
            Self::BatchDelay => "batch_delay",
            Self::MaxInFlight => "max_in_flight",
            Self::Connections => "connections",
            Self::QueueBytes => "queue_bytes",
            Self::Compression => "compression",
            Self::WorkerThreads => "worker_threads",
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A setting that is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Which setting.
    pub knob: Knob,
    /// At which destination; `None` for those of the pipeline as a whole.
    pub destination: Option<String>,
    /// What it was.
    pub from: String,
    /// What it is.
    pub to: String,
}

/// A setting that stays as it was although another value was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotApplied {
    /// Which setting.
    pub knob: Knob,
    /// At which destination; `None` for those of the pipeline as a whole.
    pub destination: Option<String>,
    /// Why, in words.
    pub reason: String,
}

/// What [`Pipeline::apply`] did. A setting that was asked for and had that value already is in neither list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// What has changed, in the order of [`Parameters`].
    pub changes: Vec<Change>,
    /// What could not be changed.
    pub not_applied: Vec<NotApplied>,
}

impl Applied {
    fn note<T: PartialEq + fmt::Debug>(&mut self, knob: Knob, destination: Option<&str>, from: T, to: T) {
        if from != to {
            let destination = destination.map(str::to_owned);
            let (from, to) = (format!("{from:?}"), format!("{to:?}"));
            self.changes.push(Change { knob, destination, from, to });
        }
    }

    fn refuse(&mut self, knob: Knob, destination: Option<&str>, reason: impl Into<String>) {
        let destination = destination.map(str::to_owned);
        self.not_applied.push(NotApplied { knob, destination, reason: reason.into() });
    }

    /// The value if there is one that is at least 1.
    fn positive<T: Copy + Default + PartialEq>(&mut self, knob: Knob, value: Option<T>) -> Option<T> {
        let zero = value.is_some_and(|value| value == T::default());
        if zero {
            self.refuse(knob, None, "must be at least 1");
        }
        value.filter(|_| !zero)
    }
}

impl Pipeline {
    /// Changes settings while the pipeline runs. Each takes effect at once, for the open batches and for what waits as well; what is under way is not touched.
    ///
    /// A value that makes no sense is refused by itself, with a reason; the others are applied. In a forked child the pipeline that is made anew begins with
    /// the settings it was built with.
    pub fn apply(&self, parameters: &Parameters) -> Applied {
        apply(&self.home, parameters)
    }
}

pub(crate) fn apply(home: &Home, parameters: &Parameters) -> Applied {
    let mut applied = Applied::default();
    let Some(core) = home.existing() else { return applied };
    apply_batch(core, parameters, &mut applied);
    let in_flight = applied.positive(Knob::MaxInFlight, parameters.max_in_flight);
    let queue_bytes = applied.positive(Knob::QueueBytes, parameters.queue_bytes);
    let connections = applied.positive(Knob::Connections, parameters.connections);
    for lane in &core.shared.lanes {
        apply_lane(lane, in_flight, queue_bytes, &mut applied);
        apply_exporter(lane, connections, parameters.compression, &mut applied);
    }
    if let Some(threads) = parameters.worker_threads {
        apply_workers(home, threads, &mut applied);
    }
    applied
}

fn apply_workers(home: &Home, threads: usize, applied: &mut Applied) {
    let knob = Knob::WorkerThreads;
    let Some(count) = NonZeroUsize::new(threads) else {
        return applied.refuse(knob, None, "must be at least 1");
    };
    let Some(pool) = home.recipe.given.get().and_then(|given| given.pool.as_ref()) else {
        return applied.refuse(knob, None, "the pipeline was built without a worker pool");
    };
    let before = pool.stats().threads;
    match pool.resize(count) {
        Ok(()) => applied.note(knob, None, before, threads),
        Err(error) => applied.refuse(knob, None, error.to_string()),
    }
}

fn apply_batch(core: &Core, parameters: &Parameters, applied: &mut Applied) {
    let before = core.shared.batch_config();
    let mut config: BatchConfig = before.clone();
    if let Some(items) = applied.positive(Knob::BatchItems, parameters.batch_items) {
        config.max_items = items;
    }
    if let Some(bytes) = applied.positive(Knob::BatchBytes, parameters.batch_bytes) {
        config.max_bytes = bytes;
    }
    if let Some(delay) = parameters.batch_delay {
        config.max_age = delay;
    }
    applied.note(Knob::BatchItems, None, before.max_items, config.max_items);
    applied.note(Knob::BatchBytes, None, before.max_bytes, config.max_bytes);
    applied.note(Knob::BatchDelay, None, before.max_age, config.max_age);
    if config != before {
        core.shared.reconfigure(&config);
    }
}

fn apply_lane(lane: &Lane, in_flight: Option<usize>, queue_bytes: Option<u64>, applied: &mut Applied) {
    let name = Some(lane.destination.name());
    if let Some(requests) = in_flight {
        applied.note(Knob::MaxInFlight, name, lane.max_in_flight(), requests);
        lane.set_max_in_flight(requests);
    }
    if let Some(bytes) = queue_bytes {
        applied.note(Knob::QueueBytes, name, lane.budget.limit(), bytes);
        lane.budget.set_limit(bytes);
    }
}

fn apply_exporter(
    lane: &Lane,
    connections: Option<usize>,
    compression: Option<Compression>,
    applied: &mut Applied,
) {
    let (name, exporter) = (Some(lane.destination.name()), lane.destination.exporter());
    if let Some(connections) = connections {
        let before = exporter.connections();
        match exporter.set_connections(connections) {
            Ok(()) => applied.note(Knob::Connections, name, before, Some(connections)),
            Err(reason) => applied.refuse(Knob::Connections, name, reason),
        }
    }
    if let Some(codec) = compression {
        let before = exporter.compression();
        match exporter.set_compression(codec) {
            Ok(()) => applied.note(Knob::Compression, name, before, Some(codec)),
            Err(reason) => applied.refuse(Knob::Compression, name, reason),
        }
    }
}
