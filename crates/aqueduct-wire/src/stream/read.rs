//! Records off an `io::Read`.

use super::Records;
use crate::{Chunk, Invalid, Limits, Signal};
use bytes::BytesMut;
use core::fmt;
use std::io::{self, Read};

/// As much is read at a time: a few records, and a read that is worth its system call.
const PIECE: usize = 64 * 1024;

/// With less room than this left a new buffer is taken.
const LEAST: usize = 8 * 1024;

/// Reads the body of a request and returns its records as validated chunks, as soon as they are whole.
///
/// After an error, and after the end, the iterator has ended.
///
/// # Allocation
///
/// A buffer for each 56 to 64 KiB read, which the chunks are slices of, and what [`Records`] allocates.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::stream::ReadRecords;
/// use aqueduct_wire::{Limits, Signal};
///
/// let body: &[u8] = b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO";
/// for chunk in ReadRecords::new(Signal::Logs, body, Limits::default()) {
///     assert_eq!(chunk?.items(), 1);
/// }
/// # Ok::<(), aqueduct_wire::stream::ReadError>(())
/// ```
#[derive(Debug)]
pub struct ReadRecords<R> {
    source: R,
    records: Option<Records>,
    /// Zeroed room to read into.
    room: BytesMut,
}

impl<R: Read> ReadRecords<R> {
    /// Reads from `source` up to its end.
    pub fn new(signal: Signal, source: R, limits: Limits) -> ReadRecords<R> {
        ReadRecords { source, records: Some(Records::new(signal, limits)), room: BytesMut::new() }
    }

    fn step(&mut self) -> Result<Option<Chunk>, ReadError> {
        let Some(records) = &mut self.records else { return Ok(None) };
        loop {
            if let Some(chunk) = records.next_chunk().map_err(ReadError::Invalid)? {
                return Ok(Some(chunk));
            }
            if self.room.len() < LEAST {
                self.room = BytesMut::zeroed(PIECE);
            }
            let read = match self.source.read(&mut self.room) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadError::Io(error)),
            };
            if read == 0 {
                let ended = self.records.take().map(Records::finish);
                return ended.transpose().map(|_| None).map_err(ReadError::Invalid);
            }
            // A reader that claims to have read more than there was room for is not believed.
            records.push(self.room.split_to(read.min(self.room.len())).freeze());
        }
    }
}

impl<R: Read> Iterator for ReadRecords<R> {
    type Item = Result<Chunk, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if !matches!(step, Some(Ok(_))) {
            self.records = None;
        }
        step
    }
}

/// Why a body was not read to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// Reading failed.
    Io(io::Error),
    /// What was read is not valid.
    Invalid(Invalid),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Io(error) => write!(f, "the body could not be read: {error}"),
            ReadError::Invalid(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            ReadError::Io(error) => Some(error),
            ReadError::Invalid(_) => None,
        }
    }
}
