//! 56 bits as 14 hexadecimal digits.

use std::fmt;

/// Digits of 56 bits.
pub(crate) const DIGITS: u32 = 14;

/// Digits on the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    digits: [u8; DIGITS as usize],
    length: u8,
}

impl Text {
    pub(crate) fn whole(value: u64) -> Text {
        Text { digits: spread(value), length: DIGITS as u8 }
    }

    /// Without the zeros at the end, but for the first digit.
    pub(crate) fn trimmed(value: u64) -> Text {
        let zeros = (value.trailing_zeros() / 4).min(DIGITS - 1);
        Text { digits: spread(value), length: (DIGITS - zeros) as u8 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits[..usize::from(self.length)]
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        // Digits only, so this cannot fail.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_ref())
    }
}

/// All 14 digits at once: each half of the value is spread to one digit in each byte, and the bytes become letters in parallel.
fn spread(value: u64) -> [u8; DIGITS as usize] {
    let (high, low) = (letters((value >> 28) as u32), letters(value as u32 & 0x0fff_ffff));
    let mut digits = [0; DIGITS as usize];
    digits[..7].copy_from_slice(&high.to_be_bytes()[1..]);
    digits[7..].copy_from_slice(&low.to_be_bytes()[1..]);
    digits
}

/// A digit's letter in each byte.
fn letters(value: u32) -> u64 {
    let mut spread = u64::from(value);
    spread = (spread | (spread << 16)) & 0x0000_ffff_0000_ffff;
    spread = (spread | (spread << 8)) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | (spread << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    // One in each byte that holds 10 or more.
    let above_nine = ((spread + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    spread + 0x3030_3030_3030_3030 + above_nine * u64::from(b'a' - b'0' - 10)
}

/// Up to 14 lower-case digits, padded with zeros at the end. `None` if there is anything else.
pub(crate) fn parse(text: &str) -> Option<u64> {
    if text.len() > DIGITS as usize {
        return None;
    }
    let mut value = 0;
    for byte in text.bytes() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(digit);
    }
    Some(value << (4 * (DIGITS as usize - text.len())))
}
