//! Head samplers of [`aqueduct_sampling`] where the SDK asks for a [`ShouldSample`].

mod clocked;
mod facts;
mod setting;

use std::fmt;
use std::sync::Arc;

use aqueduct_sampling::{
    Composite, ConfigError, ParentThreshold, ProbabilityError, ProbabilitySampler, RateConfig, RateHandle,
    RuleSampler, Sampler as Decide, Value,
};
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use crate::{random, trace_state};
use clocked::Clocked;
use facts::Facts;

pub use setting::{SamplerSetting, SamplerSettingError};

/// A sampler of [`aqueduct_sampling`] for the SDK. Clones are the same sampler.
///
/// What it decides by is the parent, the trace id, the name, the kind and the attributes of a span that is about to begin; the SDK does not tell it the resource, and
/// links have no say. The span gets its parent's trace state with `th` in the member `ot` as the decision has it: set where a threshold decided, removed where none
/// did or where the span is dropped; `rv` and all else stays. ([Specification](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/))
///
/// # Allocation
///
/// None for deciding. A trace state is made of allocations of its own, as the SDK's type has it: three to give a root its `th`, none where there is nothing in it. A
/// child whose `th` stays gets a clone of its parent's, as from the SDK's samplers.
///
/// # Examples
///
/// ```
/// use aqueduct_opentelemetry::Sampler;
/// use opentelemetry::trace::{Span, Tracer, TracerProvider};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// // One trace in four, in full, and how many each of them stands for travels with it.
/// let provider = SdkTracerProvider::builder().with_sampler(Sampler::probability(0.25)?).build();
/// let tracer = provider.tracer("shop");
/// let sampled = (0..1000).map(|_| tracer.start("checkout")).filter(|span| span.span_context().is_sampled());
/// let spans: Vec<_> = sampled.collect();
/// assert!((150..350).contains(&spans.len()));
/// assert_eq!(spans[0].span_context().trace_state().header(), "ot=th:c");
/// # Ok::<(), aqueduct_sampling::ProbabilityError>(())
/// ```
///
/// Any sampler will do, one's own included:
///
/// ```
/// use aqueduct_opentelemetry::Sampler;
/// use aqueduct_sampling::{AlwaysOff, Composite, ParentBased, ProbabilitySampler};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let root = Composite::new(ProbabilitySampler::new(0.01)?);
/// let guarded = ParentBased::new(root).with_remote_parent_sampled(Composite::new(AlwaysOff));
/// let provider = SdkTracerProvider::builder().with_sampler(Sampler::new(guarded)).build();
/// # Ok::<(), aqueduct_sampling::ProbabilityError>(())
/// ```
#[doc(alias = "ShouldSample")]
#[doc(alias = "AqueductSampler")]
pub struct Sampler<S: ?Sized = dyn Decide> {
    sampler: Arc<S>,
}

impl<S: Decide> Sampler<S> {
    /// Decides as this one.
    pub fn new(sampler: S) -> Self {
        Sampler { sampler: Arc::new(sampler) }
    }
}

impl<S: ?Sized> Sampler<S> {
    /// The sampler that decides.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.sampler
    }
}

impl<S: Decide + 'static> Sampler<S> {
    /// The same sampler without its type, to choose among several while the program runs.
    #[must_use]
    pub fn erased(self) -> Sampler {
        Sampler { sampler: self.sampler }
    }
}

impl Sampler<Composite<ParentThreshold<ProbabilitySampler>>> {
    /// Keeps this share of all traces that begin here, and of others what was kept before: consistent probability sampling, with `th`.
    ///
    /// # Errors
    ///
    /// The share is not a number from 2^-56 to 1.
    #[doc(alias = "ProbabilitySampler")]
    pub fn probability(share: f64) -> Result<Self, ProbabilityError> {
        Ok(Sampler::new(Composite::new(ParentThreshold::new(ProbabilitySampler::new(share)?))))
    }
}

impl Sampler<Composite<ParentThreshold<RuleSampler>>> {
    /// Keeps roots by what they are, each at the share of the first rule that holds, and children as their roots. Rules about the resource never hold.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_opentelemetry::Sampler;
    /// use aqueduct_sampling::{Pattern, Predicate, RuleSampler};
    ///
    /// let rules = RuleSampler::new(0.1)?
    ///     .with_rule(Predicate::name(Pattern::glob("GET /health*")), 0.0)?
    ///     .with_rule(Predicate::name(Pattern::exact("POST /checkout")), 1.0)?;
    /// let sampler = Sampler::rules(rules);
    /// # Ok::<(), aqueduct_sampling::ConfigError>(())
    /// ```
    #[doc(alias = "RuleBasedSampler")]
    #[must_use]
    pub fn rules(rules: RuleSampler) -> Self {
        Sampler::new(Composite::new(ParentThreshold::new(rules)))
    }
}

impl Sampler {
    /// Keeps a share or a number of spans a second whatever the load is, and can be changed while it runs.
    ///
    /// Unlike a bare [`RateSampler`](aqueduct_sampling::RateSampler) it looks at the clock itself, when a trace begins or enters here, so nobody needs to call
    /// [`RateHandle::tick`]. It has to see every span, so it is no sampler for the slot of roots in the SDK's `ParentBased`.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot be meant.
    ///
    /// # Examples
    ///
    /// ```
    /// use aqueduct_opentelemetry::Sampler;
    /// use aqueduct_sampling::{RateConfig, Target};
    /// use opentelemetry_sdk::trace::SdkTracerProvider;
    ///
    /// let (sampler, rate) = Sampler::rate(&RateConfig::new(Target::ItemsPerSecond(100.0)))?;
    /// let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
    /// // Later, from an admin page:
    /// rate.set_target(Target::Ratio(0.01))?;
    /// # Ok::<(), aqueduct_sampling::ConfigError>(())
    /// ```
    #[doc(alias = "AdaptiveSampler")]
    #[doc(alias = "SamplerHandle")]
    pub fn rate(config: &RateConfig) -> Result<(Sampler, RateHandle), ConfigError> {
        let clocked = Clocked::new(config)?;
        let handle = clocked.handle();
        Ok((Sampler::new(clocked).erased(), handle))
    }
}

impl<S: Decide + ?Sized + 'static> ShouldSample for Sampler<S> {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let span = parent_context.map(TraceContextExt::span);
        let parent = span.as_ref().map(|span| span.span_context()).filter(|parent| parent.is_valid());
        let trace_state = parent.map_or(&TraceState::NONE, |parent| parent.trace_state());
        let facts = Facts::new(parent, trace_state, trace_id, name, span_kind, attributes);

        let decision = self.sampler.decide(&facts, &mut random::OfThisThread);
        let mut added = Vec::new();
        if decision.is_sampled() {
            self.sampler.annotate(&facts, &mut |key, value| {
                added.extend(owned(value).map(|value| KeyValue::new(key.to_owned(), value)));
            });
        }
        SamplingResult {
            decision: if decision.is_sampled() {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: added,
            trace_state: trace_state::decided(trace_state, decision),
        }
    }
}

/// `None` is a type that is newer than this crate.
fn owned(value: Value<'_>) -> Option<opentelemetry::Value> {
    match value {
        Value::Str(text) => Some(text.to_owned().into()),
        Value::Int(number) => Some(number.into()),
        Value::Double(number) => Some(number.into()),
        Value::Bool(bool) => Some(bool.into()),
        _ => None,
    }
}

impl<S: ?Sized> Clone for Sampler<S> {
    fn clone(&self) -> Self {
        Sampler { sampler: Arc::clone(&self.sampler) }
    }
}

impl<S: fmt::Debug + ?Sized> fmt::Debug for Sampler<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sampler").field(&&*self.sampler).finish()
    }
}
