//! What can go wrong: one type per operation.

use std::fmt;

/// No threshold has this probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbabilityError(pub f64);

impl fmt::Display for ProbabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the probability is {}: give one from 2^-56 to 1, and use AlwaysOff to keep nothing",
            self.0
        )
    }
}

impl std::error::Error for ProbabilityError {}

/// A text is no `th` or `rv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseHexError {
    /// Not 1 to 14 lower-case hexadecimal digits.
    Threshold,
    /// Not 14 lower-case hexadecimal digits.
    Randomness,
}

impl fmt::Display for ParseHexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParseHexError::Threshold => "a threshold has 1 to 14 lower-case hexadecimal digits",
            ParseHexError::Randomness => "a random value has 14 lower-case hexadecimal digits",
        })
    }
}

impl std::error::Error for ParseHexError {}

/// A configuration that cannot be meant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A rate or share is no number from 0 to 1, or too small for a threshold.
    Probability {
        /// The field that it stands in.
        field: &'static str,
        /// What it is.
        value: f64,
    },
    /// A number of items a second is negative, infinite or no number.
    Rate {
        /// The field that it stands in.
        field: &'static str,
        /// What it is.
        value: f64,
    },
    /// A percentage is negative, infinite or no number.
    Percentage {
        /// What it is.
        value: f64,
    },
    /// A number of hexadecimal digits that is not from 1 to 14.
    Precision {
        /// What it is.
        value: u32,
    },
    /// A pattern is not one: a regular expression that does not compile, or is too large when it does.
    Pattern {
        /// The text.
        pattern: String,
        /// What is wrong, and where.
        reason: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Probability { field, value } => {
                write!(f, "{field} is {value}: give 0, or a share from 2^-56 to 1")
            }
            ConfigError::Rate { field, value } => {
                write!(f, "{field} is {value}: give a number of items a second that is not negative")
            }
            ConfigError::Percentage { value } => {
                write!(f, "sampling_percentage is {value}: give a number from 0 to 100")
            }
            ConfigError::Precision { value } => {
                write!(f, "sampling_precision is {value}: give a number of digits from 1 to 14")
            }
            ConfigError::Pattern { pattern, reason } => {
                write!(f, "the pattern `{pattern}` cannot be compiled: {reason}")
            }
        }
    }
}

impl std::error::Error for ConfigError {}
