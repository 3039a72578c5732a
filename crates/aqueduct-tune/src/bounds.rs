//! What a knob may be set to, and the next value to try.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::{Algorithm, Knob, Parameters, Value};

/// What each knob may be set to. The tuner never proposes anything outside.
///
/// Bounds that make no sense are put right when a tuner is made of them: ends in the wrong order are swapped, zeros that stand for nothing become
/// the least that works, shares stay above 0 and at most 1.
///
/// ```
/// use aqueduct_tune::{Bounds, Parameters};
///
/// let mut bounds = Bounds::default();
/// bounds.batch_items = 64..=4_096;
/// let mut parameters = Parameters::default();
/// parameters.batch_items = Some(1_000_000);
/// assert_eq!(bounds.clamp(&parameters).batch_items, Some(4_096));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Bounds {
    /// Items in a batch at most, at least 1. Default 16 to 65,536.
    pub batch_items: RangeInclusive<u64>,
    /// Bytes in a batch at most, at least 1. Default 64 KiB to 16 MiB; many servers take no more than 4 MiB without being told.
    pub batch_bytes: RangeInclusive<u64>,
    /// How long an item may wait for its batch. Default 1 ms to 5 s.
    pub batch_delay: RangeInclusive<Duration>,
    /// Requests under way, for both ends of the limit; at least 1. Default 1 to 256.
    pub in_flight: RangeInclusive<u64>,
    /// Connections, at least 1. Default 1 to 16.
    pub connections: RangeInclusive<u64>,
    /// Bytes held, at least 1. Default 1 MiB to 1 GiB. Less holds out less long when the destination is away.
    pub queue_bytes: RangeInclusive<u64>,
    /// Algorithms that the destination understands, and that may be chosen. Default none and gzip. Nothing allowed means that none is.
    pub compression: Vec<Algorithm>,
    /// Levels of compression. Default 1 to 9.
    pub compression_level: RangeInclusive<i32>,
    /// Threads, at least 1. Default 1 to 64.
    pub worker_threads: RangeInclusive<u64>,
    /// The share of items that is kept; `None` forbids to touch it. Default `None`: less data is a decision, not an optimisation.
    pub sampling_rate: Option<RangeInclusive<f64>>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            batch_items: 16..=65_536,
            batch_bytes: 64 << 10..=16 << 20,
            batch_delay: Duration::from_millis(1)..=Duration::from_secs(5),
            in_flight: 1..=256,
            connections: 1..=16,
            queue_bytes: 1 << 20..=1 << 30,
            compression: vec![Algorithm::None, Algorithm::Gzip],
            compression_level: 1..=9,
            worker_threads: 1..=64,
            sampling_rate: None,
        }
    }
}

/// The least share that is kept: one in a million.
const LEAST_SHARE: f64 = 1e-6;

impl Bounds {
    /// The same bounds, put right as described at the type.
    #[must_use]
    pub fn sanitised(&self) -> Bounds {
        let mut compression = self.compression.clone();
        compression.sort_unstable();
        compression.dedup();
        if compression.is_empty() {
            compression.push(Algorithm::None);
        }
        Bounds {
            batch_items: ordered(&self.batch_items, 1),
            batch_bytes: ordered(&self.batch_bytes, 1),
            batch_delay: ordered(&self.batch_delay, Duration::ZERO),
            in_flight: ordered(&self.in_flight, 1),
            connections: ordered(&self.connections, 1),
            queue_bytes: ordered(&self.queue_bytes, 1),
            compression,
            compression_level: ordered(&self.compression_level, i32::MIN),
            worker_threads: ordered(&self.worker_threads, 1),
            sampling_rate: self.sampling_rate.as_ref().map(|rates| {
                let (a, b) = (share(*rates.start()), share(*rates.end()));
                a.min(b)..=a.max(b)
            }),
        }
    }

    /// The parameters with each value brought within these bounds. Where sampling is forbidden its rate stays as it is.
    #[must_use]
    pub fn clamp(&self, parameters: &Parameters) -> Parameters {
        let bounds = self.sanitised();
        let mut inside = *parameters;
        for knob in Knob::ALL {
            if let Some(value) = parameters.get(knob) {
                inside.set(knob, bounds.nearest(knob, value));
            }
        }
        if let (Some(low), Some(high)) = (inside.min_in_flight, inside.max_in_flight) {
            inside.min_in_flight = Some(low.min(high));
        }
        inside
    }

    /// Whether every value is within these bounds.
    #[must_use]
    pub fn contains(&self, parameters: &Parameters) -> bool {
        self.clamp(parameters) == *parameters
    }

    /// The value that is allowed and nearest. For bounds that are put right.
    fn nearest(&self, knob: Knob, value: Value) -> Value {
        match (knob, value) {
            (Knob::BatchItems, Value::Count(items)) => Value::Count(within(&self.batch_items, items)),
            (Knob::BatchBytes, Value::Bytes(bytes)) => Value::Bytes(within(&self.batch_bytes, bytes)),
            (Knob::BatchDelay, Value::Time(delay)) => Value::Time(within(&self.batch_delay, delay)),
            (Knob::MinInFlight | Knob::MaxInFlight, Value::Count(requests)) => {
                Value::Count(within(&self.in_flight, requests))
            }
            (Knob::Connections, Value::Count(count)) => Value::Count(within(&self.connections, count)),
            (Knob::QueueBytes, Value::Bytes(bytes)) => Value::Bytes(within(&self.queue_bytes, bytes)),
            (Knob::Compression, Value::Algorithm(algorithm)) if !self.compression.contains(&algorithm) => {
                Value::Algorithm(self.compression.first().copied().unwrap_or_default())
            }
            (Knob::CompressionLevel, Value::Level(level)) => {
                Value::Level(within(&self.compression_level, level))
            }
            (Knob::WorkerThreads, Value::Count(threads)) => {
                Value::Count(within(&self.worker_threads, threads))
            }
            (Knob::SamplingRate, Value::Share(rate)) => match &self.sampling_rate {
                Some(rates) => Value::Share(share(rate).clamp(*rates.start(), *rates.end())),
                None => value,
            },
            _ => value,
        }
    }

    /// The next value in this direction, a factor away where the knob is a number; `None` if there is none. For bounds that are put right.
    pub(crate) fn next(&self, parameters: &Parameters, knob: Knob, up: bool, factor: f64) -> Option<Value> {
        let value = parameters.get(knob)?;
        let wished = match value {
            Value::Count(count) => Value::Count(scaled(count, up, factor)),
            Value::Bytes(bytes) => Value::Bytes(scaled(bytes, up, factor)),
            Value::Time(delay) => {
                let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
                Value::Time(Duration::from_micros(scaled(micros, up, factor)))
            }
            Value::Algorithm(algorithm) => Value::Algorithm(self.other(algorithm, up)?),
            Value::Level(level) => {
                let step = factor.round().clamp(1.0, 4.0) as i32;
                Value::Level(if up { level.saturating_add(step) } else { level.saturating_sub(step) })
            }
            Value::Share(_) if self.sampling_rate.is_none() => return None,
            Value::Share(rate) => Value::Share(if up { rate * factor } else { rate / factor }),
        };
        let next = match (knob, self.nearest(knob, wished)) {
            (Knob::MinInFlight, Value::Count(low)) => {
                Value::Count(parameters.max_in_flight.map_or(low, |high| low.min(high)))
            }
            (Knob::MaxInFlight, Value::Count(high)) => {
                Value::Count(parameters.min_in_flight.map_or(high, |low| high.max(low)))
            }
            (_, next) => next,
        };
        (next != value).then_some(next)
    }

    /// The next algorithm that is allowed, in the order of their price.
    fn other(&self, algorithm: Algorithm, up: bool) -> Option<Algorithm> {
        let allowed = |other: &Algorithm| self.compression.contains(other);
        if up {
            Algorithm::ALL.into_iter().filter(allowed).find(|other| *other > algorithm)
        } else {
            Algorithm::ALL.into_iter().rev().filter(allowed).find(|other| *other < algorithm)
        }
    }
}

fn ordered<T: Copy + Ord>(range: &RangeInclusive<T>, least: T) -> RangeInclusive<T> {
    let (a, b) = ((*range.start()).max(least), (*range.end()).max(least));
    a.min(b)..=a.max(b)
}

fn within<T: Copy + Ord>(range: &RangeInclusive<T>, value: T) -> T {
    value.clamp(*range.start(), *range.end())
}

fn share(rate: f64) -> f64 {
    if rate.is_nan() { 1.0 } else { rate.clamp(LEAST_SHARE, 1.0) }
}

/// The value times or divided by the factor, at least one away. A float that is too large becomes the largest integer.
fn scaled(value: u64, up: bool, factor: f64) -> u64 {
    if up {
        ((value as f64 * factor).round() as u64).max(value.saturating_add(1))
    } else {
        ((value as f64 / factor).round() as u64).min(value.saturating_sub(1))
    }
}
