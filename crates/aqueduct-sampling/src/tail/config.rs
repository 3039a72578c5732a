//! Bounds and times.

use std::time::Duration;

use super::TailConfigError;

/// How much is held and for how long.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_sampling::tail::TailConfig;
///
/// let config = TailConfig::default().with_max_bytes(64 << 20).with_decision_wait(Duration::from_secs(10));
/// assert!(config.validate().is_ok());
/// assert!(config.clone().with_num_traces(10_000_000).validate().is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TailConfig {
    /// How long a trace is held from its first span on, if its root does not come. Default 30 s, as the collector's; `Duration::MAX` is for ever.
    pub decision_wait: Duration,
    /// How long a trace is held from its root span on. Default 2 s; `None` ignores roots, as the collector does by default.
    ///
    /// A root ends last, but spans of other processes may arrive after it: this should be longer than the batch delay of the slowest client.
    #[doc(alias = "decision_wait_after_root_received")]
    pub root_grace: Option<Duration>,
    /// Memory, at most. Default 256 MiB.
    ///
    /// Counted are the held bytes of spans, the vectors that they are in, and the bookkeeping: [`reserved_bytes`](Self::reserved_bytes), which
    /// depends on the three sizes below only and may be half of this at most. If a span would go beyond, the oldest traces are decided first.
    pub max_bytes: usize,
    /// Traces held at a time, at most. Default 50,000, as the collector's. If there would be more, the oldest is decided.
    pub num_traces: usize,
    /// Trace ids that are known to have been sampled, the ones unseen for longest forgotten first. Default 100,000.
    #[doc(alias = "decision_cache")]
    pub sampled_cache_size: usize,
    /// Trace ids that are known not to have been sampled, the ones unseen for longest forgotten first. Default 100,000.
    pub non_sampled_cache_size: usize,
    /// Percent of the traces that have to be decided early for want of memory and that no policy samples so far, which are kept nevertheless.
    /// Default 1. From 0 to 100.
    ///
    /// Such a trace is not complete; it might have become one that a policy wants. These are chosen by threshold and randomness, and say so in
    /// their `th`, so that counts stay right on average.
    pub pressure_sampling_percentage: f64,
}

impl Default for TailConfig {
    fn default() -> Self {
        TailConfig {
            decision_wait: Duration::from_secs(30),
            root_grace: Some(Duration::from_secs(2)),
            max_bytes: 256 << 20,
            num_traces: 50_000,
            sampled_cache_size: 100_000,
            non_sampled_cache_size: 100_000,
            pressure_sampling_percentage: 1.0,
        }
    }
}

impl TailConfig {
    /// Sets [`decision_wait`](Self::decision_wait).
    #[must_use]
    pub fn with_decision_wait(mut self, wait: Duration) -> Self {
        self.decision_wait = wait;
        self
    }

    /// Sets [`root_grace`](Self::root_grace).
    #[must_use]
    pub fn with_root_grace(mut self, grace: Option<Duration>) -> Self {
        self.root_grace = grace;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`num_traces`](Self::num_traces).
    #[must_use]
    pub fn with_num_traces(mut self, traces: usize) -> Self {
        self.num_traces = traces;
        self
    }

    /// Sets [`sampled_cache_size`](Self::sampled_cache_size) and [`non_sampled_cache_size`](Self::non_sampled_cache_size). Zero is no cache.
    #[must_use]
    pub fn with_decision_cache(mut self, sampled: usize, non_sampled: usize) -> Self {
        self.sampled_cache_size = sampled;
        self.non_sampled_cache_size = non_sampled;
        self
    }

    /// Sets [`pressure_sampling_percentage`](Self::pressure_sampling_percentage).
    #[must_use]
    pub fn with_pressure_sampling_percentage(mut self, percentage: f64) -> Self {
        self.pressure_sampling_percentage = percentage;
        self
    }

    /// What the bookkeeping takes of [`max_bytes`](Self::max_bytes), however much is held.
    #[must_use]
    pub fn reserved_bytes(&self) -> usize {
        super::sampler::reserved_bytes(self)
    }

    /// Whether it can be meant.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn validate(&self) -> Result<(), TailConfigError> {
        if self.num_traces == 0 {
            return Err(TailConfigError::ZeroTraces);
        }
        let sizes = [
            ("num_traces", self.num_traces),
            ("sampled_cache_size", self.sampled_cache_size),
            ("non_sampled_cache_size", self.non_sampled_cache_size),
        ];
        if let Some(&(key, value)) = sizes.iter().find(|(_, value)| *value > 1 << 30) {
            return Err(TailConfigError::TooMany { key, value });
        }
        if !(0.0..=100.0).contains(&self.pressure_sampling_percentage) {
            return Err(TailConfigError::Percentage(self.pressure_sampling_percentage));
        }
        let (reserved, max_bytes) = (self.reserved_bytes(), self.max_bytes);
        if reserved > max_bytes / 2 {
            return Err(TailConfigError::Budget { reserved, max_bytes });
        }
        Ok(())
    }
}
