//! Between the settings of pipelines and the knobs of a tuner.

use aqueduct_transport::Compression;
use aqueduct_tune::{Algorithm, Bounds, Knob};

use crate::apply::{self, Parameters};
use crate::home::Home;

/// The settings that all of these pipelines and their destinations have in common. What differs between them, or what they do not have, is left out: it belongs to somebody else.
pub(super) fn read<'a>(homes: impl Iterator<Item = &'a Home>) -> aqueduct_tune::Parameters {
    let mut items = Common::default();
    let mut bytes = Common::default();
    let mut delay = Common::default();
    let mut in_flight = Common::default();
    let mut connections = Common::default();
    let mut compression = Common::default();
    let mut threads = Common::default();
    for home in homes {
        let Some(core) = home.existing() else { continue };
        let batch = core.shared.batch_config();
        items.see(batch.max_items);
        bytes.see(batch.max_bytes);
        delay.see(batch.max_age);
        for lane in &core.shared.lanes {
            in_flight.see(lane.max_in_flight() as u64);
            let exporter = lane.destination.exporter();
            exporter.connections().into_iter().for_each(|count| connections.see(count as u64));
            exporter.compression().into_iter().for_each(|codec| compression.see(codec));
        }
        let pool = home.recipe.given.get().and_then(|given| given.pool.as_ref());
        pool.into_iter().for_each(|pool| threads.see(pool.stats().threads as u64));
    }
    let (algorithm, level) = match compression.value() {
        // What it would be compressed with if it were.
        Some(Compression::None) => (Some(Algorithm::None), Some(1)),
        Some(Compression::Gzip(level)) => (Some(Algorithm::Gzip), i32::try_from(level).ok()),
        Some(Compression::Zstd(level)) => (Some(Algorithm::Zstd), Some(level)),
        // One that the tuner does not know, or none.
        _ => (None, None),
    };
    let mut parameters = aqueduct_tune::Parameters::default();
    parameters.batch_items = items.value();
    parameters.batch_bytes = bytes.value();
    parameters.batch_delay = delay.value();
    parameters.max_in_flight = in_flight.value();
    parameters.connections = connections.value();
    parameters.compression = algorithm;
    parameters.compression_level = level;
    parameters.worker_threads = threads.value();
    parameters
}

/// The bounds with room for the settings as they are: what somebody chose is not put right before it was looked at.
pub(super) fn around(bounds: &Bounds, parameters: &aqueduct_tune::Parameters) -> Bounds {
    let mut bounds = bounds.clone();
    if let Some(algorithm) = parameters.compression
        && !bounds.compression.contains(&algorithm)
    {
        bounds.compression.push(algorithm);
    }
    bounds
}

/// A value that is the same everywhere, as far as it was seen.
#[derive(Debug, Default)]
enum Common<T> {
    #[default]
    Unseen,
    Same(T),
    Differs,
}

impl<T: PartialEq> Common<T> {
    fn see(&mut self, value: T) {
        *self = match std::mem::replace(self, Common::Differs) {
            Common::Unseen => Common::Same(value),
            Common::Same(there) if there == value => Common::Same(there),
            Common::Same(_) | Common::Differs => Common::Differs,
        };
    }

    fn value(self) -> Option<T> {
        match self {
            Common::Same(value) => Some(value),
            Common::Unseen | Common::Differs => None,
        }
    }
}

/// Sets one knob of all these pipelines to what the parameters say.
///
/// # Errors
///
/// Why nothing has changed, in words.
pub(super) fn write<'a>(
    homes: impl Iterator<Item = &'a Home>,
    knob: Knob,
    parameters: &aqueduct_tune::Parameters,
) -> Result<(), String> {
    let wanted = of_pipeline(knob, parameters).ok_or("the pipeline has no such setting")?;
    let (mut changed, mut refused) = (false, None);
    for home in homes {
        let applied = apply::apply(home, &wanted);
        changed |= !applied.changes.is_empty();
        refused = refused.or(applied.not_applied.into_iter().next().map(|refusal| refusal.reason));
    }
    match refused {
        // Where a destination has no such setting, the others have.
        Some(reason) if !changed => Err(reason),
        _ => Ok(()),
    }
}

fn of_pipeline(knob: Knob, from: &aqueduct_tune::Parameters) -> Option<Parameters> {
    let count = |value: Option<u64>| value.map(|value| usize::try_from(value).unwrap_or(usize::MAX));
    let mut to = Parameters::default();
    match knob {
        Knob::BatchItems => to.batch_items = from.batch_items,
        Knob::BatchBytes => to.batch_bytes = from.batch_bytes,
        Knob::BatchDelay => to.batch_delay = from.batch_delay,
        Knob::MaxInFlight => to.max_in_flight = count(from.max_in_flight),
        Knob::Connections => to.connections = count(from.connections),
        Knob::QueueBytes => to.queue_bytes = from.queue_bytes,
        Knob::WorkerThreads => to.worker_threads = count(from.worker_threads),
        Knob::Compression | Knob::CompressionLevel => {
            let level = from.compression_level.unwrap_or(1);
            to.compression = Some(match from.compression? {
                Algorithm::None => Compression::None,
                Algorithm::Gzip => Compression::Gzip(u32::try_from(level.clamp(0, 9)).unwrap_or_default()),
                Algorithm::Zstd => Compression::Zstd(level),
                // One that this crate does not know.
                _ => return None,
            });
        }
        _ => return None,
    }
    (to != Parameters::default()).then_some(to)
}
