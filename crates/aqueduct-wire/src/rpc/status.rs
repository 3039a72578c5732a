//! `google.rpc.Status` with `google.rpc.RetryInfo`.

use super::{Code, DecodeError, fields, put_bytes, put_int, string};
use crate::cursor::{LEN, VARINT};
use crate::error::{Fault, InvalidKind};
use core::fmt;
use core::time::Duration;

/// The type URL of the only detail that OTLP gives a meaning to.
pub(crate) const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Why a request failed: the body of every OTLP/HTTP error, and of `grpc-status-details-bin`.
///
/// Details other than `RetryInfo` are skipped when reading. Complete: the type has these parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What kind of failure.
    pub code: Code,
    /// For the developer who reads the log of the client.
    pub message: String,
    /// How long the client is to wait before it tries again (`google.rpc.RetryInfo.retry_delay`).
    ///
    /// A delay that the server gave as negative is read as zero.
    #[doc(alias = "RetryInfo")]
    pub retry_delay: Option<Duration>,
}

impl Status {
    /// A status without details.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Status {
        Status { code, message: message.into(), retry_delay: None }
    }

    /// Adds a `RetryInfo`.
    #[must_use]
    pub fn with_retry_delay(mut self, delay: Duration) -> Status {
        self.retry_delay = Some(delay);
        self
    }

    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.message.len() + 80);
        put_int(&mut out, 1, u64::from(self.code.as_u32()));
        if !self.message.is_empty() {
            put_bytes(&mut out, 2, self.message.as_bytes());
        }
        if let Some(delay) = self.retry_delay {
            let mut duration = Vec::with_capacity(18);
            put_int(&mut duration, 1, delay.as_secs().min(i64::MAX as u64));
            put_int(&mut duration, 2, u64::from(delay.subsec_nanos()));
            let mut retry_info = Vec::with_capacity(20);
            put_bytes(&mut retry_info, 1, &duration);
            let mut any = Vec::with_capacity(70);
            put_bytes(&mut any, 1, RETRY_INFO.as_bytes());
            put_bytes(&mut any, 2, &retry_info);
            put_bytes(&mut out, 3, &any);
        }
        out
    }

    /// Reads the message. A code that is unknown becomes [`Code::Unknown`].
    ///
    /// # Errors
    ///
    /// If the bytes are not this message, or its `RetryInfo` is none.
    pub fn decode(bytes: &[u8]) -> Result<Status, DecodeError> {
        let mut status = Status::new(Code::Ok, String::new());
        fields(bytes, |number, wire, cursor| {
            match (number, wire) {
                (1, VARINT) => {
                    // An int32: what does not fit is cut off, as every protobuf runtime does.
                    status.code = Code::from_u32(cursor.varint()? as u32);
                }
                (2, LEN) => status.message = string(cursor)?,
                (3, LEN) => {
                    if let Some(delay) = retry_info(cursor.bytes()?)? {
                        status.retry_delay = Some(delay);
                    }
                }
                (1..=3, _) => return Err(cursor.fault(InvalidKind::WireType)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(status)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// The delay, if this `google.protobuf.Any` is a `RetryInfo`. The host part of a type URL has no meaning.
fn retry_info(any: &[u8]) -> Result<Option<Duration>, Fault> {
    let (mut is_retry_info, mut value): (bool, &[u8]) = (false, &[]);
    fields(any, |number, wire, cursor| {
        match (number, wire) {
            (1, LEN) => is_retry_info = cursor.bytes()?.ends_with(b"/google.rpc.RetryInfo"),
            (2, LEN) => value = cursor.bytes()?,
            (1 | 2, _) => return Err(cursor.fault(InvalidKind::WireType)),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if !is_retry_info {
        return Ok(None);
    }
    // Its mere presence says that a retry makes sense; a delay that is left out is one of zero.
    let mut delay = Duration::ZERO;
    fields(value, |number, wire, cursor| {
        match (number, wire) {
            (1, LEN) => delay = duration(cursor.bytes()?)?,
            (1, _) => return Err(cursor.fault(InvalidKind::WireType)),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Some(delay))
}

/// `google.protobuf.Duration`; negative becomes zero, nanoseconds beyond a second are cut to it.
fn duration(bytes: &[u8]) -> Result<Duration, Fault> {
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    fields(bytes, |number, wire, cursor| {
        match (number, wire) {
            (1, VARINT) => seconds = cursor.varint()?.cast_signed(),
            (2, VARINT) => nanos = cursor.varint()? as i32,
            (1 | 2, _) => return Err(cursor.fault(InvalidKind::WireType)),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if seconds < 0 || nanos < 0 {
        return Ok(Duration::ZERO);
    }
    Ok(Duration::new(seconds.unsigned_abs(), nanos.unsigned_abs().min(999_999_999)))
}
