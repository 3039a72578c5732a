//! Base64 with the standard alphabet (RFC 4648 section 4): in gRPC's binary metadata, in OTLP/JSON, and in HTTP's basic credentials.
//!
//! ```
//! use aqueduct_wire::base64;
//!
//! assert_eq!(base64::encode(b"hello"), "aGVsbG8");
//! assert_eq!(base64::encode_padded(b"hello"), "aGVsbG8=");
//! for text in ["aGVsbG8", "aGVsbG8="] {
//!     assert_eq!(base64::decode(text.as_bytes()).as_deref(), Some(&b"hello"[..]));
//! }
//! assert_eq!(base64::decode(b"hello!"), None);
//! ```

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Value of each character; 0xff for what is none. The URL-safe `-` and `_` are read too, as proto3 JSON
/// asks for.
const VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut at = 0;
    while at < 64 {
        values[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

/// Without padding, as gRPC writes it.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

/// With padding, as proto3 JSON and HTTP write it.
#[must_use]
pub fn encode_padded(bytes: &[u8]) -> String {
    let mut text = encode(bytes);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Padded or not, with the standard or the URL-safe alphabet; `None` for any other character, or for a length that no encoder produces.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take(2).take_while(|&&byte| byte == b'=').count();
    if padding > 0 && !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = &text[..text.len() - padding];
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.chunks(4) {
        let mut word = 0_u32;
        for &digit in chunk {
            let value = VALUES[usize::from(digit)];
            if value == 0xff {
                return None;
            }
            word = word << 6 | u32::from(value);
        }
        word <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of RFC 4648 section 10, padded and not.
    #[test]
    fn vectors() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, padded) in vectors {
            let bare = padded.trim_end_matches('=');
            assert_eq!(encode(plain.as_bytes()), bare);
            assert_eq!(encode_padded(plain.as_bytes()), padded);
            assert_eq!(decode(bare.as_bytes()).unwrap(), plain.as_bytes());
            assert_eq!(decode(padded.as_bytes()).unwrap(), plain.as_bytes());
        }
        for wrong in ["Z", "Zg=", "Zg===", "Z g=", "====", "Zm9vY", "Zm9=Zm9="] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong}");
        }
    }

    /// Guards the last two characters of the alphabet, which differ between the two, and are read as either.
    #[test]
    fn both_alphabets_are_read() {
        assert_eq!(encode(&[0xFB, 0xFF]), "+/8");
        for text in [&b"+/8"[..], b"-_8", b"+_8="] {
            assert_eq!(decode(text), Some(vec![0xFB, 0xFF]));
        }
    }
}
