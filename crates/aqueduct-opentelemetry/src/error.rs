//! Why there is no handle.

use std::error::Error;
use std::fmt;

use aqueduct_transport::ConfigError;
use aqueduct_wire::Signal;

/// Why an [`Aqueduct`](crate::Aqueduct) could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The client of this signal cannot be what its settings say.
    Client {
        /// The signal.
        signal: Signal,
        /// What is wrong.
        error: ConfigError,
    },
    /// The settings of batches and memory make no sense.
    Pipeline(aqueduct_pipeline::BuildError),
    /// The thread that sends could not be started.
    Worker(std::io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Client { signal, .. } => write!(f, "the client for {signal} cannot be built"),
            BuildError::Pipeline(_) => f.write_str("the settings of the pipeline are not usable"),
            BuildError::Worker(_) => f.write_str("the thread that sends could not be started"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BuildError::Client { error, .. } => Some(error),
            BuildError::Pipeline(error) => Some(error),
            BuildError::Worker(error) => Some(error),
        }
    }
}
