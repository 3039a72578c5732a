//! The collector's probabilistic sampler, on bytes.

use aqueduct_metrics::Counter;
use aqueduct_sampling::{DownstreamSampler, ItemFacts, OtelTraceState, Threshold, Value, Verdict};
use aqueduct_wire::edit::{Edit, TraceStateEdit};
use aqueduct_wire::{Chunk, Invalid, Item, Signal, filter};

use super::{OtlpFacts, SamplerStats};
use crate::Transform;

/// Samples spans and log records that are encoded already, with what a [`DownstreamSampler`] decides; give it to
/// [`Builder::transform`](crate::Builder::transform).
///
/// Clones count together ([`stats`](Self::stats)).
///
/// What it leaves out is cut out, and what it keeps says what it stands for: spans in their trace state (`ot=th:…`), log records in the attributes
/// `sampling.threshold` and `sampling.randomness`. Only what changes is written anew; the rest, unknown fields too, stays as it is encoded. Metrics
/// pass.
///
/// # Allocation
///
/// A list of the kept items, 40 bytes each, and what [`filter`] and [`TraceStateEdit::apply_each`] allocate. Nothing of size for what is kept
/// whole and unchanged.
///
/// # Examples
///
/// ```
/// use aqueduct_pipeline::{ProbabilisticSampler, Transform};
/// use aqueduct_sampling::{DownstreamConfig, DownstreamSampler};
/// use aqueduct_wire::{Chunk, Limits, Signal};
///
/// let mut config = DownstreamConfig::default();
/// config.percentage = 50.0;
/// let sampler = ProbabilisticSampler::new(DownstreamSampler::new(&config)?);
///
/// // Two spans, of which the upper half of all traces has one.
/// let span = |id: &[u8; 16]| [b"\x12\x1c\x0a\x10", &id[..], b"\x12\x08.span.id"].concat();
/// let request = [b"\x0a\x3e\x12\x3c", &span(b"0123456789abcdef")[..], &span(&[0xff; 16])[..]].concat();
/// let chunk = Chunk::validate(Signal::Traces, request.into(), &Limits::default())?;
///
/// let kept = sampler.transform(chunk);
/// assert_eq!(kept.items(), 1);
/// assert!(kept.bytes().ends_with(b"\x12\x08.span.id\x1a\x07ot=th:8"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "probabilistic_sampler")]
#[derive(Clone, Debug)]
pub struct ProbabilisticSampler {
    sampler: DownstreamSampler,
    /// Items kept, and left out.
    sampled: Counter,
    not_sampled: Counter,
}

/// Where log records have what spans have in their trace states.
const THRESHOLD: &str = "sampling.threshold";
const RANDOMNESS: &str = "sampling.randomness";

impl ProbabilisticSampler {
    /// One that does what this sampler decides.
    #[must_use]
    pub fn new(sampler: DownstreamSampler) -> ProbabilisticSampler {
        ProbabilisticSampler { sampler, sampled: Counter::new(), not_sampled: Counter::new() }
    }

    /// How many items it kept and left out so far, together with its clones.
    #[must_use]
    pub fn stats(&self) -> SamplerStats {
        SamplerStats { sampled: self.sampled.read(), not_sampled: self.not_sampled.read() }
    }

    /// Leaves out what is not kept. Of what is: the verdict where it changes the item.
    fn sample(
        chunk: &Chunk,
        mut decide: impl FnMut(&OtlpFacts<'_>) -> (Verdict, bool),
    ) -> Result<(Chunk, Verdicts), Invalid> {
        let mut verdicts = Verdicts::default();
        let filtered = filter(chunk, |item| {
            let (verdict, changes) = decide(&OtlpFacts::new(item));
            if verdict.kept {
                verdicts.push(changes.then_some(verdict));
            }
            verdict.kept
        })?;
        Ok((filtered.kept.into(), verdicts))
    }

    fn spans(&self, chunk: &Chunk) -> Result<Chunk, Invalid> {
        let (kept, verdicts) = Self::sample(chunk, |facts| {
            let verdict = self.sampler.span(facts);
            (verdict, verdict.kept && changes_span(facts.ot(), &verdict))
        })?;
        if !verdicts.any {
            return Ok(kept);
        }
        let mut verdicts = verdicts.list.into_iter();
        let mut text = String::new();
        let edited = TraceStateEdit::new().apply_each(&kept, |_, state| {
            let Some(verdict) = verdicts.next().flatten() else { return };
            text.clear();
            verdict.write_ot(state.get("ot").unwrap_or_default(), &mut text);
            if text.is_empty() {
                state.remove("ot");
            } else {
                // What is written is a value: printable, and at most 256 bytes.
                let _ = state.set("ot", &text);
            }
        })?;
        Ok(edited.into())
    }

    fn logs(&self, chunk: &Chunk) -> Result<Chunk, Invalid> {
        let (kept, verdicts) = Self::sample(chunk, |facts| {
            let verdict = self.sampler.log(facts);
            (verdict, verdict.kept && changes_log(facts, &verdict))
        })?;
        if !verdicts.any {
            return Ok(kept);
        }
        let mut verdicts = verdicts.list.into_iter();
        let edited =
            Edit::apply_each(&kept, |_: &Item<'_>| verdicts.next().flatten().as_ref().map(attributes))?;
        Ok(edited.into())
    }
}

impl Transform for ProbabilisticSampler {
    fn transform(&self, chunk: Chunk) -> Chunk {
        let sampled = match chunk.signal() {
            Signal::Traces => self.spans(&chunk),
            Signal::Logs => self.logs(&chunk),
            _ => return chunk,
        };
        // What was validated is never invalid; what its owner only says to be valid is not thrown away for it.
        let Ok(kept) = sampled else { return chunk };
        self.sampled.add(kept.items());
        self.not_sampled.add(chunk.items().saturating_sub(kept.items()));
        kept
    }
}

/// Of the kept items, in order.
#[derive(Default)]
struct Verdicts {
    list: Vec<Option<Verdict>>,
    /// Whether there is something to write.
    any: bool,
}

impl Verdicts {
    fn push(&mut self, verdict: Option<Verdict>) {
        self.any |= verdict.is_some();
        self.list.push(verdict);
    }
}

/// Whether a kept span leaves with another `ot` than it came with. A `th` that is none counts as one: it goes.
fn changes_span(ot: &str, verdict: &Verdict) -> bool {
    let arrived = OtelTraceState::parse(ot);
    let has_field = || ot.split(';').any(|field| field.starts_with("th:"));
    let threshold = match verdict.threshold {
        None => has_field(),
        threshold => arrived.threshold() != threshold,
    };
    threshold || (verdict.randomness.is_some() && arrived.explicit_randomness().is_none())
}

/// Whether a kept log record leaves with other attributes than it came with.
fn changes_log(facts: &OtlpFacts<'_>, verdict: &Verdict) -> bool {
    let has = facts.attribute(THRESHOLD);
    let threshold = match (verdict.threshold, has) {
        (None, None) => false,
        (Some(threshold), Some(Value::Str(text))) => text.parse() != Ok::<Threshold, _>(threshold),
        _ => true,
    };
    threshold || verdict.randomness.is_some()
}

/// What a kept log record leaves with.
fn attributes(verdict: &Verdict) -> Edit {
    let mut edit = Edit::items();
    edit = match verdict.threshold {
        Some(threshold) => edit.with_upsert(THRESHOLD, threshold.digits().as_ref()),
        None => edit.with_delete(THRESHOLD),
    };
    match verdict.randomness {
        Some(randomness) => edit.with_upsert(RANDOMNESS, randomness.digits().as_ref()),
        None => edit,
    }
}
