//! The gRPC framing against known bytes and hostile ones.

use super::*;
use crate::rpc::Code;
use core::time::Duration;

/// Guards the layout of the prefix, and that a flag of the future is refused rather than misread.
#[test]
fn prefix_round_trip() {
    for (len, compressed) in [(0, false), (1, true), (0x0102_0304, false), (u32::MAX, true)] {
        let bytes = prefix(len, compressed);
        assert_eq!(Prefix::parse(&bytes), Ok(Prefix { compressed, len }));
    }
    assert_eq!(prefix(0x0102_0304, true), [1, 1, 2, 3, 4]);
    let error = Prefix::parse(&[2, 0, 0, 0, 0]).unwrap_err();
    assert_eq!(error.flag(), 2);
}

/// Guards the escape rules: percent, control characters and everything beyond ASCII.
#[test]
fn messages() {
    assert_eq!(encode_message("50% of\nspäns"), "50%25 of%0Asp%C3%A4ns");
    for text in ["", "plain", "50% of\nspäns", "\u{1F600}\0\u{7f}", "%%41"] {
        assert_eq!(decode_message(encode_message(text).as_bytes()), text);
    }
    assert_eq!(decode_message(b"%e4%"), "\u{fffd}%");
    assert_eq!(decode_message(b"%4g %zz 100%"), "%4g %zz 100%");
}

/// Guards the details trailer against both paddings.
#[test]
fn details() {
    let status = Status::new(Code::Unavailable, "busy").with_retry_delay(Duration::from_millis(1500));
    let text = encode_details(&status);
    assert!(!text.contains('='));
    assert_eq!(decode_details(text.as_bytes()), Some(status.clone()));
    let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    assert_eq!(decode_details(padded.as_bytes()), Some(status));
    assert_eq!(decode_details(b"!"), None);
}

/// Guards units, the eight digits, and rounding up.
#[test]
fn timeouts() {
    assert_eq!(parse_timeout(b"5S"), Some(Duration::from_secs(5)));
    assert_eq!(parse_timeout(b"99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
    assert_eq!(parse_timeout(b"250m"), Some(Duration::from_millis(250)));
    for wrong in ["", "S", "123456789n", "-1S", "1s", "1 S", "1.5S"] {
        assert_eq!(parse_timeout(wrong.as_bytes()), None, "{wrong}");
    }
    assert_eq!(format_timeout(Duration::from_secs(5)), "5000000u");
    assert_eq!(format_timeout(Duration::ZERO), "0n");
    assert_eq!(format_timeout(Duration::MAX), "99999999H");
    for timeout in
        [Duration::from_nanos(1), Duration::from_nanos(123_456_789), Duration::from_secs(86_400 * 400)]
    {
        let back = parse_timeout(format_timeout(timeout).as_bytes()).unwrap();
        assert!(
            back >= timeout && back < timeout + timeout / 1000 + Duration::from_micros(1),
            "{timeout:?} {back:?}"
        );
    }
}
