//! The value of `grpc-timeout`: at most eight digits and a unit.

use core::time::Duration;

/// Largest number that eight digits hold.
const MAX: u128 = 99_999_999;

/// Reads `grpc-timeout`, such as `5S` or `250m`; `None` if it is not one.
#[must_use]
pub fn parse_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Writes `grpc-timeout` in the finest unit that holds it in eight digits, rounded up, so that the peer
/// never gives up earlier than we do. More than 99,999,999 hours become so many.
#[must_use]
pub fn format_timeout(timeout: Duration) -> String {
    let nanos = timeout.as_nanos();
    let units: [(u128, char); 6] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
        (3_600_000_000_000, 'H'),
    ];
    for (unit, letter) in units {
        let number = nanos.div_ceil(unit);
        if number <= MAX {
            return format!("{number}{letter}");
        }
    }
    format!("{MAX}H")
}
