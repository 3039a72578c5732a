//! Bars: the conditions that rows are held against.

use std::fmt;
use std::str::FromStr;

/// What a bar compares: our own figure, or its ratio to the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Our figure, in the row's unit.
    Ours,
    /// Our figure divided by the peer's.
    Ratio,
}

/// The direction of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
}

/// One condition, written `ratio<=0.5` or `ours>=50000`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// What is compared.
    pub subject: Subject,
    /// In which direction.
    pub comparison: Comparison,
    /// The number it is held against.
    pub limit: f64,
}

impl Bar {
    /// Whether the condition holds; `None` where it asks for a ratio and there is none.
    #[must_use]
    pub fn holds(&self, ours: f64, ratio: Option<f64>) -> Option<bool> {
        let value = match self.subject {
            Subject::Ours => ours,
            Subject::Ratio => ratio?,
        };
        Some(match self.comparison {
            Comparison::AtMost => value <= self.limit,
            Comparison::AtLeast => value >= self.limit,
        })
    }
}

/// The text is no bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseBarError(String);

impl fmt::Display for ParseBarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a bar such as `ratio<=0.5` or `ours>=100`", self.0)
    }
}

impl std::error::Error for ParseBarError {}

impl FromStr for Bar {
    type Err = ParseBarError;

    fn from_str(text: &str) -> Result<Bar, ParseBarError> {
        let error = || ParseBarError(text.to_owned());
        let (subject, comparison, limit) = match (text.split_once("<="), text.split_once(">=")) {
            (Some((subject, limit)), None) => (subject, Comparison::AtMost, limit),
            (None, Some((subject, limit))) => (subject, Comparison::AtLeast, limit),
            _ => return Err(error()),
        };
        let subject = match subject {
            "ours" => Subject::Ours,
            "ratio" => Subject::Ratio,
            _ => return Err(error()),
        };
        let limit: f64 = limit.parse().map_err(|_| error())?;
        if limit.is_finite() { Ok(Bar { subject, comparison, limit }) } else { Err(error()) }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match self.subject {
            Subject::Ours => "ours",
            Subject::Ratio => "ratio",
        };
        let comparison = match self.comparison {
            Comparison::AtMost => "<=",
            Comparison::AtLeast => ">=",
        };
        write!(f, "{subject}{comparison}{}", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the syntax that issues and the JSON output use.
    #[test]
    fn bars_are_read_and_written() {
        for text in ["ratio<=0.5", "ours<=1.5", "ours>=50000"] {
            assert_eq!(text.parse::<Bar>().unwrap().to_string(), text);
        }
        for text in
            ["", "ratio<0.5", "theirs<=1", "ours<=", "ours<=x", "ours<=inf", "1<=ours<=2", "ours>=1<=2"]
        {
            assert!(text.parse::<Bar>().is_err(), "{text}");
        }
    }

    /// Guards the direction of each comparison, and that equality holds.
    #[test]
    fn bars_compare() {
        let at_most: Bar = "ratio<=0.5".parse().unwrap();
        assert_eq!(at_most.holds(9.0, Some(0.5)), Some(true));
        assert_eq!(at_most.holds(0.1, Some(0.51)), Some(false));
        assert_eq!(at_most.holds(0.1, None), None);
        let at_least: Bar = "ours>=10".parse().unwrap();
        assert_eq!(at_least.holds(10.0, None), Some(true));
        assert_eq!(at_least.holds(9.9, Some(99.0)), Some(false));
        assert_eq!(at_least.holds(f64::NAN, None), Some(false));
    }
}
