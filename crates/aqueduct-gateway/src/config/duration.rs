//! Durations in the syntax of Go's `time.ParseDuration`, which the collector's files use: `200ms`, `1m30s`, `1.5s`.

use std::time::Duration;

/// The longest duration a setting may have, a year: far beyond use, and safe to add to any clock.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What is expected where [`parse`] fails.
pub(crate) const EXPECTED: &str = "a duration with a unit, such as 200ms, 5s or 1m30s";

/// Parses a duration of zero or more.
///
/// # Errors
/// A phrase that completes "expected a duration ...; ": why this text is none.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.starts_with('-') {
        return Err("a negative duration has no meaning here".to_owned());
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(format!("the unit is missing: write {rest}s for seconds or {rest}ms for milliseconds"));
    }
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (digits, after) = rest.split_at(number);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let scale: u128 = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => return Err(format!("the unit after {digits} is missing")),
            other => return Err(format!("`{other}` is no unit (there are ns, us, ms, s, m, h)")),
        };
        nanos = scaled(digits, scale)
            .and_then(|part| nanos.checked_add(part))
            .ok_or_else(|| format!("`{digits}` is no number"))?;
        if nanos > LONGEST.as_nanos() {
            return Err("it is longer than a year (8760h)".to_owned());
        }
        rest = after;
    }
    let nanos = u64::try_from(nanos).map_err(|_| "it is longer than a year (8760h)".to_owned())?;
    Ok(Duration::from_nanos(nanos))
}

/// `digits` (with at most one point) times `scale`, cut to whole nanoseconds.
fn scaled(digits: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // Digits past the eighteenth are below a nanosecond in every unit.
    let fraction = fraction.get(..18).unwrap_or(fraction);
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // The whole part saturates: the caller's upper limit then refuses it with the better message.
    let whole =
        if whole.is_empty() { 0 } else { whole.parse::<u64>().map_or(u128::from(u64::MAX), u128::from) };
    let part = match fraction {
        "" => 0,
        digits => digits.parse::<u128>().ok()? * scale / 10u128.pow(u32::try_from(digits.len()).ok()?),
    };
    Some(whole * scale + part)
}

/// The shortest exact text for a duration, as [`parse`] reads it: `1m30s`, `200ms`, `1.5s`.
pub(crate) fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < 1_000_000 {
        return format!("{}us", nanos as f64 / 1e3);
    }
    if nanos < 1_000_000_000 {
        return format!("{}ms", nanos as f64 / 1e6);
    }
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    let seconds = (nanos % 60_000_000_000) as f64 / 1e9;
    let mut text = String::new();
    if hours > 0 {
        text.push_str(&format!("{hours}h"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}m"));
    }
    if seconds > 0.0 {
        text.push_str(&format!("{seconds}s"));
    }
    text
}
