//! Sizes in bytes: a bare number, or a number with a binary unit.

/// What is expected where [`parse`] fails.
pub(crate) const EXPECTED: &str = "a size in bytes, or with a unit, such as 64MiB";

const UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A size and whether its unit was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    pub(crate) with_unit: bool,
}

/// Parses `67108864`, `64MiB`, `64 MiB`.
///
/// # Errors
/// A phrase that says why this text is no size.
pub(crate) fn parse(text: &str) -> Result<Size, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err("it does not start with a whole number".to_owned());
    }
    let unit = unit.trim_start_matches(' ');
    let scale = match unit {
        "" => 1,
        _ => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale).ok_or_else(
            || match unit {
                "K" | "k" | "KB" | "kB" | "kb" | "Ki" => "write KiB (1024 bytes)".to_owned(),
                "M" | "m" | "MB" | "mb" | "Mi" => "write MiB (1024 KiB)".to_owned(),
                "G" | "g" | "GB" | "gb" | "Gi" => "write GiB (1024 MiB)".to_owned(),
                other => format!("`{}` is no unit (there are B, KiB, MiB, GiB)", super::yaml::shorten(other)),
            },
        )?,
    };
    let bytes = number.parse::<u64>().ok().and_then(|n| n.checked_mul(scale));
    let bytes = bytes.ok_or_else(|| "it is too large".to_owned())?;
    Ok(Size { bytes, with_unit: !unit.is_empty() })
}

/// The size in the largest unit that keeps it whole.
pub(crate) fn format(bytes: u64) -> String {
    let (unit, scale) = UNITS
        .iter()
        .rev()
        .find(|(_, scale)| bytes >= *scale && bytes.is_multiple_of(*scale))
        .unwrap_or(&UNITS[0]);
    format!("{} {unit}", bytes / scale)
}
