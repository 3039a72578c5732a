//! Where something stands in the configuration file.

use std::fmt;

/// A place in the configuration file. Lines and columns count from 1, columns in characters.
///
/// Complete: an editor needs nothing else to jump there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The line, from 1. Zero only in [`Position::default`], for what no file contains.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A setting and its place, kept where a later stage may have to name it ("port in use").
///
/// Complete: the pair that identifies a setting to its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key path, such as `receivers.otlp.protocols.grpc.endpoint`.
    pub path: String,
    /// Where the file sets it, or where the section stands whose default it is; `None` if the file mentions neither.
    pub position: Option<Position>,
}

impl Setting {
    /// A setting that no file mentions: its value is the default.
    pub fn by_default(path: impl Into<String>) -> Self {
        Self { path: path.into(), position: None }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{} (line {}, column {})", self.path, position.line, position.column),
            None => write!(f, "{} (default)", self.path),
        }
    }
}

/// A value that the file gives, and where, for errors that show only when it is used.
///
/// Complete: the pair is all there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it is set.
    pub setting: Setting,
}
