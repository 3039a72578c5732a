//! Samplers at the head of a trace: those that compose, and what makes a decision of them.

mod annotating;
mod composite;
mod constant;
mod parent_based;
mod parent_threshold;
mod probability;
mod ratio;

pub use annotating::{Annotating, Annotation};
pub use composite::Composite;
pub use constant::{AlwaysOff, AlwaysOn};
pub use parent_based::ParentBased;
pub(crate) use parent_based::follow;
pub use parent_threshold::ParentThreshold;
pub use probability::ProbabilitySampler;
pub use ratio::TraceIdRatio;

use std::fmt::Debug;

use rand::Rng;

use crate::{Annotate, Decision, Threshold, TraceFacts};

/// Decides about a span that is about to begin (the specification's `Sampler`, its `ShouldSample`).
#[doc(alias = "ShouldSample")]
pub trait Sampler: Debug + Send + Sync {
    /// Decides. The random numbers are asked for only where a decision must not depend on the trace: a decision that is consistent in a trace
    /// takes none.
    fn decide(&self, facts: &dyn TraceFacts, rng: &mut dyn Rng) -> Decision;

    /// Tells the attributes that a span gets if it is sampled.
    fn annotate(&self, facts: &dyn TraceFacts, tell: Annotate<'_>) {
        let _ = (facts, tell);
    }
}

/// Says which threshold it would apply to a span, and leaves the decision to a [`Composite`] (the specification's `ComposableSampler`, its
/// `GetSamplingIntent`).
///
/// An intent must not depend on the randomness of the trace, nor (but for [`ParentThreshold`]) on whether the parent was sampled:
/// adjusted counts would be biased.
#[doc(alias = "GetSamplingIntent")]
pub trait ComposableSampler: Debug + Send + Sync {
    /// What it would do.
    fn intent(&self, facts: &dyn TraceFacts) -> Intent;

    /// Tells the attributes that a span gets if it is sampled.
    fn annotate(&self, facts: &dyn TraceFacts, tell: Annotate<'_>) {
        let _ = (facts, tell);
    }
}

/// What a [`ComposableSampler`] would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Intent {
    threshold: Option<Threshold>,
    reliable: bool,
}

impl Intent {
    /// Drop it.
    pub const DROP: Intent = Intent { threshold: None, reliable: false };

    /// Keep it if the trace's randomness reaches this threshold, which then says how many spans it stands for.
    #[inline]
    pub const fn keep(threshold: Threshold) -> Intent {
        Intent { threshold: Some(threshold), reliable: true }
    }

    /// Keep it if a random number of its own reaches this threshold, which says nothing about how many spans it stands for, because others
    /// have selected before.
    pub const fn unreliable(threshold: Threshold) -> Intent {
        Intent { threshold: Some(threshold), reliable: false }
    }

    /// The threshold; `None` drops.
    #[inline]
    #[must_use]
    pub const fn threshold(self) -> Option<Threshold> {
        self.threshold
    }

    /// Whether the threshold tells how many spans one stands for (`adjusted_count_reliable`).
    #[inline]
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        self.reliable
    }
}

impl<S: ComposableSampler + ?Sized> ComposableSampler for Box<S> {
    #[inline]
    fn intent(&self, facts: &dyn TraceFacts) -> Intent {
        (**self).intent(facts)
    }

    fn annotate(&self, facts: &dyn TraceFacts, tell: Annotate<'_>) {
        (**self).annotate(facts, tell);
    }
}

impl<S: ComposableSampler + ?Sized> ComposableSampler for std::sync::Arc<S> {
    #[inline]
    fn intent(&self, facts: &dyn TraceFacts) -> Intent {
        (**self).intent(facts)
    }

    fn annotate(&self, facts: &dyn TraceFacts, tell: Annotate<'_>) {
        (**self).annotate(facts, tell);
    }
}
