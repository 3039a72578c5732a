//! The report as tables for people.

use std::fmt::{self, Display};
use std::time::Duration;

use super::{Histogram, OutcomeCounts, QUANTILES, Report, Value};
use crate::Section;
use crate::snapshot::Series;

/// Tables of counts, distributions, outcomes, and what else there is, each where there are any.
impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "over {:.1} s", self.snapshot.elapsed().as_secs_f64())?;
        let series = self.snapshot.series();
        let counts = series.iter().filter_map(|series| match &series.value {
            Value::Counter(count) => Some(vec![
                name(series),
                count.to_string(),
                number(self.rate(*count)),
                series.desc.unit.to_owned(),
            ]),
            Value::Gauge(value) => {
                Some(vec![name(series), number(*value), String::new(), series.desc.unit.to_owned()])
            }
            _ => None,
        });
        table(f, &["value", "now", "per s", "unit"], counts.collect())?;

        let histograms = series.iter().filter_map(|series| match &series.value {
            Value::Histogram(histogram) => Some(self.distribution(series, histogram)),
            _ => None,
        });
        let quantiles = QUANTILES.map(|(name, _)| name);
        let header =
            [&["distribution", "count", "per s", "mean", "min"], &quantiles[..], &["max", "unit"]].concat();
        table(f, &header, histograms.collect())?;

        let outcomes = series.iter().filter_map(|series| match &series.value {
            Value::Outcomes(outcomes) => Some(outcome(series, outcomes)),
            _ => None,
        });
        table(f, &["outcomes", "successes", "errors", "success rate", "by kind"], outcomes.collect())?;

        if let Some(used) = &self.resources {
            let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
            let rows = [
                ("cpu", format!("{:.1} %", used.cpu_share * 100.0)),
                ("memory", mib(used.rss_bytes)),
                ("peak memory", mib(used.peak_rss_bytes)),
                ("open files", used.open_fds.to_string()),
                ("threads", used.threads.to_string()),
            ];
            table(f, &["resource", "used"], rows.map(|(name, used)| vec![name.to_owned(), used]).into())?;
        }
        if let Some(leaks) = &self.leaks {
            writeln!(f, "\n{leaks}")?;
        }
        let Some(profile) = &self.profile else { return Ok(()) };
        let sections = profile.sections().into_iter().map(|section| {
            let millis = |time: Duration| number(time.as_secs_f64() * 1e3);
            let Section { name, count, own, total, longest, .. } = section;
            vec![name.to_owned(), count.to_string(), millis(own), millis(total), millis(longest)]
        });
        table(f, &["section", "count", "own ms", "total ms", "longest ms"], sections.collect())
    }
}

impl Report {
    fn distribution(&self, series: &Series, histogram: &Histogram) -> Vec<String> {
        let value = |value: f64| number(value * series.scale());
        let mut row = vec![
            name(series),
            histogram.count().to_string(),
            number(self.rate(histogram.count())),
            value(histogram.mean()),
            value(histogram.min() as f64),
        ];
        row.extend(QUANTILES.map(|(_, q)| value(histogram.quantile(q) as f64)));
        row.extend([value(histogram.max() as f64), series.desc.unit.to_owned()]);
        row
    }
}

fn outcome(series: &Series, outcomes: &OutcomeCounts) -> Vec<String> {
    let kinds: Vec<_> =
        outcomes.by_kind.iter().map(|(kind, count)| format!("{} {count}", plain(kind))).collect();
    vec![
        name(series),
        outcomes.successes.to_string(),
        outcomes.errors().to_string(),
        outcomes.success_rate().map_or_else(String::new, |rate| format!("{:.2} %", rate * 100.0)),
        kinds.join(", "),
    ]
}

/// With its labels.
fn name(series: &Series) -> String {
    let labels: Vec<_> =
        series.attributes().map(|(name, value)| format!("{name}={}", plain(value))).collect();
    if labels.is_empty() {
        series.desc.name.to_owned()
    } else {
        format!("{}{{{}}}", series.desc.name, labels.join(","))
    }
}

/// Without characters that would break a table or do something to a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// With some four digits that matter.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1000.0..1e12).contains(&size) {
        format!("{value:.0}")
    } else if (1.0..1000.0).contains(&size) {
        format!("{value:.2}")
    } else if (1e-4..1.0).contains(&size) {
        format!("{value:.6}")
    } else {
        format!("{value:.3e}")
    }
}

/// The first column to the left, the others to the right; nothing without rows.
fn table(f: &mut fmt::Formatter<'_>, header: &[&str], rows: Vec<Vec<String>>) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let header: Vec<_> = header.iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    writeln!(f)?;
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line += &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
