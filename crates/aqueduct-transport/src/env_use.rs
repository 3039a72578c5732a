//! What becomes of a variable; also for those who read others.

/// What became of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnvUse {
    /// It is part of the configuration.
    Used,
    /// It is part of the configuration, with a difference.
    UsedBut(String),
    /// Another one comes first: the one for this signal.
    Overridden {
        /// The name of the other.
        by: String,
    },
    /// It is not part of the configuration: what is wrong with it. The specification demands a warning.
    Ignored(String),
}
