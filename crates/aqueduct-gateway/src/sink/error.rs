//! What keeps a sink from starting.

use std::{fmt, io};

/// Why a sink could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum SinkError {
    /// An address that cannot be listened on.
    Listen {
        /// The option that gave it.
        option: &'static str,
        /// The address.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// Options that contradict each other.
    Setting(&'static str),
    /// The system refused a thread or a runtime.
    Io(io::Error),
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { option, address, source } => {
                write!(f, "cannot listen on {address} ({option}): {source}")
            }
            Self::Setting(why) => f.write_str(why),
            Self::Io(error) => write!(f, "cannot start the sink: {error}"),
        }
    }
}

impl std::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Io(source) => Some(source),
            Self::Setting(_) => None,
        }
    }
}

impl From<io::Error> for SinkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
