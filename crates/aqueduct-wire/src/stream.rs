//! Requests that arrive in pieces: validated chunks of whole records, before the last piece is there.
//!
//! The body of a request is a list of records (`ResourceSpans`, `ResourceMetrics` or `ResourceLogs`), each with a key and a length of its own. So
//! what has arrived can be passed on up to the last whole record, and no more than one record and one piece are ever held: a request of gigabytes takes as
//! much memory as its largest record, and twice that while the buffer of a large one grows.
//!
//! [`Records`] does no I/O and is given the pieces. [`ReadRecords`] reads them from an [`io::Read`](std::io::Read); `StreamRecords` (feature `stream`)
//! takes them from a `futures_core::Stream` of `Bytes`.
//!
//! # Where it differs from `validate`
//!
//! [`validate`](crate::validate) sees the whole. Here an unknown field at the top of the body is held to [`Limits::max_record_bytes`] like a record, because it
//! would have to be held like one, and a group there is refused ([`InvalidKind::Group`]), because its end cannot be known before it comes. No
//! version of OTLP has either. And what stands before an error has been returned when the error is: up to the last whole record before the piece in which the
//! broken one lies, at least.
//!
//! # Protocol
//!
//! What was pushed and not yet returned is `tail`, the beginning of one record, followed by `piece`. The tail is filled from the piece until its record is
//! whole; as long as there is a tail, the piece holds nothing that comes before. A record's length is known after at most 15 bytes; it is held to
//! the limit before any memory is reserved for it.

#[cfg(feature = "stream")]
mod poll;
mod read;

#[cfg(feature = "stream")]
pub use poll::{StreamError, StreamRecords};
pub use read::{ReadError, ReadRecords};

use crate::cursor::{Cursor, FIXED32, FIXED64, LEN, VARINT};
use crate::error::{Exceeded, Invalid, InvalidKind};
use crate::{Chunk, Limits, Signal, Summary};
use bytes::Bytes;

/// A key of five bytes at most and a varint of ten at most: after so many bytes the length of a field is known, or wrong.
const MAX_HEAD: usize = 15;

/// Cuts the body of a request, as it arrives, into validated chunks of whole records.
///
/// A chunk is a slice of the piece that it came in, without a copy; only a record that lies across pieces is joined.
///
/// # Allocation
///
/// One buffer for each record that lies across pieces, which grows with what arrives, by doubling and never beyond the record's size, which is
/// held to the limit ([`Limits::max_record_bytes`], and what is left of [`Limits::max_bytes`]) before. A peer that announces much and sends little costs at
/// most twice what it sent.
///
/// # Examples
///
/// ```
/// use aqueduct_wire::stream::Records;
/// use aqueduct_wire::{Limits, Signal};
/// use bytes::Bytes;
///
/// // Two records of a log each, in pieces that end anywhere.
/// let record = b"\x0a\x0a\x12\x08\x12\x06\x1a\x04INFO";
/// let body = [&record[..], &record[..]].concat();
/// let mut records = Records::new(Signal::Logs, Limits::default());
/// let mut items = 0;
/// for piece in body.chunks(7) {
///     records.push(Bytes::copy_from_slice(piece));
///     while let Some(chunk) = records.next_chunk()? {
///         items += chunk.items();
///     }
/// }
/// let summary = records.finish()?;
/// assert_eq!((items, summary.items, summary.records), (2, 2, 2));
/// # Ok::<(), aqueduct_wire::Invalid>(())
/// ```
#[doc(alias = "StreamProcessor")]
#[derive(Debug)]
pub struct Records {
    signal: Signal,
    limits: Limits,
    /// The beginning of a record that has not come whole.
    tail: Vec<u8>,
    piece: Bytes,
    /// How many bytes were returned in chunks.
    done: usize,
    summary: Summary,
    /// Resource and scope records that were returned.
    envelopes: u64,
    broken: Option<Invalid>,
}

/// What a field at the top of the body takes.
enum Extent {
    /// So many bytes, key and length included.
    Known(usize),
    /// More bytes are needed to know.
    Unknown,
}

impl Records {
    /// Nothing has arrived yet. The limits hold for the body as a whole, but for those of a record.
    #[must_use]
    pub fn new(signal: Signal, limits: Limits) -> Records {
        let (tail, piece) = (Vec::new(), Bytes::new());
        let summary = Summary::default();
        Records { signal, limits, tail, piece, done: 0, summary, envelopes: 0, broken: None }
    }

    /// Adds what has arrived. Take all chunks ([`Records::next_chunk`]) before the next piece: pieces that were not looked at are joined, which copies them.
    pub fn push(&mut self, piece: Bytes) {
        if self.piece.is_empty() {
            self.piece = piece;
        } else {
            self.piece = [&self.piece[..], &piece[..]].concat().into();
        }
    }

    /// The next whole records; `None` if more has to arrive first.
    ///
    /// # Errors
    ///
    /// What is wrong, and where in the body. From then on every call answers the same.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, Invalid> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let result = self.advance();
        if let Err(invalid) = &result {
            self.broken = Some(invalid.clone());
            self.tail = Vec::new();
            self.piece = Bytes::new();
        }
        result
    }

    /// The end of the body: what it held in all.
    ///
    /// # Errors
    ///
    /// If the body was broken, or ends within a record. Chunks that were not taken ([`Records::next_chunk`]) are such an end, too.
    pub fn finish(self) -> Result<Summary, Invalid> {
        match self.broken {
            Some(broken) => Err(broken),
            None if self.held() == 0 => Ok(self.summary),
            None => Err(self.invalid(InvalidKind::Truncated, self.done + self.held())),
        }
    }

    /// Bytes that have arrived and were not returned.
    #[must_use]
    pub fn held(&self) -> usize {
        self.tail.len() + self.piece.len()
    }

    /// What was returned so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    fn advance(&mut self) -> Result<Option<Chunk>, Invalid> {
        if !self.tail.is_empty() && !self.fill_tail()? {
            return Ok(None);
        }
        if !self.tail.is_empty() {
            let record = std::mem::take(&mut self.tail);
            return self.chunk(record.into()).map(Some);
        }
        let whole = self.whole_fields()?;
        if whole > 0 {
            let records = self.piece.split_to(whole);
            return self.chunk(records).map(Some);
        }
        // The rest is the beginning of a record, to be kept without the read buffer that it came in.
        self.tail.extend_from_slice(&self.piece);
        self.piece = Bytes::new();
        Ok(None)
    }

    /// Moves bytes from the piece to the tail, up to the end of the tail's record; whether that is there.
    fn fill_tail(&mut self) -> Result<bool, Invalid> {
        loop {
            let wanted = match self.extent(&self.tail, self.done)? {
                Extent::Known(extent) if extent == self.tail.len() => return Ok(true),
                Extent::Known(extent) => extent - self.tail.len(),
                Extent::Unknown => 1,
            };
            if self.piece.is_empty() {
                return Ok(false);
            }
            let more = self.piece.split_to(wanted.min(self.piece.len()));
            if self.tail.capacity() - self.tail.len() < more.len() {
                // To the record's size and no further; until then by doubling, as `Vec` would.
                self.tail.reserve_exact(more.len().max(self.tail.len().min(wanted)));
            }
            self.tail.extend_from_slice(&more);
        }
    }

    /// How many bytes of the piece are whole fields.
    fn whole_fields(&self) -> Result<usize, Invalid> {
        let mut at = 0;
        while at < self.piece.len() {
            match self.extent(&self.piece[at..], self.done + at) {
                Ok(Extent::Known(extent)) if extent <= self.piece.len() - at => at += extent,
                // What is whole goes first; the error comes again.
                Err(invalid) if at == 0 => return Err(invalid),
                _ => break,
            }
        }
        Ok(at)
    }

    /// What the field takes that begins here, `offset` bytes from the start of the body.
    fn extent(&self, field: &[u8], offset: usize) -> Result<Extent, Invalid> {
        let head = &field[..field.len().min(MAX_HEAD)];
        // Beyond this many bytes what is cut short is not going to become better.
        let cut = |kind, at: &[u8]| {
            if kind == InvalidKind::Truncated && head.len() < MAX_HEAD {
                return Ok(Extent::Unknown);
            }
            Err(self.invalid(kind, offset + head.len() - at.len()))
        };
        let mut cursor = Cursor::new(head);
        // Only a record has a meaning; whether its field has the right type is seen when it is validated.
        let wire = match cursor.key() {
            Ok((_, wire)) => wire,
            Err(fault) => return cut(fault.kind, head),
        };
        let after_key = cursor.rest;
        let content = match wire {
            FIXED32 => 4,
            FIXED64 => 8,
            VARINT | LEN => match cursor.varint() {
                Ok(_) if wire == VARINT => 0,
                Ok(length) => match usize::try_from(length) {
                    Ok(length) if length <= self.limits.max_record_bytes => length,
                    _ => {
                        let limit = self.limits.max_record_bytes as u64;
                        let invalid = self.invalid(InvalidKind::RecordBytes, offset);
                        return Err(Invalid { limit: Some(Exceeded { limit, found: length }), ..invalid });
                    }
                },
                Err(fault) => return cut(fault.kind, after_key),
            },
            // Groups have no length. Nobody writes them here; to look for their end would be to hold back whatever comes.
            _ => return Err(self.invalid(InvalidKind::Group, offset)),
        };
        // Saturated, without a limit: a length that no body reaches.
        let extent = (head.len() - cursor.rest.len()).saturating_add(content);
        let whole = offset.saturating_add(extent);
        if whole > self.limits.max_bytes {
            let (limit, found) = (self.limits.max_bytes as u64, whole as u64);
            let invalid = self.invalid(InvalidKind::Bytes, offset);
            return Err(Invalid { limit: Some(Exceeded { limit, found }), ..invalid });
        }
        Ok(Extent::Known(extent))
    }

    fn chunk(&mut self, bytes: Bytes) -> Result<Chunk, Invalid> {
        let mut limits = self.limits;
        // The length of the whole was looked at before the record was taken in.
        limits.max_items = limits.max_items.saturating_sub(self.summary.items);
        limits.max_envelopes = limits.max_envelopes.saturating_sub(self.envelopes);
        let counted = crate::validate::count(self.signal, &bytes, &limits).map_err(|mut invalid| {
            invalid.offset += self.done;
            let before = match invalid.kind {
                InvalidKind::Items => self.summary.items,
                InvalidKind::Envelopes => self.envelopes,
                _ => 0,
            };
            if let Some(exceeded) = &mut invalid.limit {
                exceeded.limit += before;
                exceeded.found += before;
            }
            invalid
        })?;
        let (summary, envelopes) = counted;
        self.envelopes += envelopes;
        self.done += bytes.len();
        self.summary.items += summary.items;
        self.summary.records += summary.records;
        Ok(Chunk::from_valid(self.signal, summary.items, bytes))
    }

    fn invalid(&self, kind: InvalidKind, offset: usize) -> Invalid {
        Invalid { kind, offset, path: Box::default(), limit: None }
    }
}
