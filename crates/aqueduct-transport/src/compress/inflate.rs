//! Back from a compressed request to its batch.

use std::error::Error;
use std::fmt;
use std::io;
#[cfg(feature = "gzip")]
use std::io::Read;

use aqueduct_wire::{Chunk, Merged};
use bytes::Bytes;

use crate::request::{Encoding, Format, Request};

/// Why a [`Request`] cannot be turned back into the batch it was made of.
#[derive(Debug)]
#[non_exhaustive]
pub enum InflateError {
    /// It is JSON by now.
    Json,
    /// It was compressed with a codec that this build does not know.
    FeatureMissing {
        /// The feature of this crate that unlocks it.
        feature: &'static str,
    },
    /// The bytes do not inflate to what they were made of.
    Damaged(io::Error),
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("the request is JSON, of which no batch is made"),
            Self::FeatureMissing { feature } => {
                write!(f, "aqueduct-transport was built without its feature {feature:?}")
            }
            Self::Damaged(_) => f.write_str("the compressed bytes are damaged"),
        }
    }
}

impl Error for InflateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Damaged(error) => Some(error),
            Self::Json | Self::FeatureMissing { .. } => None,
        }
    }
}

impl Request {
    /// The batch again: the same bytes as went in, inflated if they were compressed, in one piece. For a request that is not compressed the pieces are referred
    /// to, and only joined if there are several.
    ///
    /// # Errors
    ///
    /// [`InflateError`]; of requests that a [`Client`](crate::Client) or [`Compressor`](crate::Compressor) of this build made in protobuf there is none.
    pub fn to_batch(&self) -> Result<Merged, InflateError> {
        if self.format() == Format::Json {
            return Err(InflateError::Json);
        }
        let bytes = match self.encoding() {
            Encoding::Identity => joined(self.pieces()),
            Encoding::Gzip => gzip(self.pieces(), self.uncompressed_len())?,
            Encoding::Zstd => zstandard(self.pieces(), self.uncompressed_len())?,
        };
        Ok(Merged::from_chunk(Chunk::from_valid(self.signal(), self.items(), bytes)))
    }
}

/// The pieces as one: copied only if there are several.
fn joined(pieces: &[Bytes]) -> Bytes {
    match pieces {
        [one] => one.clone(),
        pieces => Bytes::from(pieces.concat()),
    }
}

#[cfg(feature = "gzip")]
fn gzip(pieces: &[Bytes], len: usize) -> Result<Bytes, InflateError> {
    let mut bytes = Vec::with_capacity(len);
    // One more than there should be, to see whether there is.
    let mut inflated = flate2::read::GzDecoder::new(Pieces::of(pieces)).take(len as u64 + 1);
    inflated.read_to_end(&mut bytes).map_err(InflateError::Damaged)?;
    whole(bytes, len)
}

#[cfg(not(feature = "gzip"))]
fn gzip(_: &[Bytes], _: usize) -> Result<Bytes, InflateError> {
    Err(InflateError::FeatureMissing { feature: "gzip" })
}

/// In one go, which needs no window besides the result.
#[cfg(feature = "zstd")]
fn zstandard(pieces: &[Bytes], len: usize) -> Result<Bytes, InflateError> {
    let frame = joined(pieces);
    let mut bytes = Vec::with_capacity(len);
    zstd::bulk::Decompressor::new()
        .and_then(|mut decompressor| decompressor.decompress_to_buffer(&frame[..], &mut bytes))
        .map_err(InflateError::Damaged)?;
    whole(bytes, len)
}

#[cfg(not(feature = "zstd"))]
fn zstandard(_: &[Bytes], _: usize) -> Result<Bytes, InflateError> {
    Err(InflateError::FeatureMissing { feature: "zstd" })
}

/// All `len` bytes, if so many they are.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn whole(bytes: Vec<u8>, len: usize) -> Result<Bytes, InflateError> {
    if bytes.len() != len {
        let message = format!("{} bytes where {len} went in", bytes.len());
        return Err(InflateError::Damaged(io::Error::new(io::ErrorKind::InvalidData, message)));
    }
    Ok(Bytes::from(bytes))
}

/// The pieces, read one after the other.
#[cfg(feature = "gzip")]
struct Pieces<'a> {
    current: &'a [u8],
    rest: std::slice::Iter<'a, Bytes>,
}

#[cfg(feature = "gzip")]
impl<'a> Pieces<'a> {
    fn of(pieces: &'a [Bytes]) -> Self {
        Self { current: &[], rest: pieces.iter() }
    }
}

#[cfg(feature = "gzip")]
impl Read for Pieces<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.rest.next() {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        self.current.read(room)
    }
}
