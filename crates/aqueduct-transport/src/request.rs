//! A batch in the form in which it is sent, once or many times.

use std::sync::Arc;

use aqueduct_wire::{Merged, Signal};
use bytes::Bytes;

/// How the bytes of a [`Request`] are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// A gzip member (RFC 1952).
    Gzip,
    /// A Zstandard frame (RFC 8878).
    Zstd,
}

impl Encoding {
    /// The name in `content-encoding` and `grpc-encoding`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// What the bytes of a [`Request`] are once they are decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `Export*ServiceRequest` in protobuf.
    Protobuf,
    /// The same in OTLP/JSON. Only OTLP/HTTP carries it.
    Json,
}

/// One export request, ready to be sent: made once by [`Client::prepare`](crate::Client::prepare), sent as often as it
/// takes. Cloning it clones a reference; a retry sends the very same bytes.
#[derive(Clone, Debug)]
pub struct Request {
    signal: Signal,
    items: u64,
    format: Format,
    encoding: Encoding,
    pieces: Arc<[Bytes]>,
    len: usize,
    held_bytes: usize,
    uncompressed_len: usize,
}

impl Request {
    /// The batch as it is: protobuf, uncompressed. Copies a list of references, no data.
    #[must_use]
    pub fn plain(batch: &Merged) -> Self {
        Self {
            signal: batch.signal(),
            items: batch.items(),
            format: Format::Protobuf,
            encoding: Encoding::Identity,
            pieces: batch.pieces().into(),
            len: batch.len(),
            held_bytes: batch.held_bytes(),
            uncompressed_len: batch.len(),
        }
    }

    /// The batch as JSON.
    #[cfg(feature = "json")]
    pub(crate) fn json(batch: &Merged, json: String) -> Self {
        let json = Bytes::from(json);
        let len = json.len();
        Self {
            format: Format::Json,
            pieces: Arc::new([json]),
            len,
            held_bytes: len,
            uncompressed_len: len,
            ..Self::plain(batch)
        }
    }

    /// The same request, compressed into these pieces that keep `held_bytes` allocated.
    #[cfg_attr(not(any(feature = "gzip", feature = "zstd")), allow(dead_code, reason = "there is no codec"))]
    pub(crate) fn compressed(self, encoding: Encoding, pieces: Vec<Bytes>, held_bytes: usize) -> Self {
        let len = pieces.iter().map(Bytes::len).sum();
        Self { encoding, pieces: pieces.into(), len, held_bytes, ..self }
    }

    /// The same request in one piece of memory of its size, for who keeps it for a while: pieces of pooled memory are larger than what is in them, and are
    /// missed by the pool. Copies the body.
    #[must_use]
    pub fn compact(&self) -> Self {
        let body = Bytes::from(self.pieces.concat());
        Self { held_bytes: body.len(), pieces: Arc::new([body]), ..self.clone() }
    }

    /// The pieces, shared.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn shared_pieces(&self) -> Arc<[Bytes]> {
        self.pieces.clone()
    }

    /// Which signal it carries.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// Spans, data points or log records in it.
    #[must_use]
    pub const fn items(&self) -> u64 {
        self.items
    }

    /// Protobuf or JSON.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// How it is compressed.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The body, in pieces that are sent one after the other without being joined.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// Bytes of the body as sent (without the five bytes gRPC adds).
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the body has no bytes at all, which OTLP allows: a request without records.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that stay allocated as long as this request does: what a memory budget counts. For a
    /// [`plain`](Self::plain) one they are shared with the batch.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes of the body before compression.
    #[must_use]
    pub const fn uncompressed_len(&self) -> usize {
        self.uncompressed_len
    }
}
