//! The answer to an export request.

use super::{DecodeError, fields, put_bytes, put_int, string};
use crate::cursor::{LEN, VARINT};
use crate::error::InvalidKind;

/// `ExportTraceServiceResponse` and its two siblings: on the wire they are the same.
///
/// Complete: the protocol's partial success has these two fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportResponse {
    /// Items that the server refused for good (`rejected_spans`, `rejected_data_points`,
    /// `rejected_log_records`).
    pub rejected: u64,
    /// What the server has to say; with no item rejected it is a warning.
    pub message: String,
}

impl ExportResponse {
    /// Everything was taken, and there is nothing to say: encodes to zero bytes.
    pub const FULL: ExportResponse = ExportResponse { rejected: 0, message: String::new() };

    /// Whether everything was taken and there is nothing to say.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rejected == 0 && self.message.is_empty()
    }

    /// The message's bytes. Full success leaves `partial_success` unset, as the specification demands.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        if self.is_full() {
            return Vec::new();
        }
        let mut partial = Vec::with_capacity(16 + self.message.len());
        put_int(&mut partial, 1, self.rejected.min(i64::MAX as u64));
        if !self.message.is_empty() {
            put_bytes(&mut partial, 2, self.message.as_bytes());
        }
        let mut out = Vec::with_capacity(partial.len() + 8);
        put_bytes(&mut out, 1, &partial);
        out
    }

    /// Reads the message. A negative number of rejected items, which the protocol's type allows, is read as
    /// 0.
    ///
    /// # Errors
    ///
    /// If the bytes are not this message.
    pub fn decode(bytes: &[u8]) -> Result<ExportResponse, DecodeError> {
        let mut response = ExportResponse::default();
        fields(bytes, |number, wire, cursor| {
            if number != 1 {
                return Ok(false);
            }
            if wire != LEN {
                return Err(cursor.fault(InvalidKind::WireType));
            }
            fields(cursor.bytes()?, |number, wire, cursor| {
                match (number, wire) {
                    (1, VARINT) => {
                        response.rejected = u64::try_from(cursor.varint()?.cast_signed()).unwrap_or(0);
                    }
                    (2, LEN) => response.message = string(cursor)?,
                    (1 | 2, _) => return Err(cursor.fault(InvalidKind::WireType)),
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
            Ok(true)
        })?;
        Ok(response)
    }
}
