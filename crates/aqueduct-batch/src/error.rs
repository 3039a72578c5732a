//! What can be wrong with a configuration.

use std::fmt;

/// A [`BatchConfig`](crate::BatchConfig) that cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// `max_items` is zero: no batch could hold anything.
    ZeroItems,
    /// `max_bytes` is zero: no batch could hold anything.
    ZeroBytes,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConfigError::ZeroItems => "max_items is zero, the least is 1",
            ConfigError::ZeroBytes => "max_bytes is zero, the least is 1",
        })
    }
}

impl std::error::Error for ConfigError {}
