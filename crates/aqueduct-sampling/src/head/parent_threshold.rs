//! As the parent.

use crate::{Annotate, ComposableSampler, Intent, OtelTraceState, Threshold, TraceFacts};

/// Samples a span as its parent was: with the parent's threshold if it has one that agrees with its flag, else by the flag alone, and then
/// nobody knows how many spans it stands for. Roots are left to another sampler.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{Composite, ParentThreshold, ProbabilitySampler};
///
/// // One in a hundred of the traces that begin here; others as those before have decided.
/// let sampler = Composite::new(ParentThreshold::new(ProbabilitySampler::new(0.01)?));
/// # Ok::<(), aqueduct_sampling::ProbabilityError>(())
/// ```
#[doc(alias = "ComposableParentThreshold")]
#[derive(Clone, Copy, Debug)]
pub struct ParentThreshold<S> {
    root: S,
}

impl<S: ComposableSampler> ParentThreshold<S> {
    /// With this sampler for roots.
    pub const fn new(root: S) -> Self {
        ParentThreshold { root }
    }
}

impl<S: ComposableSampler> ComposableSampler for ParentThreshold<S> {
    #[inline]
    fn intent(&self, facts: &dyn TraceFacts) -> Intent {
        let Some(parent) = facts.parent() else { return self.root.intent(facts) };
        let state = OtelTraceState::parse(facts.ot());
        match state.threshold() {
            Some(threshold) if threshold.keeps(state.randomness(&facts.trace_id())) == parent.sampled => {
                Intent::keep(threshold)
            }
            _ if parent.sampled => Intent::unreliable(Threshold::ALWAYS),
            _ => Intent::DROP,
        }
    }

    fn annotate(&self, facts: &dyn TraceFacts, tell: Annotate<'_>) {
        if facts.parent().is_none() {
            self.root.annotate(facts, tell);
        }
    }
}
