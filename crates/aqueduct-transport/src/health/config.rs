//! What a user can choose about health checks.

use std::time::Duration;

use aqueduct_wire::Signal;

use crate::error::ConfigError;
use crate::retry::{Jitter, RetryPolicy};

/// The settings of a [`HealthChecker`](crate::HealthChecker).
///
/// ```
/// use std::time::Duration;
/// use aqueduct_transport::HealthConfig;
///
/// let mut config = HealthConfig::default();
/// config.service = "opentelemetry.proto.collector.logs.v1.LogsService".into();
/// config.interval = Duration::from_secs(10);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HealthConfig {
    /// gRPC only: the service to ask about, at most 4 KiB; empty for the server as a whole. Default empty.
    pub service: String,
    /// Which signal the empty export is one of; with OTLP/HTTP that is also the place it goes to. Default traces.
    pub signal: Signal,
    /// How often a [watch](crate::HealthChecker::watch) checks a peer that has no stream of changes; also how often it tries
    /// again to have one, if a connection was opened meanwhile. 100 ms to one day. Default 30 s.
    #[doc(alias = "health_check_interval")]
    pub interval: Duration,
    /// gRPC only: a stream of changes that is silent for longer is replaced by another one, whose first word is the present
    /// state. So a watch leaves a connection that has retired, and finds out that somebody on the way has lost the stream.
    /// 100 ms to one day. Default 300 s.
    pub watch_silence: Duration,
    /// gRPC only: the delays after a stream of changes has failed; a failure is one that said nothing, or lasted for less than
    /// the first delay. The initial delay is 10 ms at least, and only the delays count. Default 1 s, growing by 1.6 up to
    /// 120 s, plus or minus a fifth (gRPC's "Connection Backoff Protocol").
    pub backoff: RetryPolicy,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            service: String::new(),
            signal: Signal::Traces,
            interval: Duration::from_secs(30),
            watch_silence: Duration::from_secs(300),
            backoff: RetryPolicy {
                initial: Duration::from_secs(1),
                cap: Duration::from_secs(120),
                multiplier: 1.6,
                jitter: Jitter::Proportional(0.2),
                ..RetryPolicy::default()
            },
        }
    }
}

impl HealthConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let range = |holds: bool, field, reason| {
            if holds { Ok(()) } else { Err(ConfigError::Range { field, reason }) }
        };
        let times = Duration::from_millis(100)..=Duration::from_secs(86_400);
        let delays = Duration::from_millis(10)..=Duration::from_secs(86_400);
        range(self.service.len() <= 4096, "service", "must be at most 4096 bytes long")?;
        range(times.contains(&self.interval), "interval", "must be from 100 ms to one day")?;
        range(times.contains(&self.watch_silence), "watch_silence", "must be from 100 ms to one day")?;
        range(delays.contains(&self.backoff.initial), "backoff.initial", "must be from 10 ms to one day")?;
        range(delays.contains(&self.backoff.cap), "backoff.cap", "must be from 10 ms to one day")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against settings with which a checker would never rest or never wake.
    #[test]
    fn settings_are_checked() {
        type Change = fn(&mut HealthConfig);
        let changes: [(&str, Change); 6] = [
            ("service", |config| config.service = "x".repeat(4097)),
            ("interval", |config| config.interval = Duration::ZERO),
            ("interval", |config| config.interval = Duration::MAX),
            ("watch_silence", |config| config.watch_silence = Duration::ZERO),
            ("backoff.initial", |config| config.backoff.initial = Duration::ZERO),
            ("backoff.cap", |config| config.backoff.cap = Duration::MAX),
        ];
        for (names, change) in changes {
            let mut config = HealthConfig::default();
            assert_eq!(config.check(), Ok(()));
            change(&mut config);
            let said = config.check().expect_err(names).to_string();
            assert!(said.contains(names), "{names}: {said}");
        }
    }
}
