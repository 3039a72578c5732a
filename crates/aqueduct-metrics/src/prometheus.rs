//! The Prometheus text exposition format 0.0.4, written by hand: it is a dozen rules.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::fmt::{self, Write};

use crate::{Exposition, Number, Sample, SampleValue};

impl Exposition {
    /// The value of the `Content-Type` header that goes with the text.
    pub const PROMETHEUS_CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// All metrics in the Prometheus text format 0.0.4. A family without samples comes out as its `HELP` and `TYPE` alone. Label values are escaped;
    /// characters that a label name cannot have become `_`. Histograms get a bucket `+Inf`.
    pub fn prometheus_text(&self) -> String {
        let mut text = String::with_capacity(1 << 14);
        for (desc, samples) in self.families() {
            text.extend(["# HELP ", desc.name, " "]);
            for c in desc.help.chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    '\n' => text.push_str("\\n"),
                    c => text.push(c),
                }
            }
            text.extend(["\n# TYPE ", desc.name, " ", desc.kind.as_str(), "\n"]);
            samples.iter().for_each(|sample| write_sample(&mut text, desc.name, sample));
        }
        text
    }
}

fn write_sample(text: &mut String, name: &str, sample: &Sample) {
    let mut line = |suffix, le, value| write_line(text, [name, suffix], &sample.labels, le, value);
    let mut buckets = |buckets: &mut dyn Iterator<Item = (f64, u64)>, count, sum| {
        for (bound, up_to) in buckets {
            line("_bucket", Some(Number::Float(bound)), Number::Integer(up_to));
        }
        line("_bucket", Some(Number::Float(f64::INFINITY)), Number::Integer(count));
        line("_sum", None, Number::Float(sum));
        line("_count", None, Number::Integer(count));
    };
    match &sample.value {
        SampleValue::Number(value) => line("", None, *value),
        SampleValue::Histogram { buckets: all, count, sum } => {
            buckets(&mut all.iter().copied(), *count, *sum)
        }
        SampleValue::Distribution { histogram, scale, bounds } => {
            // The cast saturates, and makes zero of what is no number.
            let up_to = |bound: f64| histogram.count_up_to((bound / scale).round() as u64);
            let mut all = bounds.iter().map(|bound| (*bound, up_to(*bound)));
            buckets(&mut all, histogram.count(), histogram.sum() as f64 * scale);
        }
    }
}

fn write_line(
    text: &mut String,
    name: [&str; 2],
    labels: &[(String, String)],
    le: Option<Number>,
    value: Number,
) {
    text.extend(name);
    let mut separator = '{';
    for (label, value) in labels {
        text.push(separator);
        separator = ',';
        text.extend(label.bytes().enumerate().map(|(index, byte)| match byte {
            b'0'..=b'9' if index > 0 => char::from(byte),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => char::from(byte),
            _ => '_',
        }));
        text.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    if let Some(le) = le {
        text.push(separator);
        separator = ',';
        // Writing to a `String` cannot fail.
        let _ = write!(text, "le=\"{le}\"");
    }
    if separator == ',' {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
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
