//! Sampling once more: at a gateway, of items that may have been sampled before.

use crate::{ConfigError, ItemFacts, OtelTraceState, Randomness, Threshold, Value};

/// How a [`DownstreamSampler`] takes what has been sampled before (the `mode` of the collector's probabilistic sampler processor).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownstreamMode {
    /// Keeps the percentage of all items, as if nobody had sampled before: what came with a lower probability stays, what came with a higher
    /// one is thinned out to it.
    #[doc(alias = "equalizing")]
    Equalizing,
    /// Keeps the percentage of what arrives, whatever was sampled before.
    #[doc(alias = "proportional")]
    Proportional,
    /// Keeps by a hash (32-bit FNV-1a) of the trace's id, or of the attribute a log record is told apart by, with this seed, to 1 in
    /// 16,384: the collector's oldest mode, bit for bit. Gateways with the same seed keep the same traces. The `th` that is written
    /// goes with an `rv` made from the hash.
    #[doc(alias = "hash_seed")]
    HashSeed(u32),
}

/// Where log records have their randomness from, besides an explicit one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeSource {
    /// The id of the trace; the hash of the attribute if there is no id.
    #[default]
    #[doc(alias = "traceID")]
    TraceId,
    /// The hash of the attribute alone, in mode [`HashSeed`](DownstreamMode::HashSeed). In the other modes the same as
    /// [`TraceId`](AttributeSource::TraceId), as in the collector.
    #[doc(alias = "record")]
    Record,
}

/// What a [`DownstreamSampler`] is to do. The names are those of the collector's probabilistic sampler processor.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DownstreamConfig {
    /// How many of a hundred are kept. From 100 on it is all; 0 is none. Default 100.
    #[doc(alias = "sampling_percentage")]
    pub percentage: f64,
    /// Default [`DownstreamMode::Proportional`].
    pub mode: DownstreamMode,
    /// Significant hexadecimal digits of the thresholds it writes, from 1 to 14. Default 4.
    #[doc(alias = "sampling_precision")]
    pub precision: u32,
    /// Whether items are dropped that cannot be judged: without randomness, or with a threshold that their randomness gives the lie. Otherwise they
    /// are kept, and without a threshold. Default true.
    pub fail_closed: bool,
    /// Where log records have their randomness. Default [`AttributeSource::TraceId`].
    pub attribute_source: AttributeSource,
    /// The attribute that is hashed where log records do not have their randomness from their trace's id. Default none.
    pub from_attribute: Option<String>,
    /// The attribute that overrides the percentage. Of a span, 0 drops it and more keeps it. Of a log record it is a percentage of its own.
    /// Default `sampling.priority`, which is the collector's for spans; it has none for log records. `None` for no such attribute.
    #[doc(alias = "sampling_priority")]
    pub priority: Option<String>,
}

impl Default for DownstreamConfig {
    fn default() -> Self {
        DownstreamConfig {
            percentage: 100.0,
            mode: DownstreamMode::Proportional,
            precision: 4,
            fail_closed: true,
            attribute_source: AttributeSource::TraceId,
            from_attribute: None,
            priority: Some("sampling.priority".to_owned()),
        }
    }
}

/// What becomes of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// Whether it is kept.
    pub kept: bool,
    /// The `th` that a kept item leaves with; `None` for none, and then one it came with has to be removed.
    pub threshold: Option<Threshold>,
    /// The `rv` that a kept item leaves with, if it has to be written: the hash that decided, where the trace's id did not.
    pub randomness: Option<Randomness>,
    /// What was wrong with the item, if it could not be judged.
    pub fault: Option<Fault>,
}

impl Verdict {
    /// Appends the item's new value of the member `ot`, made from the one it came with.
    pub fn write_ot(self, arrived: &str, out: &mut String) {
        let mut state = OtelTraceState::parse(arrived);
        state.set_threshold(self.threshold);
        if let Some(randomness) = self.randomness {
            state.set_randomness(randomness);
        }
        state.write_to(out);
    }
}

/// Why an item could not be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It has no trace id, no `rv`, and no attribute to hash.
    MissingRandomness,
    /// Its threshold says that it should have been dropped before.
    InconsistentThreshold,
    /// It has a threshold or an explicit random value, which a hash has nothing to do with: another mode is recommended.
    ConsistentSamplingInUse,
}

/// Attributes of a log record, in place of `th` and `rv` (those of the collector).
const LOG_THRESHOLD: &str = "sampling.threshold";
const LOG_RANDOMNESS: &str = "sampling.randomness";

/// Samples items that have arrived, spans or log records, truthful about what was sampled before: a threshold is raised or stays, and is never
/// lowered.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{DownstreamConfig, DownstreamMode, DownstreamSampler, ItemFacts};
///
/// struct Span;
/// impl ItemFacts for Span {
///     fn trace_id(&self) -> [u8; 16] {
///         [0xff; 16]
///     }
///     fn ot(&self) -> &str {
///         "th:8"
///     }
/// }
///
/// let mut config = DownstreamConfig::default();
/// config.percentage = 50.0;
/// let verdict = DownstreamSampler::new(&config)?.span(&Span);
/// let mut ot = String::new();
/// verdict.write_ot(Span.ot(), &mut ot);
/// assert_eq!(ot, "th:c", "a half of a half is a quarter");
/// # Ok::<(), aqueduct_sampling::ConfigError>(())
/// ```
#[doc(alias = "probabilistic_sampler")]
#[derive(Clone, Debug)]
pub struct DownstreamSampler {
    mode: DownstreamMode,
    /// Of the percentage; none keeps nothing.
    threshold: Option<Threshold>,
    ratio: f64,
    precision: u32,
    fail_closed: bool,
    attribute_source: AttributeSource,
    from_attribute: Option<Box<str>>,
    priority: Option<Box<str>>,
}

/// What an item came with.
struct Arrived {
    threshold: Option<Threshold>,
    explicit: Option<Randomness>,
    /// What it is judged by.
    randomness: Option<Randomness>,
    /// Whether that is a hash in place of what the specification has.
    hashed: bool,
    /// Whether it has to be written into the item.
    written: bool,
}

impl DownstreamSampler {
    /// A sampler that does this.
    ///
    /// # Errors
    ///
    /// The percentage is negative or no number, or the precision is not from 1 to 14.
    pub fn new(config: &DownstreamConfig) -> Result<Self, ConfigError> {
        let value = config.percentage;
        if value.is_nan() || value < 0.0 {
            return Err(ConfigError::Percentage { value });
        }
        if !(1..=14).contains(&config.precision) {
            return Err(ConfigError::Precision { value: config.precision });
        }
        let ratio = (value / 100.0).min(1.0);
        Ok(DownstreamSampler {
            mode: config.mode,
            threshold: threshold(config.mode, ratio, config.precision),
            ratio,
            precision: config.precision,
            fail_closed: config.fail_closed,
            attribute_source: config.attribute_source,
            from_attribute: config.from_attribute.as_deref().map(Into::into),
            priority: config.priority.as_deref().map(Into::into),
        })
    }

    /// Decides about a span: `th` and `rv` are in its trace state.
    pub fn span<F: ItemFacts + ?Sized>(&self, facts: &F) -> Verdict {
        let state = OtelTraceState::parse(facts.ot());
        let arrived =
            self.arrived(state.threshold(), state.explicit_randomness(), facts.trace_id(), true, || None);
        let priority = self.priority.as_deref().and_then(|key| number(facts.attribute(key)?));
        match priority {
            Some(priority) if priority > 0.0 => {
                Verdict { kept: true, threshold: None, randomness: None, fault: None }
            }
            Some(_) => Verdict::DROP,
            None => self.judge(&arrived, self.mode, self.threshold, self.ratio),
        }
    }

    /// Decides about a log record: its `th` and `rv` are the attributes `sampling.threshold` and `sampling.randomness`, so that is where
    /// what the verdict says has to be written.
    pub fn log<F: ItemFacts + ?Sized>(&self, facts: &F) -> Verdict {
        let text = |key| match facts.attribute(key) {
            Some(Value::Str(text)) => Some(text),
            _ => None,
        };
        let threshold_text = text(LOG_THRESHOLD).and_then(|text| text.parse().ok());
        let explicit = text(LOG_RANDOMNESS).and_then(|text| text.parse().ok());
        let by_trace = self.attribute_source == AttributeSource::TraceId;
        let arrived = self.arrived(threshold_text, explicit, facts.trace_id(), by_trace, || {
            facts.attribute(self.from_attribute.as_deref()?)
        });
        let priority = self.priority.as_deref().and_then(|key| number(facts.attribute(key)?));
        match priority {
            Some(percentage) => {
                let ratio = (percentage / 100.0).clamp(0.0, 1.0);
                self.judge(&arrived, self.mode, threshold(self.mode, ratio, self.precision), ratio)
            }
            None => self.judge(&arrived, self.mode, self.threshold, self.ratio),
        }
    }

    /// `attribute` is what is hashed where the id is not there, or does not count (`by_trace`).
    fn arrived<'f>(
        &self,
        threshold: Option<Threshold>,
        explicit: Option<Randomness>,
        id: [u8; 16],
        by_trace: bool,
        attribute: impl FnOnce() -> Option<Value<'f>>,
    ) -> Arrived {
        let has_id = id != [0; 16];
        let of_value = |seed| match attribute()? {
            Value::Str(text) => Some(hashed(seed, text.as_bytes())),
            value => Some(hashed(seed, plain(value).as_bytes())),
        };
        let DownstreamMode::HashSeed(seed) = self.mode else {
            let given = explicit.or_else(|| has_id.then(|| Randomness::from_trace_id(&id)));
            let randomness = given.or_else(|| of_value(0));
            return Arrived { threshold, explicit, randomness, hashed: false, written: given.is_none() };
        };
        let randomness = if by_trace && has_id { Some(hashed(seed, &id)) } else { of_value(seed) };
        Arrived { threshold, explicit, randomness, hashed: true, written: true }
    }

    fn judge(
        &self,
        arrived: &Arrived,
        mode: DownstreamMode,
        wanted: Option<Threshold>,
        ratio: f64,
    ) -> Verdict {
        let fault = match (arrived.randomness, arrived.threshold) {
            (None, _) => Some(Fault::MissingRandomness),
            _ if arrived.hashed && (arrived.explicit.is_some() || arrived.threshold.is_some()) => {
                Some(Fault::ConsistentSamplingInUse)
            }
            (Some(randomness), Some(threshold)) if !threshold.keeps(randomness) => {
                Some(Fault::InconsistentThreshold)
            }
            _ => None,
        };
        if fault.is_some() {
            let kept = !self.fail_closed && wanted.is_some();
            return Verdict { kept, threshold: None, randomness: None, fault };
        }
        let (Some(randomness), Some(wanted)) = (arrived.randomness, wanted) else { return Verdict::DROP };
        let raised = match (mode, arrived.threshold) {
            (DownstreamMode::Proportional, Some(before)) => {
                // A product too small for a threshold keeps nothing.
                let product =
                    Threshold::from_probability_rounded(before.probability() * ratio, self.precision);
                let Ok(product) = product else { return Verdict::DROP };
                product.max(before)
            }
            (_, Some(before)) => wanted.max(before),
            (_, None) => wanted,
        };
        if !raised.keeps(randomness) {
            return Verdict::DROP;
        }
        let written = arrived.written.then_some(randomness);
        Verdict { kept: true, threshold: Some(raised), randomness: written, fault: None }
    }
}

impl Verdict {
    /// It is dropped.
    pub const DROP: Verdict = Verdict { kept: false, threshold: None, randomness: None, fault: None };
}

/// Buckets of the hash.
const BUCKETS: u32 = 1 << 14;

fn threshold(mode: DownstreamMode, ratio: f64, precision: u32) -> Option<Threshold> {
    if ratio <= 0.0 {
        return None;
    }
    if let DownstreamMode::HashSeed(_) = mode {
        // In single precision and rounded down, as the collector does it.
        let kept = ((ratio * 100.0) as f32 * (BUCKETS as f32 / 100.0)) as u32;
        let rejected = BUCKETS.checked_sub(kept).filter(|_| kept > 0)?;
        return Threshold::new(u64::from(rejected) << 42);
    }
    let least = Threshold::MAX.probability();
    Threshold::from_probability_rounded(ratio.max(least), precision).ok()
}

/// 56 bits from the collector's hash: 14 of the decision first, so that the comparison with a threshold decides as the collector's
/// comparison of buckets does.
fn hashed(seed: u32, bytes: &[u8]) -> Randomness {
    let mut hash = 0x811c_9dc5_u32;
    for byte in seed.to_le_bytes().iter().chain(bytes) {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    let bucket = u64::from(hash % BUCKETS);
    let unused = u64::from(hash >> 18);
    let middle = unused ^ (unused << 10);
    let value = (u64::from(BUCKETS) - 1 - bucket) << 42 | middle << 14 | bucket;
    Randomness::new(value).unwrap_or(Randomness::MIN)
}

/// How the collector writes a value that is no text.
fn plain(value: Value<'_>) -> String {
    match value {
        Value::Str(text) => text.to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bool(bool) => bool.to_string(),
    }
}

fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Int(number) => Some(number as f64),
        Value::Double(number) if !number.is_nan() => Some(number),
        Value::Str(text) => text.parse().ok().filter(|number: &f64| !number.is_nan()),
        _ => None,
    }
}
