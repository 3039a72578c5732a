//! `grpc.health.v1`: is the server, or one of its services, ready?
//!
//! Source: "GRPC Health Checking Protocol" (`health-checking.md` of the gRPC project).

use super::{DecodeError, fields, put_bytes, put_int, string};
use crate::cursor::{LEN, VARINT};
use crate::error::InvalidKind;

/// The `:path` of the unary check.
pub const CHECK_PATH: &str = "/grpc.health.v1.Health/Check";

/// The `:path` of the stream of changes.
pub const WATCH_PATH: &str = "/grpc.health.v1.Health/Watch";

/// `HealthCheckResponse.ServingStatus`. Complete: version 1 of the protocol has these.
#[doc(alias = "HealthCheckResponse")]
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServingStatus {
    /// Not known (yet).
    #[default]
    Unknown = 0,
    /// Requests are welcome.
    Serving = 1,
    /// Requests would fail.
    NotServing = 2,
    /// There is no such service; only in the answers to a watch.
    ServiceUnknown = 3,
}

/// Encodes a `HealthCheckRequest`; an empty name asks for the server as a whole.
#[must_use]
pub fn encode_request(service: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if !service.is_empty() {
        put_bytes(&mut out, 1, service.as_bytes());
    }
    out
}

/// Reads the name of the service out of a `HealthCheckRequest`.
///
/// # Errors
///
/// If the bytes are not this message.
pub fn decode_request(bytes: &[u8]) -> Result<String, DecodeError> {
    let mut service = String::new();
    fields(bytes, |number, wire, cursor| {
        match (number, wire) {
            (1, LEN) => service = string(cursor)?,
            (1, _) => return Err(cursor.fault(InvalidKind::WireType)),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(service)
}

/// Encodes a `HealthCheckResponse`.
#[must_use]
pub fn encode_response(status: ServingStatus) -> Vec<u8> {
    let mut out = Vec::new();
    put_int(&mut out, 1, status as u64);
    out
}

/// Reads a `HealthCheckResponse`. A status that is not known is [`ServingStatus::Unknown`].
///
/// # Errors
///
/// If the bytes are not this message.
pub fn decode_response(bytes: &[u8]) -> Result<ServingStatus, DecodeError> {
    let mut status = ServingStatus::Unknown;
    fields(bytes, |number, wire, cursor| {
        match (number, wire) {
            (1, VARINT) => {
                status = match cursor.varint()? {
                    1 => ServingStatus::Serving,
                    2 => ServingStatus::NotServing,
                    3 => ServingStatus::ServiceUnknown,
                    _ => ServingStatus::Unknown,
                };
            }
            (1, _) => return Err(cursor.fault(InvalidKind::WireType)),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(status)
}
