//! The hash of a value, as the OpenTelemetry Collector makes it.

use crate::view::Value;
use sha2::{Digest, Sha256};

/// The lower-case hexadecimal digits of the SHA-256 of a value; `None` if values of its kind are not hashed.
pub(super) fn digits(value: Value<'_>) -> Option<[u8; 64]> {
    let hash = match value {
        Value::Str(text) => Sha256::digest(text.as_bytes()),
        Value::Bool(truth) => Sha256::digest([u8::from(truth)]),
        Value::Int(number) => Sha256::digest(number.to_le_bytes()),
        Value::Double(number) => Sha256::digest(number.to_bits().to_le_bytes()),
        _ => return None,
    };
    let mut digits = [0; 64];
    for (digits, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
        *digits = [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
    }
    Some(digits)
}
