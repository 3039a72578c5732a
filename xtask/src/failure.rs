//! The one error of this tool: a sentence for the person at the terminal.

use std::fmt;
use std::path::Path;

/// Why a command could not do its work. Nothing decides on it, so it holds text only.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// What the fallible functions of this tool return.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure described by `message`.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A failure of an operation on a file, naming the file: an I/O error alone does not.
    pub(crate) fn at(path: &Path, error: impl fmt::Display) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}
