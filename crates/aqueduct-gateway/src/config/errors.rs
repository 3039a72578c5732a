//! What is wrong with a configuration: every problem of a file, in file order, each with its place and its remedy.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::position::Position;

/// More errors than this are counted, not printed: the first ones are those that help.
const SHOWN: usize = 50;

/// More errors than this are counted, not kept, so that a large file of something else costs little.
const KEPT: usize = 1000;

/// One problem, or one remark, about a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Where; `None` if it concerns the file as a whole (it cannot be read, say).
    pub position: Option<Position>,
    /// The key path, such as `exporters.otlp.timeout`; empty for the file as a whole.
    pub path: String,
    /// What was found and what is expected.
    pub message: String,
    /// Advice, one line each: the nearest key, the supported ones, what to write instead.
    pub help: Vec<String>,
}

impl Finding {
    pub(crate) fn new(
        position: impl Into<Option<Position>>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { position: position.into(), path: path.into(), message: message.into(), help: Vec::new() }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Writes `file:line:column: path: message` and the advice below it, indented.
    pub(crate) fn write(&self, file: &str, f: &mut dyn fmt::Write) -> fmt::Result {
        f.write_str(file)?;
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        f.write_str(": ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        for line in &self.help {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// Every problem of one configuration file, in file order.
///
/// `Display` is the report for people: one problem a paragraph, starting with `file:line:column`, then a closing count.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigErrors {
    /// The file's name as given.
    pub file: String,
    /// The problems, in file order; never empty.
    pub errors: Vec<Finding>,
    /// Problems beyond the first thousand, which are only counted.
    pub omitted: usize,
}

impl ConfigErrors {
    pub(crate) fn one(file: impl Into<String>, error: Finding) -> Self {
        Self { file: file.into(), errors: vec![error], omitted: 0 }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in self.errors.iter().take(SHOWN) {
            error.write(&self.file, f)?;
            f.write_str("\n")?;
        }
        match self.errors.len() + self.omitted {
            1 => write!(f, "1 error in {}", self.file),
            n if n > SHOWN => write!(f, "{n} errors in {}, the first {SHOWN} shown", self.file),
            n => write!(f, "{n} errors in {}", self.file),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects findings while the file is read. Shared by reference between nested sections, hence the cells.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    errors: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
    omitted: Cell<usize>,
}

impl Findings {
    pub(crate) fn error(&self, finding: Finding) {
        match self.is_full() {
            true => self.omitted.set(self.omitted.get() + 1),
            false => self.errors.borrow_mut().push(finding),
        }
    }

    /// Further errors are only counted: advice for them is not worth computing.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.borrow().len() >= KEPT
    }

    pub(crate) fn warning(&self, finding: Finding) {
        self.warnings.borrow_mut().push(finding);
    }

    /// The errors if there are any, or else the warnings, in file order (by a stable sort: findings at one place keep
    /// the order of their discovery).
    pub(crate) fn finish(self, file: &str) -> Result<Vec<Finding>, ConfigErrors> {
        let (mut errors, mut warnings) = (self.errors.into_inner(), self.warnings.into_inner());
        errors.sort_by_key(|finding| finding.position);
        warnings.sort_by_key(|finding| finding.position);
        match errors.is_empty() {
            true => Ok(warnings),
            false => Err(ConfigErrors { file: file.to_owned(), errors, omitted: self.omitted.get() }),
        }
    }
}
