//! All or nothing.

use crate::{ComposableSampler, Intent, Threshold, TraceFacts};

/// Keeps every span: its threshold is 0.
#[doc(alias = "ComposableAlwaysOn")]
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysOn;

impl ComposableSampler for AlwaysOn {
    #[inline]
    fn intent(&self, _: &dyn TraceFacts) -> Intent {
        Intent::keep(Threshold::ALWAYS)
    }
}

/// Drops every span.
#[doc(alias = "ComposableAlwaysOff")]
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysOff;

impl ComposableSampler for AlwaysOff {
    #[inline]
    fn intent(&self, _: &dyn TraceFacts) -> Intent {
        Intent::DROP
    }
}
