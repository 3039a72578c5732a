//! A rate for each rule.

use crate::{
    ComposableSampler, ConfigError, Intent, ItemFacts, OtelTraceState, Predicate, Threshold, TraceFacts,
};

/// A share of items, nothing included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(Option<Threshold>);

impl Rate {
    /// Nothing.
    pub const NEVER: Rate = Rate(None);
    /// Everything.
    pub const ALWAYS: Rate = Rate(Some(Threshold::ALWAYS));

    /// This share, to 4 significant hexadecimal digits; 0 is nothing.
    ///
    /// # Errors
    ///
    /// It is neither 0 nor a number from 2^-56 to 1.
    pub fn new(rate: f64) -> Result<Rate, ConfigError> {
        if rate == 0.0 {
            return Ok(Rate::NEVER);
        }
        let threshold = Threshold::from_probability_rounded(rate, 4);
        threshold
            .map(|threshold| Rate(Some(threshold)))
            .map_err(|_| ConfigError::Probability { field: "rate", value: rate })
    }

    /// Its threshold; `None` keeps nothing.
    #[must_use]
    pub const fn threshold(self) -> Option<Threshold> {
        self.0
    }
}

impl ComposableSampler for Rate {
    #[inline]
    fn intent(&self, _: &dyn TraceFacts) -> Intent {
        self.0.map_or(Intent::DROP, Intent::keep)
    }
}

/// Samples by priority: rules with a rate each, of which the first that applies counts, and a rate for the rest.
///
/// It sees what is known when a span begins. What is known when it ends, an error or a long time, is for the tail. As a sampler for the head it
/// belongs in a [`ParentThreshold`](crate::ParentThreshold) if children are to do as their root did.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{Composite, ParentThreshold, Pattern, Predicate, RuleSampler, ValueTest};
///
/// let rules = RuleSampler::new(0.05)?
///     .with_rule(Predicate::name(Pattern::glob("GET /health*")), 0.0)?
///     .with_rule(Predicate::attribute("user.tier", ValueTest::Matches(Pattern::exact("gold"))), 1.0)?
///     .with_rule(Predicate::name(Pattern::glob("* /api/*")), 0.2)?;
/// let sampler = Composite::new(ParentThreshold::new(rules));
/// # Ok::<(), aqueduct_sampling::ConfigError>(())
/// ```
#[doc(alias = "PrioritySampler")]
#[derive(Clone, Debug)]
pub struct RuleSampler {
    rules: Vec<(Predicate, Rate)>,
    otherwise: Rate,
}

impl RuleSampler {
    /// No rules yet: everything has this rate.
    ///
    /// # Errors
    ///
    /// The rate is not a number from 0 to 1.
    pub fn new(default_rate: f64) -> Result<Self, ConfigError> {
        Ok(RuleSampler { rules: Vec::new(), otherwise: Rate::new(default_rate)? })
    }

    /// The same with one more rule, behind the others.
    ///
    /// # Errors
    ///
    /// The rate is not a number from 0 to 1.
    pub fn with_rule(mut self, predicate: Predicate, rate: f64) -> Result<Self, ConfigError> {
        self.rules.push((predicate, Rate::new(rate)?));
        Ok(self)
    }

    /// The rate of the first rule that applies, else the default.
    ///
    /// # Allocation
    ///
    /// None.
    #[must_use]
    pub fn rate<F: ItemFacts + ?Sized>(&self, facts: &F) -> Rate {
        self.rules
            .iter()
            .find(|(predicate, _)| predicate.holds(facts))
            .map_or(self.otherwise, |(_, rate)| *rate)
    }

    /// Decides about an item that has arrived, for instance a log record or a span in a gateway: the threshold that it
    /// is kept with, or `None` if it is dropped. The threshold it came with stays if it is higher.
    #[must_use]
    pub fn keeps<F: ItemFacts + ?Sized>(&self, facts: &F) -> Option<Threshold> {
        let state = OtelTraceState::parse(facts.ot());
        let wanted = self.rate(facts).threshold()?;
        let threshold = state.threshold().map_or(wanted, |arrived| arrived.max(wanted));
        wanted.keeps(state.randomness(&facts.trace_id())).then_some(threshold)
    }
}

impl ComposableSampler for RuleSampler {
    fn intent(&self, facts: &dyn TraceFacts) -> Intent {
        self.rate(facts).intent(facts)
    }
}
