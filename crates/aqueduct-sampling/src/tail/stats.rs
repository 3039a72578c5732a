//! Counters.

use std::sync::Arc;

use super::decision::Trigger;
use super::evaluate::Decision;

/// What a [`TailSampler`](super::TailSampler) did so far, and what it holds.
///
/// At every moment `offered_spans = sampled_spans + not_sampled_spans + held_spans`, late spans included.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TailStats {
    /// Spans that were offered.
    pub offered_spans: u64,
    /// Spans that were sampled.
    pub sampled_spans: u64,
    /// Spans that were not.
    pub not_sampled_spans: u64,
    /// Spans held.
    pub held_spans: u64,
    /// Traces held.
    pub held_traces: u64,
    /// Bytes held, all bookkeeping included: never more than `max_bytes`.
    pub held_bytes: u64,
    /// The most of that so far.
    pub peak_bytes: u64,
    /// Traces decided because their root came.
    pub root: Outcomes,
    /// Traces decided because `decision_wait` was over.
    pub timeout: Outcomes,
    /// Traces decided for want of room: the collector's `sampling_trace_dropped_too_early`.
    #[doc(alias = "sampling_trace_dropped_too_early")]
    pub pressure: Outcomes,
    /// Traces that no policy sampled and that were sampled under pressure nevertheless. Part of `pressure`.
    pub pressure_sampled: u64,
    /// Traces decided by `drain`.
    pub drain: Outcomes,
    /// *Spans* that came after their trace was decided and followed its decision.
    #[doc(alias = "early_releases_from_cache_decision")]
    pub late: Outcomes,
    /// What each policy did, in the order in which they were given.
    pub policies: Vec<PolicyStats>,
}

impl TailStats {
    pub(super) fn outcomes(&mut self, trigger: Trigger) -> &mut Outcomes {
        match trigger {
            Trigger::Root => &mut self.root,
            Trigger::Timeout => &mut self.timeout,
            Trigger::Pressure => &mut self.pressure,
            Trigger::Drain => &mut self.drain,
            Trigger::Late => &mut self.late,
        }
    }
}

/// How many were sampled, and how many not. Complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// Sampled.
    pub sampled: u64,
    /// Not sampled.
    pub not_sampled: u64,
}

impl Outcomes {
    pub(super) fn count(&mut self, sampled: bool) {
        *(if sampled { &mut self.sampled } else { &mut self.not_sampled }) += 1;
    }
}

/// What a policy did so far. It goes on through [`set_policies`](super::TailSampler::set_policies) if one of the same name is set.
#[doc(alias = "count_traces_sampled")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyStats {
    /// Its name.
    pub name: Arc<str>,
    /// Traces that it voted to sample.
    pub sampled: u64,
    /// Traces that it did not vote for, or against.
    pub not_sampled: u64,
    /// Traces that it dropped.
    pub dropped: u64,
    /// Traces whose decision bears its name.
    pub decided_traces: u64,
    /// The spans of those.
    pub decided_spans: u64,
}

impl PolicyStats {
    pub(super) fn new(name: &str) -> Self {
        PolicyStats {
            name: name.into(),
            sampled: 0,
            not_sampled: 0,
            dropped: 0,
            decided_traces: 0,
            decided_spans: 0,
        }
    }

    pub(super) fn count(&mut self, decision: Decision) {
        *match decision {
            Decision::Sampled | Decision::InvertSampled => &mut self.sampled,
            Decision::NotSampled | Decision::InvertNotSampled => &mut self.not_sampled,
            Decision::Dropped => &mut self.dropped,
        } += 1;
    }
}
