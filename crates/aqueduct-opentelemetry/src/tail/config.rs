//! What a local tail keeps.

use std::fmt;
use std::time::Duration;

use aqueduct_sampling::tail::{Policy, PolicyError, PolicyKind, StatusCode, TailConfig, TailConfigError};

/// What a [`LocalTail`](super::LocalTail) keeps, and how much it holds until then.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_opentelemetry::LocalTailConfig;
/// use aqueduct_sampling::tail::{Policy, PolicyKind};
///
/// let by_attribute = PolicyKind::BooleanAttribute { key: "audit".into(), value: true, invert_match: false };
/// let config = LocalTailConfig::new(Duration::from_millis(500), 0.01).with_policy(Policy::new("audit", by_attribute));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LocalTailConfig {
    /// Each of them can keep a trace. See [`aqueduct_sampling::tail`] for how they vote.
    pub policies: Vec<Policy>,
    /// Bytes, traces and times.
    pub limits: TailConfig,
}

impl LocalTailConfig {
    /// Keeps local traces in which a span has the status `Error`, or that took so long from the first start to the last end, and this share of the others (from 0 to
    /// 1), by threshold and randomness, so that others who sample keep the same.
    ///
    /// Limits are those of [`local_limits`](Self::local_limits).
    #[must_use]
    pub fn new(slow: Duration, share: f64) -> Self {
        let errors = PolicyKind::StatusCode { status_codes: vec![StatusCode::Error] };
        let slow = PolicyKind::Latency { threshold: slow, upper_threshold: None };
        let share = PolicyKind::Probabilistic { sampling_percentage: share * 100.0, hash_salt: None };
        LocalTailConfig {
            policies: vec![
                Policy::new("errors", errors),
                Policy::new("slow", slow),
                Policy::new("share", share),
            ],
            limits: Self::local_limits(),
        }
    }

    /// Limits that suit one process: 64 MiB, 10,000 traces, decisions of 20,000 kept and 20,000 other traces remembered, 30 s for a local root to come, and no grace once it has.
    ///
    /// Without a grace a trace goes on its way when its local root ends. Children that end after it follow the decision, but have no part in it: where work goes on in the
    /// background and fails there, set [`root_grace`](TailConfig::root_grace).
    #[must_use]
    pub fn local_limits() -> TailConfig {
        TailConfig::default()
            .with_max_bytes(64 << 20)
            .with_num_traces(10_000)
            .with_decision_cache(20_000, 20_000)
            .with_root_grace(Some(Duration::ZERO))
    }

    /// Adds a policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policies.push(policy);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn with_limits(mut self, limits: TailConfig) -> Self {
        self.limits = limits;
        self
    }
}

/// A [`LocalTailConfig`] that cannot be meant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LocalTailError {
    /// One of the policies.
    Policy(PolicyError),
    /// One of the limits.
    Limits(TailConfigError),
}

impl From<PolicyError> for LocalTailError {
    fn from(error: PolicyError) -> Self {
        LocalTailError::Policy(error)
    }
}

impl From<TailConfigError> for LocalTailError {
    fn from(error: TailConfigError) -> Self {
        LocalTailError::Limits(error)
    }
}

impl fmt::Display for LocalTailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalTailError::Policy(_) => f.write_str("a policy cannot be meant"),
            LocalTailError::Limits(_) => f.write_str("a limit cannot be meant"),
        }
    }
}

impl std::error::Error for LocalTailError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LocalTailError::Policy(error) => Some(error),
            LocalTailError::Limits(error) => Some(error),
        }
    }
}
