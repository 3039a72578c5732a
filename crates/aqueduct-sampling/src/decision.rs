//! What a head sampler says.

use std::fmt;

use crate::{OtelTraceState, Randomness, Threshold};

/// Whether a span is sampled, and how likely that was.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    /// The value of a threshold, or one of the two beyond all thresholds: a decision is made without a branch and fits into a register.
    code: u64,
}

const DROPPED: u64 = u64::MAX;
const SAMPLED: u64 = u64::MAX - 1;

impl Decision {
    /// Not sampled. A dropped span has no adjusted count.
    pub const DROP: Decision = Decision { code: DROPPED };

    /// Sampled because its randomness reaches the threshold; with `None` for another reason, and then nobody knows how likely that was.
    #[inline]
    pub const fn sample(threshold: Option<Threshold>) -> Decision {
        match threshold {
            Some(threshold) => Decision { code: threshold.value() },
            None => Decision { code: SAMPLED },
        }
    }

    /// Sampled with this threshold if the randomness reaches it.
    #[inline]
    pub(crate) const fn compare(threshold: Threshold, randomness: Randomness) -> Decision {
        Decision { code: if threshold.keeps(randomness) { threshold.value() } else { DROPPED } }
    }

    /// Whether it is sampled: recorded and exported.
    #[inline]
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.code != DROPPED
    }

    /// The threshold that was applied; `None` if the span is dropped or nobody knows.
    #[inline]
    #[must_use]
    pub const fn threshold(self) -> Option<Threshold> {
        Threshold::new(self.code)
    }

    /// How many spans this one stands for: 0 if it is dropped, `None` if nobody knows.
    #[must_use]
    pub fn adjusted_count(self) -> Option<f64> {
        if self.is_sampled() { self.threshold().map(Threshold::adjusted_count) } else { Some(0.0) }
    }

    /// Appends the span's own value of the member `ot`, made from that of its parent: with the `th` of this decision or without one, with
    /// everything else as it was. If nothing is appended, the trace state should have no such member.
    ///
    /// # Allocation
    ///
    /// None but that of the text.
    pub fn write_ot(self, parents: &str, out: &mut String) {
        let mut state = OtelTraceState::parse(parents);
        state.set_threshold(self.threshold());
        state.write_to(out);
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision")
            .field("sampled", &self.is_sampled())
            .field("threshold", &self.threshold())
            .finish()
    }
}
