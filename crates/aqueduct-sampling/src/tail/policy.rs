//! What users write: policies, with the names and keys of the collector's `tail_sampling` processor.

use std::time::Duration;

use super::StatusCode;

/// A policy and its name.
#[doc(alias = "policies")]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// Stands in decisions and statistics. Not empty, and one of its kind among its siblings.
    pub name: String,
    /// What it does.
    pub kind: PolicyKind,
}

impl Policy {
    /// A policy of this name.
    pub fn new(name: impl Into<String>, kind: PolicyKind) -> Self {
        Policy { name: name.into(), kind }
    }
}

/// The kinds of policies, each named as the collector's `type`, and their settings as its keys.
///
/// Attributes are looked for in each span and in its resource; one span that matches is enough. With `invert_match` it is the other way
/// round: no span and no resource may match. See the [module](super) for how the votes of several policies make a decision.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PolicyKind {
    /// Every trace.
    #[doc(alias = "always_sample")]
    AlwaysSample,
    /// Traces that took long, from the earliest start to the latest end of their spans.
    #[doc(alias = "latency")]
    Latency {
        /// The least duration. With an upper threshold, the trace must take longer than this.
        #[doc(alias = "threshold_ms")]
        threshold: Duration,
        /// The greatest duration, if there is one.
        #[doc(alias = "upper_threshold_ms")]
        upper_threshold: Option<Duration>,
    },
    /// Traces with a span of one of these statuses. At least one.
    #[doc(alias = "status_code")]
    StatusCode {
        /// The statuses.
        status_codes: Vec<StatusCode>,
    },
    /// A share of all traces.
    ///
    /// Without a salt by threshold and randomness, which is consistent: the traces that 1 % keeps are among those that 10 % keeps, here and in
    /// every other consistent sampler, and `th` tells how many traces each stands for. With a salt by a hash of trace id and salt, which makes the
    /// decisions that the collector makes with this salt; these cannot be told by `th`, which is then removed.
    #[doc(alias = "probabilistic")]
    Probabilistic {
        /// Percent, from 0; 100 and more is every trace.
        sampling_percentage: f64,
        /// The salt of the collector's hash, if its decisions are wanted. The collector's default is `default-hash-seed`.
        hash_salt: Option<String>,
    },
    /// Traces with a text attribute of one of these values.
    #[doc(alias = "string_attribute")]
    StringAttribute {
        /// The attribute.
        key: String,
        /// The values, or regular expressions. Empty values never match.
        values: Vec<String>,
        /// How they are compared.
        #[doc(alias = "enabled_regex_matching")]
        matching: TextMatching,
        /// No span and no resource may match.
        invert_match: bool,
    },
    /// Traces with a number attribute in a range.
    ///
    /// Unlike the collector's, which takes a floating-point attribute for zero, this compares those too.
    #[doc(alias = "numeric_attribute")]
    NumericAttribute {
        /// The attribute.
        key: String,
        /// The least value that matches.
        min_value: Option<i64>,
        /// The greatest value that matches.
        max_value: Option<i64>,
        /// No span and no resource may match.
        invert_match: bool,
    },
    /// Traces with a truth attribute of this value.
    #[doc(alias = "boolean_attribute")]
    BooleanAttribute {
        /// The attribute.
        key: String,
        /// The value that matches.
        value: bool,
        /// No span and no resource may match.
        invert_match: bool,
    },
    /// So many spans each second, by a token bucket that is full at first. A trace of more spans than the burst never passes.
    #[doc(alias = "rate_limiting")]
    RateLimiting {
        /// The rate.
        spans_per_second: u64,
        /// Spans at once, at most. Default twice the rate.
        burst_capacity: Option<u64>,
    },
    /// So many bytes each second ([`encoded_bytes`](super::TailSpan::encoded_bytes)), by a token bucket that is full at first.
    #[doc(alias = "bytes_limiting")]
    BytesLimiting {
        /// The rate.
        bytes_per_second: u64,
        /// Bytes at once, at most. Default twice the rate.
        burst_capacity: Option<u64>,
    },
    /// Traces with so many spans.
    #[doc(alias = "span_count")]
    SpanCount {
        /// The least number.
        min_spans: u64,
        /// The greatest number, if there is one.
        max_spans: Option<u64>,
    },
    /// Traces with a span whose trace state has a member of one of these values.
    #[doc(alias = "trace_state")]
    TraceState {
        /// The key of the member.
        key: String,
        /// The values. Empty values never match.
        values: Vec<String>,
    },
    /// Traces that all of these policies sample. They are asked in their order, up to the first that does not.
    #[doc(alias = "and")]
    #[doc(alias = "and_sub_policy")]
    And(Vec<Policy>),
    /// Traces that this policy does not sample.
    #[doc(alias = "not")]
    Not(Box<Policy>),
    /// Traces that all of these policies sample are *not* kept, whatever other policies say. At the top only.
    #[doc(alias = "drop")]
    #[doc(alias = "drop_sub_policy")]
    Drop(Vec<Policy>),
    /// The first of its policies that samples a trace decides, within a number of spans each second for each, counted anew every second.
    #[doc(alias = "composite")]
    Composite(Composite),
}

/// How the values of [`PolicyKind::StringAttribute`] are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TextMatching {
    /// The whole text is equal.
    #[default]
    Exact,
    /// The value is a regular expression that matches somewhere in the text. `^` and `$` bind it to the ends. Wants the feature `regex`.
    ///
    /// The time is linear in the text's length, so there is nothing to set for a cache (the collector's `cache_max_size`).
    Regex,
}

/// The settings of [`PolicyKind::Composite`].
#[derive(Clone, Debug, PartialEq, Default)]
#[non_exhaustive]
pub struct Composite {
    /// Spans each second from all its policies together, at most.
    pub max_total_spans_per_second: u64,
    /// The names of the policies in the order in which they are asked. If it is empty, they are asked as they stand.
    pub policy_order: Vec<String>,
    /// The policies.
    #[doc(alias = "composite_sub_policy")]
    pub policies: Vec<Policy>,
    /// Percent of the spans each second, by policy. One that is not listed, or listed with zero, gets an equal share: the whole divided by the number
    /// of policies.
    pub rate_allocation: Vec<(String, u64)>,
}

impl Composite {
    /// Policies under a common limit of spans each second.
    #[must_use]
    pub fn new(max_total_spans_per_second: u64, policies: Vec<Policy>) -> Self {
        Composite { max_total_spans_per_second, policies, ..Composite::default() }
    }

    /// In which order they are asked.
    #[must_use]
    pub fn with_policy_order<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.policy_order = names.into_iter().map(Into::into).collect();
        self
    }

    /// How much one of them gets of the spans each second.
    #[must_use]
    pub fn with_rate_allocation(mut self, policy: impl Into<String>, percent: u64) -> Self {
        self.rate_allocation.push((policy.into(), percent));
        self
    }
}
