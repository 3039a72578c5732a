//! Strings as JSON writes them.

/// Appends `text`, which is UTF-8, in quotes and with the escapes that JSON demands.
pub(super) fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = find(rest) {
        out.extend_from_slice(&rest[..at]);
        write_escape(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// The first byte that must not stand in a string as it is, eight at a time.
#[inline]
fn find(text: &[u8]) -> Option<usize> {
    let Some(last) = text.last_chunk() else {
        return text.iter().position(|byte| matches!(byte, 0..b' ' | b'"' | b'\\'));
    };
    for (at, eight) in text.as_chunks().0.iter().enumerate() {
        let found = find_in(*eight);
        if found < 8 {
            return Some(8 * at + found);
        }
    }
    // The last eight overlap with those before, in which nothing was found.
    let found = find_in(*last);
    (found < 8).then_some(text.len() - 8 + found)
}

/// 8 if there is none.
#[inline]
fn find_in(eight: [u8; 8]) -> usize {
    const EACH: u64 = u64::MAX / 255;
    let word = u64::from_le_bytes(eight);
    // Subtracting borrows from the highest bit of each byte that is too small. A borrow may also come from the byte
    // before it, so that only the first find is sure.
    let below = |word: u64, limit: u8| word.wrapping_sub(EACH * u64::from(limit)) & !word;
    let equal = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    let found = (below(word, b' ') | equal(b'"') | equal(b'\\')) & (EACH << 7);
    (found.trailing_zeros() / 8) as usize
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            out.extend_from_slice(b"\\u00");
            return write_hex(out, &[byte]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends two digits for each byte.
pub(super) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 * bytes.len());
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// What was written, which is text if all strings in it are.
pub(super) fn into_string(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text.as_bytes());
        into_string(out)
    }

    /// Guards the words of eight bytes: every byte at every place is escaped as serde_json does it.
    #[test]
    fn every_byte_at_every_place() {
        for len in 0..20 {
            for at in 0..len {
                for byte in 0..0x80 {
                    let mut text = "é".repeat(len / 3) + &"a".repeat(len);
                    text.replace_range(len / 3 * 2 + at..=len / 3 * 2 + at, &char::from(byte).to_string());
                    // It writes two more escapes in the short way.
                    let theirs = serde_json::to_string(&text).unwrap();
                    let theirs = theirs.replace("\\b", "\\u0008").replace("\\f", "\\u000c");
                    assert_eq!(string(&text), theirs, "{byte} at {at} of {len}");
                }
            }
        }
        assert_eq!(string("\n\n\"\\\t\r\u{1}\u{7f}"), "\"\\n\\n\\\"\\\\\\t\\r\\u0001\u{7f}\"");
    }
}
