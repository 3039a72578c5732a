//! The share as SDKs decided it before there was a threshold.

use rand::Rng;

use crate::{Decision, Sampler, TraceFacts};

/// Decides bit for bit as the SDK's `TraceIdRatioBased`: keeps a trace if the last 8 bytes of its id without the lowest bit are below the
/// share of 2^63.
///
/// For systems whose other half still decides so. It leaves no `th`, because it is no consistent probability sampling: it keeps the
/// low values and not the high ones, so together with samplers by threshold it keeps traces in pieces.
///
/// # Examples
///
/// ```
/// use aqueduct_sampling::TraceIdRatio;
///
/// let ratio = TraceIdRatio::new(0.5);
/// assert!(ratio.keeps(&1_u128.to_be_bytes()));
/// assert!(!ratio.keeps(&u128::MAX.to_be_bytes()));
/// ```
#[doc(alias = "TraceIdRatioBased")]
#[derive(Clone, Copy, Debug)]
pub struct TraceIdRatio {
    /// What a value is below that is kept; 2^63 keeps all.
    bound: u64,
}

impl TraceIdRatio {
    /// Keeps this share. From 1 on it is everything; negative, or no number, it is nothing.
    #[must_use]
    pub fn new(ratio: f64) -> Self {
        // A conversion to an integer saturates, and makes 0 of what is no number.
        let bound = if ratio >= 1.0 { 1 << 63 } else { (ratio.max(0.0) * (1_u64 << 63) as f64) as u64 };
        TraceIdRatio { bound }
    }

    /// Decides about a trace from its id.
    #[inline]
    #[must_use]
    pub const fn keeps(&self, trace_id: &[u8; 16]) -> bool {
        (u128::from_be_bytes(*trace_id) as u64) >> 1 < self.bound
    }
}

impl Sampler for TraceIdRatio {
    #[inline]
    fn decide(&self, facts: &dyn TraceFacts, _: &mut dyn Rng) -> Decision {
        if self.keeps(&facts.trace_id()) { Decision::sample(None) } else { Decision::DROP }
    }
}
