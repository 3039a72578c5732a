//! The tail sampler in the way of the spans: what it holds, and what becomes of it.

mod metrics;
mod span;
mod stage;

pub(crate) use metrics::{
    CAPACITY, DECIDED_SPANS, DECIDED_TRACES, HELD_BYTES, HELD_SPANS, HELD_TRACES, LATE, RESCUED, SPANS,
    TRACES, VOTES,
};
pub use metrics::{TailStatus, write_tail_metrics};
pub(crate) use span::HeldSpan;
pub(crate) use stage::{Closed, Stage};

use aqueduct_sampling::tail::{Policies, Policy, PolicyError, TailConfig, TailConfigError, TailSampler};

/// Tail sampling of a pipeline of traces: spans are held until their trace is complete, and policies decide what becomes of it. Give it to
/// [`Builder::tail_sampling`](crate::Builder::tail_sampling).
///
/// Spans count as accepted when they are taken, and are held meanwhile ([`LaneStatus::tail_items`](crate::LaneStatus::tail_items)). Those of a trace
/// that is not sampled are dropped as `not_sampled`. Those of one that is go on as a chunk, with the `th` that the decision makes. A flush and a
/// shutdown decide everything.
///
/// # Overload
///
/// What is held is bounded by [`TailConfig::max_bytes`], apart from the budgets of the lanes; what has to go for want of room is decided early, and
/// nothing is lost. Spans are taken only while the lanes have room for them, but what is sampled later goes on in any case: a lane may exceed its
/// budget by what the sampler held.
///
/// Resources and scopes are held once for the spans of a request that share them, and each span is charged for its share: if one of them is decided
/// long after the others, the rest of what they shared is not charged any more.
///
/// # Examples
///
/// ```
/// use aqueduct_pipeline::TailSampling;
/// use aqueduct_sampling::tail::{Policy, PolicyKind, StatusCode, TailConfig};
///
/// let errors = Policy::new("errors", PolicyKind::StatusCode { status_codes: vec![StatusCode::Error] });
/// let tail = TailSampling::new(TailConfig::default().with_max_bytes(64 << 20), vec![errors])?;
/// # let _ = tail;
/// # Ok::<(), aqueduct_pipeline::TailSamplingError>(())
/// ```
#[doc(alias = "tail_sampling")]
#[derive(Clone, Debug)]
pub struct TailSampling {
    config: TailConfig,
    policies: Vec<Policy>,
}

/// Why a tail sampler cannot be made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TailSamplingError {
    /// A bound or a time.
    Config(TailConfigError),
    /// A policy.
    Policy(PolicyError),
}

impl std::fmt::Display for TailSamplingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TailSamplingError::Config(error) => error.fmt(f),
            TailSamplingError::Policy(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TailSamplingError {}

impl TailSampling {
    /// With these bounds and policies.
    ///
    /// # Errors
    ///
    /// What cannot be meant in them.
    pub fn new(config: TailConfig, policies: Vec<Policy>) -> Result<TailSampling, TailSamplingError> {
        let sampling = TailSampling { config, policies };
        sampling.config.validate().map_err(TailSamplingError::Config)?;
        sampling.policies().map_err(TailSamplingError::Policy)?;
        Ok(sampling)
    }

    fn policies(&self) -> Result<Policies, PolicyError> {
        Policies::new(&self.policies)
    }

    /// A sampler; `None` never, as both were checked.
    pub(crate) fn sampler(&self) -> Option<TailSampler<HeldSpan>> {
        TailSampler::new(self.config.clone(), self.policies().ok()?).ok()
    }
}
