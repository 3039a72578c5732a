//! From a whole body to a chunk: frame, inflate, convert, validate.

use crate::config::ReceiverConfig;
use crate::head::{Encoding, Format, Head, Style};
use crate::held::{Held, too_large};
use crate::inflate::inflate;
use crate::refusal::Refusal;
use crate::stats::RefuseReason;
use aqueduct_wire::grpc::{PREFIX_LEN, Prefix};
use aqueduct_wire::{Chunk, Signal, rpc::health};
use bytes::{Buf, Bytes};

/// A body that arrived whole.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) head: Head,
    pub(crate) bytes: Bytes,
    pub(crate) held: Held,
}

/// How much a body may be, known from its beginning.
///
/// Called on each piece before it is kept, so that a lie is refused as soon as it is told.
/// `arrived` is what was kept, `more` what comes now.
pub(crate) fn admit(
    style: Style,
    arrived: &[u8],
    more: &[u8],
    limit: usize,
) -> Result<Option<usize>, Refusal> {
    let total = arrived.len() + more.len();
    if style != Style::Grpc {
        return if total > limit { Err(too_large(limit)) } else { Ok(None) };
    }
    let mut prefix = [0; PREFIX_LEN];
    for (byte, of) in prefix.iter_mut().zip(arrived.iter().chain(more)) {
        *byte = *of;
    }
    if total < PREFIX_LEN {
        return Ok(None);
    }
    let prefix =
        Prefix::parse(&prefix).map_err(|error| Refusal::new(RefuseReason::Framing, error.to_string()))?;
    let len = prefix.len as usize;
    if len > limit {
        return Err(too_large(limit));
    }
    if total > PREFIX_LEN + len {
        let message = "more bytes than the length of the one message that a unary call has";
        return Err(Refusal::new(RefuseReason::Framing, message));
    }
    Ok(Some(PREFIX_LEN + len))
}

/// Compressed bodies are taken for this many times as large as they are.
const INFLATES: usize = 16;

impl Body {
    /// Whether judging it would hold up the other connections of the thread.
    pub(crate) fn takes_long(&self, config: &ReceiverConfig) -> bool {
        let size = match self.head.encoding {
            Encoding::Identity => self.bytes.len(),
            _ => self.bytes.len() * INFLATES,
        };
        size > config.offload_bytes
    }

    /// The message itself: without gRPC's prefix, inflated. Pieces were admitted by [`admit`].
    fn open(mut self, limit: usize) -> Result<(Bytes, Held), Refusal> {
        let mut encoding = self.head.encoding;
        if self.head.style == Style::Grpc {
            let prefix = match self.bytes.first_chunk::<PREFIX_LEN>().map(Prefix::parse) {
                Some(Ok(prefix)) if prefix.len as usize == self.bytes.len() - PREFIX_LEN => prefix,
                _ if self.bytes.is_empty() => {
                    return Err(Refusal::new(RefuseReason::Framing, "the call has no message"));
                }
                _ => {
                    return Err(Refusal::new(
                        RefuseReason::Framing,
                        "the message is shorter than its length",
                    ));
                }
            };
            self.bytes.advance(PREFIX_LEN);
            if !prefix.compressed {
                encoding = Encoding::Identity;
            } else if encoding == Encoding::Identity {
                let message = "the message is marked as compressed, but grpc-encoding says identity";
                return Err(Refusal::new(RefuseReason::Framing, message));
            }
        }
        if encoding == Encoding::Identity {
            return Ok((self.bytes, self.held));
        }
        let before = self.held.bytes();
        let inflated = inflate(encoding, &self.bytes, limit, &mut self.held)?;
        drop(self.bytes);
        self.held.shrink_to(self.held.bytes() - before);
        Ok((inflated, self.held))
    }

    /// The validated chunk, and what it holds.
    pub(crate) fn judge(self, signal: Signal, config: &ReceiverConfig) -> Result<(Chunk, Held), Refusal> {
        let format = self.head.style;
        let (bytes, held) = self.open(config.max_request_bytes)?;
        let (bytes, held) = match format {
            #[cfg(feature = "json")]
            Style::Http(Format::Json) => from_json(signal, bytes, held, config.max_request_bytes)?,
            #[cfg(not(feature = "json"))]
            Style::Http(Format::Json) => {
                return Err(Refusal::new(RefuseReason::ContentType, "JSON is not supported"));
            }
            Style::Grpc | Style::Http(Format::Protobuf) => (bytes, held),
        };
        match Chunk::validate(signal, bytes, &config.limits) {
            Ok(chunk) => Ok((chunk, held)),
            Err(invalid) => Err(Refusal::new(RefuseReason::Invalid, invalid.to_string())),
        }
    }

    /// The service that a health check asks for.
    pub(crate) fn health_service(self, limit: usize) -> Result<String, Refusal> {
        let (bytes, _held) = self.open(limit)?;
        health::decode_request(&bytes).map_err(|error| Refusal::new(RefuseReason::Invalid, error.to_string()))
    }
}

/// A number of two characters in an array becomes eight bytes.
#[cfg(feature = "json")]
const JSON_GROWS: usize = 4;

#[cfg(feature = "json")]
fn from_json(signal: Signal, json: Bytes, mut held: Held, limit: usize) -> Result<(Bytes, Held), Refusal> {
    // How much it becomes is known afterwards; what is more than the limit is then refused.
    held.grow(json.len().saturating_mul(JSON_GROWS).min(limit))?;
    let bytes = aqueduct_wire::json::to_protobuf(signal, &json)
        .map_err(|error| Refusal::new(RefuseReason::Invalid, error.to_string()))?;
    if bytes.len() > limit {
        return Err(too_large(limit));
    }
    drop(json);
    held.shrink_to(bytes.len());
    Ok((bytes, held))
}
