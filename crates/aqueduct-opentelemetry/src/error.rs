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
            BuildError::Client { signal, error: ConfigError::FeatureMissing { feature } } => write!(
                f,
                "the client for {signal} needs the feature `{feature}` of {}, which this build does not have",
                env!("CARGO_PKG_NAME")
            ),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the way out: whoever lacks a feature learns of which crate, which is not the one that says so.
    #[test]
    fn a_feature_that_is_missing_is_named() {
        let error = ConfigError::FeatureMissing { feature: "tls" };
        let error = BuildError::Client { signal: Signal::Traces, error };
        let expected = "the client for traces needs the feature `tls` of aqueduct-opentelemetry, which this build does not have";
        assert_eq!(error.to_string(), expected);
        assert!(error.source().is_some());
    }
}
