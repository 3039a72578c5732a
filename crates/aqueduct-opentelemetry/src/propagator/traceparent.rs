//! The header `traceparent`, to the letter.

/// Its fields. Ids are not zero in one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traceparent {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    pub(super) flags: u8,
}

/// `00-`, 32 digits, a dash, 16 digits, a dash, 2 digits.
const LENGTH: usize = 55;
const DASHES: [usize; 3] = [2, 35, 52];
/// The one version that no header may have.
const INVALID_VERSION: u128 = 0xff;

impl Traceparent {
    /// Reads version 00, and of later ones what is as in version 00.
    pub(super) fn parse(text: &str) -> Option<Traceparent> {
        let (header, rest) = text.as_bytes().split_first_chunk::<LENGTH>()?;
        if DASHES.iter().any(|at| header[*at] != b'-') {
            return None;
        }
        let version = value(&header[..2])?;
        let whole = rest.is_empty() || version != 0 && rest[0] == b'-';
        if version == INVALID_VERSION || !whole {
            return None;
        }
        let trace_id = value(&header[3..35])?;
        // 16 and 2 digits fit.
        let span_id = value(&header[36..52])? as u64;
        let flags = value(&header[53..])? as u8;
        (trace_id != 0 && span_id != 0).then_some(Traceparent { trace_id, span_id, flags })
    }

    /// In version 00.
    pub(super) fn to_text(self) -> String {
        let mut header = [b'-'; LENGTH];
        header[..2].copy_from_slice(b"00");
        put(&mut header[3..35], self.trace_id);
        put(&mut header[36..52], self.span_id.into());
        put(&mut header[53..], self.flags.into());
        // Digits and dashes only, so this cannot fail.
        std::str::from_utf8(&header).unwrap_or_default().to_owned()
    }
}

/// That of up to 32 lower-case hexadecimal digits; `None` if there is anything else.
fn value(digits: &[u8]) -> Option<u128> {
    let mut value = 0;
    for digit in digits {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u128::from(digit);
    }
    Some(value)
}

/// Writes as many digits as there is room for.
fn put(digits: &mut [u8], value: u128) {
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Traceparent = Traceparent {
        trace_id: 0x4bf92f35_77b34da6_a3ce929d_0e0e4736,
        span_id: 0x00f0_67aa_0ba9_02b7,
        flags: 0x03,
    };

    /// Guards the headers of the specification's own test suite, and the rules of its section 3.2.2.
    #[test]
    fn headers_are_read_to_the_letter() {
        for good in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-the-future",
            "fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-",
        ] {
            assert_eq!(Traceparent::parse(good), Some(READ), "{good}");
        }
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-the-future",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03.what-the-future",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            "0A-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-03",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-03",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-03",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-03",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-03",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_03",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            "00-4bf92f3577b34da6a3ce929d0e0e47-36-0f067aa0ba902b7-03",
        ] {
            assert_eq!(Traceparent::parse(bad), None, "{bad}");
        }
    }
}
