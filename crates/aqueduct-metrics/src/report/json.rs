//! The report as JSON, written by hand: strings, numbers, objects and lists.
//!
//! Source: RFC 8259.

use std::fmt::Write;

use super::{Histogram, OutcomeCounts, QUANTILES, Report, Value};
use crate::{LeakReport, Profile, Resources, Trend};

pub(super) fn write(report: &Report) -> String {
    let mut out = String::new();
    object(&mut out, |out| {
        field(out, "seconds", |out| float(out, report.snapshot.elapsed().as_secs_f64()));
        field(out, "series", |out| {
            list(out, report.snapshot.series(), |out, series| {
                object(out, |out| {
                    field(out, "name", |out| string(out, series.desc.name));
                    field(out, "unit", |out| string(out, series.desc.unit));
                    field(out, "attributes", |out| {
                        object(out, |out| {
                            for (name, label) in series.attributes() {
                                field(out, name, |out| string(out, label));
                            }
                        });
                    });
                    match &series.value {
                        Value::Counter(count) => {
                            field(out, "count", |out| integer(out, *count));
                            field(out, "per_second", |out| float(out, report.rate(*count)));
                        }
                        Value::Gauge(value) => field(out, "value", |out| float(out, *value)),
                        Value::Histogram(histogram) => {
                            field(out, "per_second", |out| float(out, report.rate(histogram.count())));
                            distribution(out, histogram, series.scale());
                        }
                        Value::Outcomes(outcomes) => counts(out, outcomes),
                    }
                });
            });
        });
        if let Some(used) = &report.resources {
            field(out, "resources", |out| resources(out, used));
        }
        if let Some(found) = &report.leaks {
            field(out, "leaks", |out| leaks(out, found));
        }
        if let Some(profile) = &report.profile {
            field(out, "profile", |out| sections(out, profile));
        }
    });
    out
}

fn distribution(out: &mut String, histogram: &Histogram, scale: f64) {
    field(out, "count", |out| integer(out, histogram.count()));
    let mut value = |name, value: f64| field(out, name, |out| float(out, value * scale));
    value("sum", histogram.sum() as f64);
    value("mean", histogram.mean());
    value("min", histogram.min() as f64);
    for (name, q) in QUANTILES {
        value(name, histogram.quantile(q) as f64);
    }
    value("max", histogram.max() as f64);
}

fn counts(out: &mut String, outcomes: &OutcomeCounts) {
    field(out, "successes", |out| integer(out, outcomes.successes));
    field(out, "errors", |out| integer(out, outcomes.errors()));
    field(out, "success_rate", |out| match outcomes.success_rate() {
        Some(rate) => float(out, rate),
        None => out.push_str("null"),
    });
    field(out, "errors_by_kind", |out| {
        object(out, |out| {
            for (kind, count) in &outcomes.by_kind {
                field(out, kind, |out| integer(out, *count));
            }
        });
    });
}

fn resources(out: &mut String, used: &Resources) {
    object(out, |out| {
        field(out, "cpu_seconds", |out| float(out, used.cpu.as_secs_f64()));
        field(out, "cpu_share", |out| float(out, used.cpu_share));
        field(out, "resident_memory_bytes", |out| integer(out, used.rss_bytes));
        field(out, "peak_resident_memory_bytes", |out| integer(out, used.peak_rss_bytes));
        field(out, "open_fds", |out| integer(out, used.open_fds));
        field(out, "threads", |out| integer(out, used.threads));
    });
}

fn leaks(out: &mut String, leaks: &LeakReport) {
    object(out, |out| {
        for (name, trend) in [("memory", leaks.memory), ("checked_out", leaks.checked_out)] {
            let Trend { verdict, per_minute, order, minutes, first, last } = trend;
            field(out, name, |out| {
                object(out, |out| {
                    field(out, "verdict", |out| string(out, verdict.as_str()));
                    field(out, "per_minute", |out| float(out, per_minute));
                    field(out, "order", |out| float(out, order));
                    field(out, "minutes", |out| float(out, minutes));
                    field(out, "first", |out| integer(out, first));
                    field(out, "last", |out| integer(out, last));
                });
            });
        }
    });
}

fn sections(out: &mut String, profile: &Profile) {
    list(out, &profile.sections(), |out, section| {
        object(out, |out| {
            field(out, "name", |out| string(out, section.name));
            field(out, "count", |out| integer(out, section.count));
            field(out, "own_seconds", |out| float(out, section.own.as_secs_f64()));
            field(out, "total_seconds", |out| float(out, section.total.as_secs_f64()));
            field(out, "longest_seconds", |out| float(out, section.longest.as_secs_f64()));
        });
    });
}

fn object(out: &mut String, fields: impl FnOnce(&mut String)) {
    out.push('{');
    fields(out);
    out.push('}');
}

/// A comma before it, unless it is the first of its object.
fn field(out: &mut String, name: &str, value: impl FnOnce(&mut String)) {
    if !out.ends_with('{') {
        out.push(',');
    }
    string(out, name);
    out.push(':');
    value(out);
}

fn list<T>(out: &mut String, items: &[T], mut item: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (index, each) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        item(out, each);
    }
    out.push(']');
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // The two line separators are allowed in JSON and not in older JavaScript.
            c if c < ' ' || matches!(c, '\u{7f}' | '\u{2028}' | '\u{2029}') => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn integer(out: &mut String, value: u64) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

fn float(out: &mut String, value: f64) {
    if value.is_finite() {
        // The shortest form that is read back as the same number; `e` is the notation of JSON as well.
        let _ = write!(out, "{value:?}");
    } else {
        out.push_str("null");
    }
}
