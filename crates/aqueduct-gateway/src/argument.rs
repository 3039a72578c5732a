//! Parsers of command-line values.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::duration;

/// A whole number within a range.
pub(crate) fn count(
    range: RangeInclusive<usize>,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.replace('_', "").parse().map_err(|_| "expected a whole number".to_owned())?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(format!("expected {} to {}", range.start(), range.end()))
        }
    }
}

/// A number above zero.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match text.replace('_', "").parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e9 => Ok(number),
        _ => Err("expected a number above 0".to_owned()),
    }
}

/// A share between none and all.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to 1".to_owned()),
    }
}

/// The longest duration on a command line.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A duration as in a configuration file: `200ms`, `5s`, `1m30s`; at most a day.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(value) if value <= DAY => Ok(value),
        Ok(_) => Err("expected a duration from 0 to 24h".to_owned()),
        Err(why) => Err(format!("expected {}; {why}", duration::EXPECTED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the units and the refusal of what would overflow a clock or divide by zero.
    #[test]
    fn values() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for bad in ["5", "", "s", "-1s", "25h", "1 fortnight", "NaNs", "infs"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(positive("50_000"), Ok(50_000.0));
        assert!(positive("0").is_err() && positive("nan").is_err() && positive("inf").is_err());
        assert_eq!(share("0.2"), Ok(0.2));
        assert!(share("1.1").is_err());
        assert!(count(1..=4)("0").is_err());
        assert_eq!(count(1..=4)("4"), Ok(4));
    }
}
