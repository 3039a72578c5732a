//! What a request asks for: `?seconds=&hz=&format=`.

use std::fmt;
use std::ops::RangeInclusive;

/// Go's default; long enough for a steady picture.
const SECONDS: u32 = 30;
const SECONDS_ALLOWED: RangeInclusive<u32> = 1..=300;
/// Go's default; costs next to nothing.
const HZ: u32 = 100;
const HZ_ALLOWED: RangeInclusive<u32> = 1..=1_000;

/// How the profile is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `profile.proto`, for `go tool pprof` and others.
    Pprof,
    /// An SVG.
    Flamegraph,
    /// The functions that take the most, as text.
    Top,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) seconds: u32,
    pub(super) hz: u32,
    pub(super) format: Format,
}

/// What is wrong with a query, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParameterError {
    Unknown { name: String },
    Twice { name: String },
    Number { name: &'static str, value: String, allowed: RangeInclusive<u32> },
    Format { value: String },
}

impl std::error::Error for ParameterError {}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                write!(f, "there is no parameter {name:?}; there are seconds, hz and format")
            }
            Self::Twice { name } => write!(f, "{name} is there twice; leave one"),
            Self::Number { name, value, allowed } => {
                write!(
                    f,
                    "{name}={value}: write a whole number from {} to {}",
                    allowed.start(),
                    allowed.end()
                )
            }
            Self::Format { value } => write!(f, "format={value}: write pprof, flamegraph or top"),
        }
    }
}

impl Parameters {
    /// Reads the part of an address behind the question mark.
    pub(super) fn read(query: &str) -> Result<Self, ParameterError> {
        let mut read = Self { seconds: SECONDS, hz: HZ, format: Format::Pprof };
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            // Names and values that are right need no escapes, so none are read.
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if seen.contains(&name) {
                return Err(ParameterError::Twice { name: name.to_owned() });
            }
            seen.push(name);
            match name {
                "seconds" => read.seconds = number("seconds", value, SECONDS_ALLOWED)?,
                "hz" => read.hz = number("hz", value, HZ_ALLOWED)?,
                "format" => {
                    read.format = match value {
                        "pprof" => Format::Pprof,
                        "flamegraph" => Format::Flamegraph,
                        "top" => Format::Top,
                        _ => return Err(ParameterError::Format { value: value.to_owned() }),
                    }
                }
                _ => return Err(ParameterError::Unknown { name: name.to_owned() }),
            }
        }
        Ok(read)
    }
}

fn number(name: &'static str, value: &str, allowed: RangeInclusive<u32>) -> Result<u32, ParameterError> {
    // The standard library reads a sign as well.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| digits && allowed.contains(number));
    number.ok_or_else(|| ParameterError::Number { name, value: value.to_owned(), allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the defaults, which are those of Go's endpoint, and each parameter at the ends of what it may be.
    #[test]
    fn what_is_right_is_read() {
        let read = |query| Parameters::read(query).expect("it is right");
        assert_eq!(read(""), Parameters { seconds: 30, hz: 100, format: Format::Pprof });
        assert_eq!(
            read("seconds=1&hz=1000&format=top"),
            Parameters { seconds: 1, hz: 1000, format: Format::Top }
        );
        assert_eq!(
            read("format=flamegraph&hz=1&seconds=300&"),
            Parameters { seconds: 300, hz: 1, format: Format::Flamegraph }
        );
        assert_eq!(read("format=pprof").format, Format::Pprof);
    }

    /// Guards that nothing wrong is taken for a default, and that the text says what to write.
    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |query: &str| Parameters::read(query).expect_err("it is wrong").to_string();
        for value in ["0", "301", "-1", "+1", "1.5", "", "30s", "99999999999999"] {
            let expected = format!("seconds={value}: write a whole number from 1 to 300");
            assert_eq!(wrong(&format!("seconds={value}")), expected);
        }
        assert_eq!(wrong("hz=1001"), "hz=1001: write a whole number from 1 to 1000");
        assert_eq!(wrong("hz=0"), "hz=0: write a whole number from 1 to 1000");
        assert_eq!(wrong("hz"), "hz=: write a whole number from 1 to 1000");
        assert_eq!(wrong("format=svg"), "format=svg: write pprof, flamegraph or top");
        assert_eq!(wrong("second=1"), "there is no parameter \"second\"; there are seconds, hz and format");
        assert_eq!(wrong("hz=1&hz=2"), "hz is there twice; leave one");
    }
}
