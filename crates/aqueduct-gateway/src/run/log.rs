//! The gateway's log: lines on standard error.

use std::fmt;

use aqueduct::pipeline::Notice;
use aqueduct::wire::Signal;

use crate::config::LogLevel;

/// Writes lines of at least a level to standard error.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    level: LogLevel,
}

impl Log {
    pub(crate) fn new(level: LogLevel) -> Self {
        Self { level }
    }

    /// What an operator wants to know.
    pub(crate) fn info(&self, message: impl fmt::Display) {
        self.line(LogLevel::Info, &message);
    }

    /// Trouble that the gateway handles.
    pub(crate) fn warn(&self, message: impl fmt::Display) {
        self.line(LogLevel::Warn, &message);
    }

    /// Trouble that loses data or needs somebody.
    pub(crate) fn error(&self, message: impl fmt::Display) {
        self.line(LogLevel::Error, &message);
    }

    /// A pipeline's notice, at the level it deserves.
    pub(crate) fn notice(&self, signal: Signal, destination: &str, notice: &Notice) {
        let line = format_args!("{signal} to {destination}: {notice}").to_string();
        match notice {
            Notice::Dropped { .. } => self.error(line),
            Notice::Recovered { .. } => self.info(line),
            _ => self.warn(line),
        }
    }

    fn line(&self, level: LogLevel, message: &dyn fmt::Display) {
        if level >= self.level {
            eprintln!("aqueduct: {}: {message}", level.as_str());
        }
    }
}
