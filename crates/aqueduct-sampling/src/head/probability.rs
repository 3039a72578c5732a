//! A fixed share.

use crate::{ComposableSampler, Intent, OtelTraceState, ProbabilityError, Randomness, Threshold, TraceFacts};

/// Keeps a fixed share of all traces, the same ones wherever the share is the same, and of a larger share at least these.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::{ProbabilitySampler, Randomness};
///
/// let sampler = ProbabilitySampler::new(0.25)?;
/// let id = 0x4bf92f35_77b34da6_a3ce929d_0e0e4736_u128.to_be_bytes();
/// assert!(sampler.keeps(&id, ""));
/// assert_eq!(sampler.threshold().to_string(), "c");
/// // A trace state may have other random bits than the trace's id.
/// assert!(!sampler.keeps(&id, "rv:00000000000000"));
/// # Ok::<(), aqueduct_sampling::ProbabilityError>(())
/// ```
#[doc(alias = "ComposableProbability")]
#[derive(Clone, Copy, Debug)]
pub struct ProbabilitySampler {
    threshold: Threshold,
}

impl ProbabilitySampler {
    /// Keeps this share, to 4 significant hexadecimal digits, as the specification recommends it.
    ///
    /// # Errors
    ///
    /// The share is not a number from 2^-56 to 1.
    pub fn new(probability: f64) -> Result<Self, ProbabilityError> {
        Threshold::from_probability_rounded(probability, 4).map(Self::from_threshold)
    }

    /// Keeps what this threshold keeps.
    #[must_use]
    pub const fn from_threshold(threshold: Threshold) -> Self {
        ProbabilitySampler { threshold }
    }

    /// Its threshold.
    #[must_use]
    pub const fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// Decides about a trace from its id and the value of the member `ot` of its trace state.
    ///
    /// # Allocation
    ///
    /// None. With an empty trace state it is a comparison.
    #[inline]
    #[must_use]
    pub fn keeps(&self, trace_id: &[u8; 16], ot: &str) -> bool {
        let randomness = if ot.is_empty() {
            Randomness::from_trace_id(trace_id)
        } else {
            OtelTraceState::parse(ot).randomness(trace_id)
        };
        self.threshold.keeps(randomness)
    }
}

impl ComposableSampler for ProbabilitySampler {
    #[inline]
    fn intent(&self, _: &dyn TraceFacts) -> Intent {
        Intent::keep(self.threshold)
    }
}
