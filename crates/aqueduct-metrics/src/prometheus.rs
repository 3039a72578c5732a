//! The Prometheus text exposition format 0.0.4, written by hand: it is a dozen rules.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::{Desc, LatencyHistogram};

/// A writer of the Prometheus text format 0.0.4.
///
/// Samples are written through the [`Family`] they belong to. A family may be opened again later: its
/// samples still come out as one group under one `HELP` and one `TYPE`, as the format demands.
///
/// # Examples
///
/// ```
/// use aqueduct_metrics::{Desc, PrometheusText};
///
/// const REQUESTS: Desc =
///     Desc::counter("shop_requests_total", "{request}", "Requests answered.").with_attributes(&["code"]);
///
/// let mut text = PrometheusText::new();
/// text.family(&REQUESTS).sample(&[("code", "200")], 17_u64).sample(&[("code", "503")], 1_u64);
/// assert_eq!(
///     text.finish(),
///     "# HELP shop_requests_total Requests answered.\n\
///      ## TYPE shop_requests_total counter\n\
///      shop_requests_total{code=\"200\"} 17\n\
///      shop_requests_total{code=\"503\"} 1\n"
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct PrometheusText {
    groups: Vec<Group>,
}

/// All lines of one family.
#[derive(Clone, Debug)]
struct Group {
    name: &'static str,
    lines: String,
}

impl PrometheusText {
    /// The value of the `Content-Type` header that goes with the text.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the family of `desc`, for the first time or again. Families come out in the order in which they were first opened; one without
    /// samples comes out as its `HELP` and `TYPE` alone.
    pub fn family(&mut self, desc: &Desc) -> Family<'_> {
        let index = match self.groups.iter().position(|group| group.name == desc.name) {
            Some(index) => index,
            None => {
                let mut lines = String::with_capacity(256);
                lines.extend(["# HELP ", desc.name, " "]);
                for c in desc.help.chars() {
                    match c {
                        '\\' => lines.push_str("\\\\"),
                        '\n' => lines.push_str("\\n"),
                        c => lines.push(c),
                    }
                }
                lines.extend(["\n# TYPE ", desc.name, " ", desc.kind.as_str(), "\n"]);
                self.groups.push(Group { name: desc.name, lines });
                self.groups.len() - 1
            }
        };
        Family { group: &mut self.groups[index] }
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.groups.into_iter().map(|group| group.lines).collect()
    }
}

/// One family of a [`PrometheusText`], open for samples.
#[derive(Debug)]
pub struct Family<'a> {
    group: &'a mut Group,
}

impl Family<'_> {
    /// Writes one sample of a counter or gauge. Label values are escaped; characters that a label name cannot have become `_`.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) -> &mut Self {
        self.line("", labels, None, value.into());
        self
    }

    /// Writes one histogram from `buckets` of (upper bound, observations up to and including it) in rising order, the number of all observations, and their sum.
    ///
    /// The bucket `+Inf` is added from `count`. Where counters were read while they moved, a bucket below its predecessor or above `count` is
    /// brought into line, because a scraper takes a histogram that is not cumulative for a reset.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: &[(f64, u64)],
        count: u64,
        sum: f64,
    ) -> &mut Self {
        let mut below = 0;
        for &(bound, up_to) in buckets.iter().filter(|(bound, _)| bound.is_finite()) {
            below = up_to.clamp(below, count.max(below));
            self.line("_bucket", labels, Some(Number::Float(bound)), Number::Integer(below));
        }
        self.line("_bucket", labels, Some(Number::Float(f64::INFINITY)), Number::Integer(count));
        self.line("_sum", labels, None, Number::Float(sum));
        self.line("_count", labels, None, Number::Integer(count));
        self
    }

    /// Writes a [`LatencyHistogram`] in seconds, with these upper bounds.
    pub fn latency(
        &mut self,
        labels: &[(&str, &str)],
        histogram: &LatencyHistogram,
        bounds: &[Duration],
    ) -> &mut Self {
        let buckets: Vec<_> =
            bounds.iter().map(|bound| (bound.as_secs_f64(), histogram.count_up_to(*bound))).collect();
        self.histogram(labels, &buckets, histogram.len(), histogram.total().as_secs_f64())
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], le: Option<Number>, value: Number) {
        let Group { name, lines } = &mut *self.group;
        lines.push_str(name);
        lines.push_str(suffix);
        let mut separator = '{';
        for (label, text) in labels {
            lines.push(separator);
            separator = ',';
            lines.extend(label.bytes().enumerate().map(|(index, byte)| match byte {
                b'0'..=b'9' if index > 0 => char::from(byte),
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => char::from(byte),
                _ => '_',
            }));
            lines.push_str("=\"");
            for c in text.chars() {
                match c {
                    '\\' => lines.push_str("\\\\"),
                    '"' => lines.push_str("\\\""),
                    '\n' => lines.push_str("\\n"),
                    c => lines.push(c),
                }
            }
            lines.push('"');
        }
        if let Some(le) = le {
            lines.push(separator);
            separator = ',';
            // Writing to a `String` cannot fail.
            let _ = write!(lines, "le=\"{le}\"");
        }
        if separator == ',' {
            lines.push('}');
        }
        let _ = writeln!(lines, " {value}");
    }
}

/// A sample's value: an integer is written in full, where a float would round it past 2^53.
///
/// Complete: the format knows nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A float; infinities and NaN are allowed.
    Float(f64),
    /// An integer.
    Integer(u64),
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Number::Float(value)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Number::Integer(value)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Number::Integer(value) => write!(f, "{value}"),
            Number::Float(value) if value.is_nan() => f.write_str("NaN"),
            Number::Float(value) if value == f64::INFINITY => f.write_str("+Inf"),
            Number::Float(value) if value == f64::NEG_INFINITY => f.write_str("-Inf"),
            // Without an exponent `f64::MAX` would take 309 digits.
            Number::Float(value) if value != 0.0 && !(1e-6..1e17).contains(&value.abs()) => {
                write!(f, "{value:e}")
            }
            Number::Float(value) => write!(f, "{value}"),
        }
    }
}
