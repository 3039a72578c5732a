//! What keeps a run from starting or ending.

use super::payload::TemplateError;
use std::{fmt, io};

/// Why a run of the generator could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The endpoint is no URL the generator can use.
    Endpoint {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// Settings that contradict each other, or that no request can be made from.
    Setting(String),
    /// The system refused a thread, a runtime or a compressor.
    Io(io::Error),
    /// A generator thread panicked: a defect.
    Panicked,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint { endpoint, why } => write!(f, "endpoint `{endpoint}`: {why}"),
            Self::Setting(why) => f.write_str(why),
            Self::Io(error) => write!(f, "cannot start the generator: {error}"),
            Self::Panicked => f.write_str("a generator thread panicked"),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TemplateError> for LoadError {
    fn from(error: TemplateError) -> Self {
        Self::Setting(error.to_string())
    }
}

impl From<::http::Error> for LoadError {
    fn from(error: ::http::Error) -> Self {
        Self::Setting(error.to_string())
    }
}
