//! What can be wrong with a configuration.

use std::fmt;

/// A [`TailConfig`](super::TailConfig) that cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TailConfigError {
    /// `num_traces` is zero: nothing could be held.
    ZeroTraces,
    /// `num_traces` or a size of the decision cache is beyond 2^30.
    TooMany {
        /// The key.
        key: &'static str,
        /// Its value.
        value: usize,
    },
    /// What is reserved for `num_traces` and the decision cache takes more than half of `max_bytes`.
    Budget {
        /// What is reserved.
        reserved: usize,
        /// The budget.
        max_bytes: usize,
    },
    /// `pressure_sampling_percentage` is no number from 0 to 100.
    Percentage(f64),
}

impl fmt::Display for TailConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TailConfigError::ZeroTraces => f.write_str("num_traces is zero, the least is 1"),
            TailConfigError::TooMany { key, value } => write!(f, "{key} is {value}, the most is {}", 1 << 30),
            TailConfigError::Budget { reserved, max_bytes } => write!(
                f,
                "num_traces and the decision cache reserve {reserved} bytes, more than half of max_bytes ({max_bytes}): \
                 lower num_traces, sampled_cache_size or non_sampled_cache_size, or raise max_bytes"
            ),
            TailConfigError::Percentage(percentage) => {
                write!(f, "pressure_sampling_percentage is {percentage}, it must be from 0 to 100")
            }
        }
    }
}

impl std::error::Error for TailConfigError {}

/// A [`Policy`](super::Policy) that cannot be meant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PolicyError {
    /// Which policy: the names from the top, joined by ` > `.
    pub policy: String,
    /// What is wrong with it.
    pub problem: PolicyProblem,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// It has no name.
    NoName,
    /// A sibling has the same name.
    DuplicateName,
    /// It holds no policies, values, statuses or bounds, and could never match.
    Empty(&'static str),
    /// The lower bound is above the upper one.
    Range(&'static str),
    /// The sampling percentage is negative or no number.
    Percentage(f64),
    /// A drop policy inside another policy.
    NestedDrop,
    /// Policies nested more than 16 deep.
    TooDeep,
    /// `policy_order` or `rate_allocation` names a policy that is not there, or one twice.
    Unknown {
        /// The key.
        key: &'static str,
        /// The name.
        name: String,
    },
    /// `policy_order` leaves out a policy.
    NotOrdered(String),
    /// A value is no regular expression.
    Regex {
        /// The value.
        value: String,
        /// Why.
        reason: String,
    },
    /// Regular expressions want the feature `regex`.
    NoRegex,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy `{}`: ", self.policy)?;
        match &self.problem {
            PolicyProblem::NoName => f.write_str("it has no name: give it one"),
            PolicyProblem::DuplicateName => f.write_str("another policy has this name: rename one of them"),
            PolicyProblem::Empty(what) => write!(f, "{what} is empty: give at least one"),
            PolicyProblem::Range(what) => write!(f, "the least {what} is above the greatest: exchange them"),
            PolicyProblem::Percentage(value) => write!(f, "sampling_percentage is {value}, the least is 0"),
            PolicyProblem::NestedDrop => {
                f.write_str("drop is for the top only: use not inside other policies")
            }
            PolicyProblem::TooDeep => f.write_str("policies are nested more than 16 deep: flatten them"),
            PolicyProblem::Unknown { key, name } => {
                write!(f, "{key} names `{name}`, which is not one of its policies, or was named before")
            }
            PolicyProblem::NotOrdered(name) => write!(f, "policy_order leaves out `{name}`: add it"),
            PolicyProblem::Regex { value, reason } => {
                write!(f, "`{value}` is no regular expression: {reason}")
            }
            PolicyProblem::NoRegex => {
                f.write_str("regular expressions want the feature `regex` of aqueduct-sampling")
            }
        }
    }
}

impl std::error::Error for PolicyError {}
