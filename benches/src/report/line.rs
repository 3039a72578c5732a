//! A row in one line of text.

use std::fmt::Write;

use crate::harness::Row;

/// A row for a person: name, figures, verdict.
#[must_use]
pub fn line(row: &Row) -> String {
    let mut text = format!("{:10} {:44} {:>12} {:10}", row.suite, row.name, figure(row.ours), row.unit);
    if let (Some(name), Some(peer)) = (&row.peer_name, row.peer) {
        // Writing to a string cannot fail.
        let _ = write!(text, " {name}: {}", figure(peer));
    }
    if let Some(ratio) = row.ratio {
        let _ = write!(text, ", ratio {ratio}");
    }
    if let (Some(bar), Some(holds)) = (&row.bar, row.holds) {
        let _ = write!(text, ", {bar} {}", if holds { "holds" } else { "MISSED" });
    }
    text
}

/// A figure with separators between thousands: the rows run from 0.3 to 2000000.
#[must_use]
pub(super) fn figure(value: f64) -> String {
    if value.abs() < 10_000.0 {
        return value.to_string();
    }
    let digits = format!("{:.0}", value.abs());
    let mut grouped = String::from(if value < 0.0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the grouping.
    #[test]
    fn figures_are_grouped() {
        assert_eq!(figure(0.25), "0.25");
        assert_eq!(figure(9999.0), "9999");
        assert_eq!(figure(161_000.0), "161,000");
        assert_eq!(figure(-1_234_567.0), "-1,234,567");
    }
}
