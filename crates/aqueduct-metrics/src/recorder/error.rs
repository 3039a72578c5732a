//! Why a series cannot be had.

use std::error::Error;
use std::fmt;

use crate::{Desc, Kind};

/// A series that a [`Recorder`](crate::Recorder) cannot give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeriesError {
    /// The descriptor describes something else.
    WrongKind {
        /// The descriptor's name.
        name: &'static str,
        /// What it describes.
        kind: Kind,
        /// What was asked for.
        asked: Kind,
    },
    /// The number of labels is not that of the descriptor's attributes.
    Labels {
        /// The descriptor's name.
        name: &'static str,
        /// How many labels there must be; none if outcomes were asked for and the descriptor has no attribute for the kind of an error.
        expected: Option<usize>,
        /// How many were given.
        given: usize,
    },
    /// Another descriptor of the same name is in use.
    Conflict {
        /// The name.
        name: &'static str,
    },
    /// The series is there and is used as something else.
    Taken {
        /// The descriptor's name.
        name: &'static str,
        /// What it is used as.
        used: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
}

impl SeriesError {
    pub(super) fn taken(desc: &Desc, asked: &'static str, used: &'static str) -> Self {
        SeriesError::Taken { name: desc.name, used, asked }
    }
}

impl fmt::Display for SeriesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SeriesError::WrongKind { name, kind, asked } => {
                write!(f, "{name} is described as a {}, not as a {}", kind.as_str(), asked.as_str())
            }
            SeriesError::Labels { name, expected: Some(expected), given } => {
                write!(f, "{name} takes {expected} labels, one for each attribute, not {given}")
            }
            SeriesError::Labels { name, expected: None, .. } => {
                write!(
                    f,
                    "{name} has no attribute for the kind of an error; describe it with one as the last"
                )
            }
            SeriesError::Conflict { name } => {
                write!(f, "{name} is described in two ways; use one constant for it")
            }
            SeriesError::Taken { name, used, asked } => {
                write!(f, "{name} is used as {used} already, and cannot be {asked} as well")
            }
        }
    }
}

impl Error for SeriesError {}
