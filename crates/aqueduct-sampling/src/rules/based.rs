//! A sampler for each rule.

use crate::{Annotate, ComposableSampler, Intent, Predicate, TraceFacts};

/// Leaves a span to the sampler of the first rule whose predicate holds; what none holds for is dropped.
///
/// The samplers may be of any kind, rules again among them. Where each rule has a rate, [`RuleSampler`](crate::RuleSampler) says it shorter.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{AlwaysOff, AlwaysOn, Composite, ParentThreshold, Pattern, Predicate, ProbabilitySampler, RuleBased};
///
/// let rules = RuleBased::new()
///     .with(Predicate::name(Pattern::glob("*/health*")), AlwaysOff)
///     .with(Predicate::name(Pattern::exact("POST /checkout")), AlwaysOn)
///     .with(Predicate::all([]), ParentThreshold::new(ProbabilitySampler::new(0.05)?));
/// let sampler = Composite::new(rules);
/// # Ok::<(), aqueduct_sampling::ProbabilityError>(())
/// ```
#[doc(alias = "ComposableRuleBased")]
#[derive(Debug, Default)]
pub struct RuleBased {
    rules: Vec<(Predicate, Box<dyn ComposableSampler>)>,
}

impl RuleBased {
    /// No rules yet: it drops everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more rule, behind the others.
    #[must_use]
    pub fn with(mut self, predicate: Predicate, sampler: impl ComposableSampler + 'static) -> Self {
        self.rules.push((predicate, Box::new(sampler)));
        self
    }

    fn find(&self, facts: &dyn TraceFacts) -> Option<&dyn ComposableSampler> {
        self.rules.iter().find(|(predicate, _)| predicate.holds(facts)).map(|(_, sampler)| &**sampler)
    }
}

impl ComposableSampler for RuleBased {
    fn intent(&self, facts: &dyn TraceFacts) -> Intent {
        self.find(facts).map_or(Intent::DROP, |sampler| sampler.intent(facts))
    }

    fn annotate(&self, facts: &dyn TraceFacts, tell: Annotate<'_>) {
        if let Some(sampler) = self.find(facts) {
            sampler.annotate(facts, tell);
        }
    }
}
