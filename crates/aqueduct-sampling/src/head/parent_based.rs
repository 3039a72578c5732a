//! A sampler for each kind of parent.

use rand::Rng;

use crate::{Annotate, Decision, OtelTraceState, Parent, Sampler, TraceFacts};

/// Decides by the parent: five slots, for roots and for parents here and elsewhere, sampled or not (the specification's `ParentBased`).
///
/// A slot that is not set follows the parent, and its `th` stays if it can be true. A sampler in a slot decides as it would alone.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{AlwaysOff, Composite, ParentBased, ProbabilitySampler};
///
/// let sampler = ParentBased::new(Composite::new(ProbabilitySampler::new(0.01)?))
///     // Nobody from outside makes this service sample.
///     .with_remote_parent_sampled(Composite::new(AlwaysOff));
/// # Ok::<(), aqueduct_sampling::ProbabilityError>(())
/// ```
#[doc(alias = "ParentBasedSampler")]
#[derive(Debug)]
pub struct ParentBased {
    root: Box<dyn Sampler>,
    remote_sampled: Option<Box<dyn Sampler>>,
    remote_not_sampled: Option<Box<dyn Sampler>>,
    local_sampled: Option<Box<dyn Sampler>>,
    local_not_sampled: Option<Box<dyn Sampler>>,
}

impl ParentBased {
    /// With this sampler for roots; all others follow their parent.
    pub fn new(root: impl Sampler + 'static) -> Self {
        ParentBased {
            root: Box::new(root),
            remote_sampled: None,
            remote_not_sampled: None,
            local_sampled: None,
            local_not_sampled: None,
        }
    }

    /// The same with a sampler for children of sampled spans in other processes.
    #[must_use]
    pub fn with_remote_parent_sampled(mut self, sampler: impl Sampler + 'static) -> Self {
        self.remote_sampled = Some(Box::new(sampler));
        self
    }

    /// The same with a sampler for children of spans in other processes that are not sampled.
    #[must_use]
    pub fn with_remote_parent_not_sampled(mut self, sampler: impl Sampler + 'static) -> Self {
        self.remote_not_sampled = Some(Box::new(sampler));
        self
    }

    /// The same with a sampler for children of sampled spans in this process.
    #[must_use]
    pub fn with_local_parent_sampled(mut self, sampler: impl Sampler + 'static) -> Self {
        self.local_sampled = Some(Box::new(sampler));
        self
    }

    /// The same with a sampler for children of spans in this process that are not sampled.
    #[must_use]
    pub fn with_local_parent_not_sampled(mut self, sampler: impl Sampler + 'static) -> Self {
        self.local_not_sampled = Some(Box::new(sampler));
        self
    }

    /// The sampler for this parent, if it does not just follow it.
    fn slot(&self, parent: Option<Parent>) -> Option<&dyn Sampler> {
        let Some(parent) = parent else { return Some(&*self.root) };
        let slot = match (parent.remote, parent.sampled) {
            (true, true) => &self.remote_sampled,
            (true, false) => &self.remote_not_sampled,
            (false, true) => &self.local_sampled,
            (false, false) => &self.local_not_sampled,
        };
        slot.as_deref()
    }
}

impl Sampler for ParentBased {
    fn decide(&self, facts: &dyn TraceFacts, rng: &mut dyn Rng) -> Decision {
        let parent = facts.parent();
        match (self.slot(parent), parent) {
            (Some(sampler), _) => sampler.decide(facts, rng),
            (None, Some(parent)) if parent.sampled => follow(facts),
            (None, _) => Decision::DROP,
        }
    }

    fn annotate(&self, facts: &dyn TraceFacts, tell: Annotate<'_>) {
        if let Some(sampler) = self.slot(facts.parent()) {
            sampler.annotate(facts, tell);
        }
    }
}

/// What follows from a sampled parent: its threshold stays unless the randomness gives it the lie.
pub(crate) fn follow(facts: &dyn TraceFacts) -> Decision {
    let ot = facts.ot();
    if ot.is_empty() {
        return Decision::sample(None);
    }
    let state = OtelTraceState::parse(ot);
    let randomness = state.randomness(&facts.trace_id());
    Decision::sample(state.threshold().filter(|threshold| threshold.keeps(randomness)))
}
