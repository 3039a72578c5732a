//! The small messages around the data, by hand: export responses, `google.rpc.Status`, health checks.

mod code;
mod export;
pub mod health;
mod status;

pub use code::{Code, UnknownCode};
pub use export::ExportResponse;
pub use status::Status;

pub use crate::error::DecodeError;

use crate::cursor::Cursor;
use crate::error::{Fault, InvalidKind};
use crate::varint;

/// Writes a varint field, unless it has the default value.
pub(crate) fn put_int(out: &mut Vec<u8>, number: u8, value: u64) {
    if value != 0 {
        out.push(number << 3);
        varint::push(out, value);
    }
}

/// Writes a length-delimited field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    out.push(number << 3 | 2);
    varint::push(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Reads a string.
fn string(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    let bytes = cursor.bytes()?;
    match core::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Fault::at(InvalidKind::Utf8, bytes)),
    }
}

/// Reads the fields of a message; `known` returns false for a field it does not know, which is then skipped.
fn fields<'a>(
    bytes: &'a [u8],
    mut known: impl FnMut(u32, u8, &mut Cursor<'a>) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let mut cursor = Cursor::new(bytes);
    while !cursor.is_empty() {
        let (number, wire) = cursor.key()?;
        if !known(number, wire, &mut cursor)? {
            cursor.skip(number, wire, crate::cursor::MESSAGE_DEPTH)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
