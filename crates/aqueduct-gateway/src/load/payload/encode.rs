//! A protobuf writer, just large enough for the generator's requests, that remembers where the fields to patch ended up.

/// Writes messages back to front-free: nested messages are written into their own buffer and appended with their length.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(super) fn uint(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field) << 3);
        self.varint(value);
    }

    /// Writes a 64-bit field and returns where its eight bytes are.
    pub(super) fn fixed64(&mut self, field: u32, value: u64) -> usize {
        self.varint(u64::from(field) << 3 | 1);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self.bytes.len() - 8
    }

    pub(super) fn fixed32(&mut self, field: u32, value: u32) {
        self.varint(u64::from(field) << 3 | 5);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a length-delimited field and returns where its content begins.
    pub(super) fn field(&mut self, field: u32, content: &[u8]) -> usize {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(content.len() as u64);
        self.bytes.extend_from_slice(content);
        self.bytes.len() - content.len()
    }

    pub(super) fn text(&mut self, field: u32, content: &str) {
        self.field(field, content.as_bytes());
    }

    /// Writes a nested message and returns where its content begins, so that positions within it can be translated.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Writer)) -> usize {
        let mut inner = Writer::default();
        write(&mut inner);
        self.field(field, &inner.bytes)
    }
}

/// A value of an attribute.
pub(super) enum Value {
    Text(String),
    Bool(bool),
    Int(i64),
    Double(f64),
}

const ANY_STRING: u32 = 1;
const ANY_BOOL: u32 = 2;
const ANY_INT: u32 = 3;
const ANY_DOUBLE: u32 = 4;

impl Writer {
    /// Writes an `AnyValue` in field `field`.
    pub(super) fn any(&mut self, field: u32, value: &Value) {
        self.message(field, |any| match value {
            Value::Text(text) => any.text(ANY_STRING, text),
            Value::Bool(flag) => any.uint(ANY_BOOL, u64::from(*flag)),
            Value::Int(number) => any.uint(ANY_INT, *number as u64),
            Value::Double(number) => {
                any.fixed64(ANY_DOUBLE, number.to_bits());
            }
        });
    }

    /// Writes a `KeyValue` in field `field`.
    pub(super) fn attribute(&mut self, field: u32, key: &str, value: &Value) {
        self.message(field, |pair| {
            pair.text(1, key);
            pair.any(2, value);
        });
    }
}
