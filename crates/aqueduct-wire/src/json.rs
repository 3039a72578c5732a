//! OTLP/JSON in both directions (feature `json`).
//!
//! The mapping is proto3 JSON with the deviations of the OTLP specification ("JSON Protobuf Encoding"):
//! trace and span ids are hexadecimal in either case, enumerations are integers only, keys are
//! lowerCamelCase only, and unknown keys are ignored. 64-bit integers are written as strings and read in
//! both forms; doubles may be `"NaN"`, `"Infinity"` and `"-Infinity"`; other bytes are base64. `null` is
//! the same as leaving the key out.
//!
//! Reading goes from the JSON tokenizer straight to protobuf, and writing from protobuf straight to text,
//! both by the tables that the validator uses: no object tree in between. Text must be UTF-8, which is checked once for
//! all of it. Keys may come in any order, but are found fastest in that of the `.proto` files, in which we write them.
//! [`JsonLines`] and [`write_line`] are the OTLP file format.

mod escape;
mod lines;
mod read;
mod rpc;
mod write;

pub use lines::{JsonLines, LineError, LineErrorKind, write_line};
pub use read::to_protobuf;
pub use rpc::{response_from_json, response_to_json, status_from_json, status_to_json};
pub use write::from_protobuf;

use crate::Invalid;
use core::fmt;

/// Why JSON was not read, or not written.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// The text is no JSON, or a value does not fit its field.
    Text {
        /// Line of the error, from 1; 0 if the text ended too early to say.
        line: usize,
        /// Column of the error in bytes, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The protobuf that was to be written as JSON is not valid.
    Protobuf(Invalid),
}

impl JsonError {
    /// The line, from 1, if the error is one of the text.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            JsonError::Text { line, .. } => Some(*line),
            JsonError::Protobuf(_) => None,
        }
    }

    /// The column in bytes, from 1, if the error is one of the text.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        match self {
            JsonError::Text { column, .. } => Some(*column),
            JsonError::Protobuf(_) => None,
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonError::Text { line, column, message } => {
                write!(f, "{message} at line {line} column {column}")
            }
            JsonError::Protobuf(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for JsonError {}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> JsonError {
        let (line, column) = (error.line(), error.column());
        let mut message = error.to_string();
        // The place is a field of ours, not part of the text.
        let place = format!(" at line {line} column {column}");
        if let Some(bare) = message.strip_suffix(&place) {
            message.truncate(bare.len());
        }
        JsonError::Text { line, column, message }
    }
}
