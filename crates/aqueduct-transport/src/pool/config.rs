//! What a user can choose about a pool.

use std::time::Duration;

use crate::error::ConfigError;

/// The options of a [`ConnectionPool`](crate::ConnectionPool).
///
/// ```
/// use std::time::Duration;
/// use aqueduct_transport::PoolConfig;
///
/// let mut config = PoolConfig::default();
/// assert_eq!((config.min_connections, config.max_connections), (1, 4));
/// config.max_age = Some(Duration::from_secs(600));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias = "ConnectionPoolConfig")]
pub struct PoolConfig {
    /// Connections that are kept up, once the pool was used for the first time. At most `max_connections`. Default 1.
    pub min_connections: usize,
    /// Most connections that take new uses, those that are being opened included. 1 to 1,024. Default 4.
    pub max_connections: usize,
    /// How long opening one connection may take. The active check of one has the same time. Default 5 s.
    #[doc(alias = "connection_timeout")]
    pub connect_timeout: Duration,
    /// A connection that nobody used for this long is closed, unless it is one of the last `min_connections`; `None` for
    /// never. Default 90 s.
    pub idle_timeout: Option<Duration>,
    /// A connection that nobody used for this long is checked with [`Connect::check`](crate::Connect::check), again and
    /// again at this interval, and closed if the check fails; `None` for never. Default 30 s.
    pub health_check_interval: Option<Duration>,
    /// How long one acquire may wait for a connection with room. Default 5 s.
    pub acquire_timeout: Duration,
    /// A connection of this age takes no new uses and is closed when the last has ended; `None` for never.
    ///
    /// Default none, because a pool that closes good connections needs a name service that works at that moment.
    /// Behind a name whose addresses change, 5 to 30 minutes bound the time until a change is noticed.
    #[doc(alias = "max_connection_age")]
    pub max_age: Option<Duration>,
    /// The share of `max_age` by which each connection's age is longer or shorter, at random, so that those opened
    /// together do not retire together. 0 to 1. Default 0.1.
    pub max_age_jitter: f64,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            min_connections: 1,
            max_connections: 4,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Some(Duration::from_secs(90)),
            health_check_interval: Some(Duration::from_secs(30)),
            acquire_timeout: Duration::from_secs(5),
            max_age: None,
            max_age_jitter: 0.1,
        }
    }
}

impl PoolConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_limits(self.min_connections, self.max_connections)?;
        let longer_than_nothing = |length: Option<Duration>, field| match length {
            Some(Duration::ZERO) => Err(ConfigError::Range { field, reason: "must be longer than nothing" }),
            _ => Ok(()),
        };
        longer_than_nothing(Some(self.connect_timeout), "connect_timeout")?;
        longer_than_nothing(Some(self.acquire_timeout), "acquire_timeout")?;
        longer_than_nothing(self.idle_timeout, "idle_timeout")?;
        longer_than_nothing(self.health_check_interval, "health_check_interval")?;
        longer_than_nothing(self.max_age, "max_age")?;
        if !(0.0..=1.0).contains(&self.max_age_jitter) {
            return Err(ConfigError::Range { field: "max_age_jitter", reason: "must be from 0 to 1" });
        }
        Ok(())
    }

    /// How old a connection may grow: `random`, from 0 to 1, says where in the range of the jitter.
    pub(super) fn age(&self, random: f64) -> Option<Duration> {
        let factor = 1.0 + self.max_age_jitter * (2.0 * random - 1.0);
        self.max_age.map(|age| Duration::try_from_secs_f64(age.as_secs_f64() * factor).unwrap_or(age))
    }
}

pub(super) fn check_limits(min: usize, max: usize) -> Result<(), ConfigError> {
    if !(1..=1024).contains(&max) {
        return Err(ConfigError::Range { field: "max_connections", reason: "must be from 1 to 1024" });
    }
    if min > max {
        return Err(ConfigError::Range {
            field: "min_connections",
            reason: "must be at most max_connections",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the range of the jitter, and ages that no float can hold.
    #[test]
    fn ages_are_spread_around_the_maximum() {
        let mut config = PoolConfig::default();
        assert_eq!(config.age(0.5), None);
        config.max_age = Some(Duration::from_secs(100));
        for (random, seconds) in [(0.0, 90), (0.5, 100), (1.0, 110)] {
            assert_eq!(config.age(random).map(|age| age.as_secs()), Some(seconds));
        }
        config.max_age = Some(Duration::MAX);
        assert_eq!(config.age(1.0), Some(Duration::MAX));
    }

    /// Guards options that make no sense against being found out in production.
    #[test]
    fn options_are_checked() {
        type Change = fn(&mut PoolConfig);
        let changes: [(&str, Change); 9] = [
            ("max_connections", |config| config.max_connections = 0),
            ("max_connections", |config| config.max_connections = 1025),
            ("min_connections", |config| config.min_connections = 5),
            ("connect_timeout", |config| config.connect_timeout = Duration::ZERO),
            ("acquire_timeout", |config| config.acquire_timeout = Duration::ZERO),
            ("idle_timeout", |config| config.idle_timeout = Some(Duration::ZERO)),
            ("health_check_interval", |config| config.health_check_interval = Some(Duration::ZERO)),
            ("max_age", |config| config.max_age = Some(Duration::ZERO)),
            ("max_age_jitter", |config| config.max_age_jitter = f64::NAN),
        ];
        for (names, change) in changes {
            let mut config = PoolConfig::default();
            assert_eq!(config.check(), Ok(()));
            change(&mut config);
            let said = config.check().expect_err(names).to_string();
            assert!(said.contains(names), "{names}: {said}");
        }
    }
}
