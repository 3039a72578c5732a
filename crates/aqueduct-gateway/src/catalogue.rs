//! `aqueduct metrics`: every metric that the gateway publishes, from the tables that it is published by.
//!
//! docs/metrics.md, the alert rules and the dashboard are made from what this prints.

use std::process::ExitCode;

use aqueduct::metrics::Desc;
use clap::Args;
use serde::Serialize;

/// Arguments of `aqueduct metrics`.
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// The metrics of one part.
#[derive(Debug, Serialize)]
struct Part {
    part: &'static str,
    metrics: Vec<Metric>,
}

#[derive(Debug, Serialize)]
struct Metric {
    name: &'static str,
    kind: &'static str,
    unit: &'static str,
    attributes: &'static [&'static str],
    help: &'static str,
}

impl From<&Desc> for Metric {
    fn from(desc: &Desc) -> Self {
        Self {
            name: desc.name,
            kind: desc.kind.as_str(),
            unit: desc.unit,
            attributes: desc.attributes,
            help: desc.help,
        }
    }
}

/// Prints the list.
#[expect(clippy::print_stdout, reason = "the list is what the command is for")]
pub fn run(args: &MetricsArgs) -> ExitCode {
    let parts = parts();
    let text = if args.json {
        // Strings and lists of strings: there is nothing in it that JSON has no form for.
        serde_json::to_string_pretty(&parts).unwrap_or_default()
    } else {
        table(&parts)
    };
    println!("{}", text.trim_end());
    ExitCode::SUCCESS
}

/// In the order in which an item meets them.
fn parts() -> Vec<Part> {
    let part =
        |part, descs: &'static [Desc]| Part { part, metrics: descs.iter().map(Metric::from).collect() };
    vec![
        part("gateway", crate::run::METRICS),
        part("receiver", aqueduct::receiver::METRICS),
        part("pipeline", aqueduct::pipeline::METRICS),
        part("ledger and process", aqueduct::metrics::METRICS),
        part("transport", aqueduct::transport::METRICS),
        part("tuner", crate::run::TUNER_METRICS),
    ]
}

fn table(parts: &[Part]) -> String {
    let width =
        parts.iter().flat_map(|part| &part.metrics).map(|metric| metric.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for part in parts {
        text += &format!("{}\n", part.part);
        for metric in &part.metrics {
            let labels = match metric.attributes {
                [] => String::new(),
                attributes => format!(" By {}.", attributes.join(", ")),
            };
            text += &format!("  {:width$}  {:7}  {}{labels}\n", metric.name, metric.kind, metric.help);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Guards against two metrics of one name, which no scrape could tell apart.
    #[test]
    fn no_name_is_taken_twice() {
        let mut names = HashSet::new();
        for metric in parts().iter().flat_map(|part| &part.metrics) {
            assert!(names.insert(metric.name), "{} is there twice", metric.name);
        }
    }
}
