//! The OTLP file format: JSON lines, one request on each, all of one signal.
//!
//! Source: OpenTelemetry specification, "OpenTelemetry Protocol File Exporter", section "JSON File serialization". A file is UTF-8, a line ends with
//! `\n`, and files are usually named `*.jsonl`. Lines that are empty are passed over, a missing `\n` at the very end is none.

use super::{JsonError, from_protobuf, to_protobuf};
use crate::{Chunk, Invalid, Limits, Signal};
use core::fmt;
use std::io::{self, BufRead, Read, Write};

/// Longest line, unless said otherwise: some six times what 64 MiB of protobuf usually are as text would be too much to hold; this is what one
/// batch takes.
const MAX_LINE_BYTES: usize = 64 << 20;

/// Reads a file of JSON lines as validated chunks, one for each line.
///
/// A line that is wrong is an error of its own, after which the next line follows: one bad line does not cost the rest of the file. Only a failure to
/// read ends the iterator.
///
/// # Allocation
///
/// The longest line, once, and each line's chunk.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::json::JsonLines;
/// use aqueduct_wire::{Limits, Signal};
///
/// let file = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityText\":\"INFO\"}]}]}]}\n{\"resourceLogs\":7}\n";
/// let lines: Vec<_> = JsonLines::new(Signal::Logs, file.as_bytes(), Limits::default()).collect();
/// assert_eq!(lines[0].as_ref().map(|chunk| chunk.items()).ok(), Some(1));
/// assert!(lines[1].as_ref().unwrap_err().to_string().starts_with("line 2: "));
/// ```
#[derive(Debug)]
pub struct JsonLines<R> {
    signal: Signal,
    source: Option<R>,
    limits: Limits,
    max_line_bytes: usize,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> JsonLines<R> {
    /// Reads from `source` up to its end. The limits are those of one line's request.
    pub fn new(signal: Signal, source: R, limits: Limits) -> JsonLines<R> {
        let max_line_bytes = MAX_LINE_BYTES;
        JsonLines { signal, source: Some(source), limits, max_line_bytes, line: Vec::new(), number: 0 }
    }

    /// Longest line, in bytes without its end. Default 64 MiB. A longer one is an error and is passed over without being held.
    #[must_use]
    pub fn with_max_line_bytes(mut self, bytes: usize) -> JsonLines<R> {
        self.max_line_bytes = bytes;
        self
    }

    /// The number of the line that was returned last, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.number
    }

    /// Reads the next line into `self.line`; `false` at the end.
    fn read(&mut self) -> Result<bool, LineErrorKind> {
        let Some(source) = &mut self.source else { return Ok(false) };
        self.line.clear();
        // One more than allowed, for the end of the line, tells a longer one.
        let limit = (self.max_line_bytes as u64).saturating_add(1);
        let read =
            source.by_ref().take(limit).read_until(b'\n', &mut self.line).map_err(LineErrorKind::Io)?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() > self.max_line_bytes {
            self.line = Vec::new();
            skip_line(source).map_err(LineErrorKind::Io)?;
            return Err(LineErrorKind::TooLong { limit: self.max_line_bytes });
        }
        Ok(true)
    }

    fn step(&mut self) -> Result<Option<Chunk>, LineErrorKind> {
        loop {
            if !self.read()? {
                return Ok(None);
            }
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let bytes = to_protobuf(self.signal, &self.line).map_err(LineErrorKind::Json)?;
            return Chunk::validate(self.signal, bytes, &self.limits)
                .map(Some)
                .map_err(LineErrorKind::Invalid);
        }
    }
}

/// Reads on to the end of the line, without keeping it.
fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = match source.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        source.consume(used);
        if ended {
            return Ok(());
        }
    }
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = Result<Chunk, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(Some(chunk)) => Some(Ok(chunk)),
            Ok(None) => {
                self.source = None;
                None
            }
            Err(kind) => {
                if matches!(kind, LineErrorKind::Io(_)) {
                    self.source = None;
                }
                Some(Err(LineError { line: self.number, kind }))
            }
        }
    }
}

/// Writes a request as one line.
///
/// What [`validate`](crate::validate) accepts can be written, and read by [`JsonLines`] but for values that are nested about 40 deep or deeper:
/// tokenizers of JSON give up at 128 brackets, of which each such value has three.
///
/// # Errors
///
/// If the bytes are not valid, before anything is written, or if writing fails.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::{Signal, json};
///
/// let mut file = Vec::new();
/// json::write_line(Signal::Logs, b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO", &mut file)?;
/// assert!(file.ends_with(b"\"INFO\"}]}]}]}\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_line(signal: Signal, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    let mut line =
        from_protobuf(signal, bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    line.push('\n');
    // In one piece, so that lines of several writers to one file do not mix where the system keeps writes apart.
    out.write_all(line.as_bytes())
}

/// What is wrong with a line of a file.
#[derive(Debug)]
pub struct LineError {
    line: u64,
    kind: LineErrorKind,
}

/// What can be wrong with a line.
#[derive(Debug)]
#[non_exhaustive]
pub enum LineErrorKind {
    /// Reading failed; the iterator has ended.
    Io(io::Error),
    /// Longer than allowed.
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// No OTLP/JSON.
    Json(JsonError),
    /// OTLP/JSON that is not a valid request, or exceeds a limit. Offsets are of its protobuf.
    Invalid(Invalid),
}

impl LineError {
    /// The number of the line, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &LineErrorKind {
        &self.kind
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            LineErrorKind::Io(error) => write!(f, "reading failed after line {}: {error}", self.line),
            LineErrorKind::TooLong { limit } => write!(f, "line {}: longer than {limit} bytes", self.line),
            // A line of JSON has one line: its own number would only confuse.
            LineErrorKind::Json(JsonError::Text { column, message, .. }) => {
                write!(f, "line {}: {message} at column {column}", self.line)
            }
            LineErrorKind::Json(error) => write!(f, "line {}: {error}", self.line),
            LineErrorKind::Invalid(error) => write!(f, "line {}: {error}", self.line),
        }
    }
}

impl core::error::Error for LineError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.kind {
            LineErrorKind::Io(error) => Some(error),
            _ => None,
        }
    }
}
