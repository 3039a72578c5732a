//! Framing of gRPC over HTTP/2, without I/O: the message prefix and the trailers' encodings.
//!
//! Source: "gRPC over HTTP2" (`PROTOCOL-HTTP2.md` of the gRPC project).

mod percent;
mod timeout;

pub use percent::{decode_message, encode_message};
pub use timeout::{format_timeout, parse_timeout};

use crate::base64;
use crate::rpc::Status;
use core::fmt;

/// Length of what precedes each message: a flag and a big-endian length.
pub const PREFIX_LEN: usize = 5;

/// The prefix of a message of `len` bytes.
#[must_use]
pub const fn prefix(len: u32, compressed: bool) -> [u8; PREFIX_LEN] {
    let [a, b, c, d] = len.to_be_bytes();
    [compressed as u8, a, b, c, d]
}

/// What a message prefix says. Complete: the protocol has these two fields.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Whether the message is compressed with the request's `grpc-encoding`.
    pub compressed: bool,
    /// Length of the message as it is sent, in bytes.
    pub len: u32,
}

impl Prefix {
    /// Reads a prefix.
    ///
    /// # Errors
    ///
    /// If the flag is neither 0 nor 1.
    pub const fn parse(bytes: &[u8; PREFIX_LEN]) -> Result<Prefix, InvalidPrefix> {
        let [flag, a, b, c, d] = *bytes;
        if flag > 1 {
            return Err(InvalidPrefix { flag });
        }
        Ok(Prefix { compressed: flag == 1, len: u32::from_be_bytes([a, b, c, d]) })
    }
}

/// A message prefix whose compression flag is neither 0 nor 1: what follows is no gRPC message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct InvalidPrefix {
    flag: u8,
}

impl InvalidPrefix {
    /// The byte that was found.
    #[must_use]
    pub const fn flag(self) -> u8 {
        self.flag
    }
}

impl fmt::Display for InvalidPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid gRPC compression flag {}, expected 0 or 1", self.flag)
    }
}

impl core::error::Error for InvalidPrefix {}

/// The value of the trailer `grpc-status-details-bin`: the status, encoded, in base64 without padding.
#[must_use]
pub fn encode_details(status: &Status) -> String {
    base64::encode(&status.encode())
}

/// Reads `grpc-status-details-bin`; `None` if it is not base64 (padded or not) of a `google.rpc.Status`.
#[must_use]
pub fn decode_details(value: &[u8]) -> Option<Status> {
    Status::decode(&base64::decode(value)?).ok()
}

#[cfg(test)]
mod tests;
