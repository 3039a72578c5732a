//! The bounds of a batch.

use std::time::Duration;

use crate::ConfigError;

/// When a batch is full or old enough.
///
/// The defaults are made for OTLP over a network: large enough that the cost of a request does not show per span, early enough that
/// nobody waits for a fifth of a second.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use aqueduct_batch::BatchConfig;
///
/// let config = BatchConfig::default().with_max_items(512).with_max_idle(Some(Duration::from_millis(20)));
/// assert!(config.validate().is_ok());
/// assert_eq!(config.max_bytes, 8 * 1024 * 1024);
/// ```
#[doc(alias = "batch_size")]
#[doc(alias = "batch_timeout")]
#[doc(alias = "max_wait_time")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchConfig {
    /// Items in a batch, at most. Default 8192.
    ///
    /// Larger batches cost less per item (one request, one compression frame) and more per loss. An offer that alone is heavier travels alone.
    /// It also bounds the number of *offers* in a batch, so that offers of no weight cannot pile up. Zero counts as one.
    #[doc(alias = "batch_size")]
    pub max_items: u64,
    /// Bytes in a batch, at most. Default 8 MiB.
    ///
    /// Keep it below what the destination takes in one request (4 MiB in many a gRPC server's defaults, before compression). An
    /// offer that alone is heavier travels alone. Zero counts as one.
    pub max_bytes: u64,
    /// How long a batch may go without a new offer before it is sealed; `None` waits for `max_age` only. Default `None`.
    ///
    /// A short idle time sends the end of a burst early. Above `max_age` it has no effect, because age is counted from
    /// the first offer and idle time from the last.
    #[doc(alias = "batch_timeout")]
    pub max_idle: Option<Duration>,
    /// How long the first offer of a batch may wait. Default 200 ms; zero seals at the first poll; `Duration::MAX` never.
    ///
    /// This is the latency that batching adds under light load, and the data at stake in a crash.
    #[doc(alias = "max_wait_time")]
    pub max_age: Duration,
}

impl Default for BatchConfig {
    fn default() -> Self {
        BatchConfig {
            max_items: 8192,
            max_bytes: 8 * 1024 * 1024,
            max_idle: None,
            max_age: Duration::from_millis(200),
        }
    }
}

impl BatchConfig {
    /// The same with other `max_items`.
    pub fn with_max_items(mut self, max_items: u64) -> Self {
        self.max_items = max_items;
        self
    }

    /// The same with other `max_bytes`.
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// The same with another `max_idle`.
    pub fn with_max_idle(mut self, max_idle: Option<Duration>) -> Self {
        self.max_idle = max_idle;
        self
    }

    /// The same with another `max_age`.
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Checks that the bounds mean something. [`Batcher`](crate::Batcher) works with any; this is for values a person wrote.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot be meant.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.max_items == 0 {
            return Err(ConfigError::ZeroItems);
        }
        if self.max_bytes == 0 {
            return Err(ConfigError::ZeroBytes);
        }
        Ok(())
    }
}
