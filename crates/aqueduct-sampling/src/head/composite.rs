//! From an intent to a decision.

use rand::Rng;

use crate::{Annotate, ComposableSampler, Decision, OtelTraceState, Randomness, Sampler, TraceFacts};

/// Makes the decision that a [`ComposableSampler`] intends (the specification's `CompositeSampler`).
///
/// A reliable threshold is compared with the randomness of the trace and is written as `th`. One that is not is compared with a fresh
/// random number, and `th` is removed: nobody knows then how many spans one stands for.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{Composite, ItemFacts, Parent, ParentThreshold, ProbabilitySampler, Sampler, TraceFacts};
/// # use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
///
/// struct Root([u8; 16]);
/// impl ItemFacts for Root {
///     fn trace_id(&self) -> [u8; 16] {
///         self.0
///     }
/// }
/// impl TraceFacts for Root {
///     fn parent(&self) -> Option<Parent> {
///         None
///     }
/// }
///
/// let sampler = Composite::new(ParentThreshold::new(ProbabilitySampler::new(0.5)?));
/// let root = Root(0x4bf92f35_77b34da6_a3ce929d_0e0e4736_u128.to_be_bytes());
/// # let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let decision = sampler.decide(&root, &mut rng);
/// assert!(decision.is_sampled());
/// let mut ot = String::new();
/// decision.write_ot(root.ot(), &mut ot);
/// assert_eq!(ot, "th:8");
/// # Ok::<(), aqueduct_sampling::ProbabilityError>(())
/// ```
#[doc(alias = "CompositeSampler")]
#[derive(Clone, Copy, Debug)]
pub struct Composite<S> {
    sampler: S,
}

impl<S: ComposableSampler> Composite<S> {
    /// Decides as this sampler intends.
    pub const fn new(sampler: S) -> Self {
        Composite { sampler }
    }

    /// The sampler.
    pub const fn inner(&self) -> &S {
        &self.sampler
    }
}

impl<S: ComposableSampler> Sampler for Composite<S> {
    #[inline]
    fn decide(&self, facts: &dyn TraceFacts, rng: &mut dyn Rng) -> Decision {
        let intent = self.sampler.intent(facts);
        let Some(threshold) = intent.threshold() else { return Decision::DROP };
        let randomness = if !intent.is_reliable() {
            Randomness::fresh(rng)
        } else if facts.ot().is_empty() {
            Randomness::from_trace_id(&facts.trace_id())
        } else {
            OtelTraceState::parse(facts.ot()).randomness(&facts.trace_id())
        };
        let decision = Decision::compare(threshold, randomness);
        if intent.is_reliable() || !decision.is_sampled() { decision } else { Decision::sample(None) }
    }

    fn annotate(&self, facts: &dyn TraceFacts, tell: Annotate<'_>) {
        self.sampler.annotate(facts, tell);
    }
}
