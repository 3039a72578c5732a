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
    /// What the semantic conventions call it; `{signal}` stands for what they call the items of the signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    convention: Option<&'static str>,
    /// Other names for the same: older ones, and those of the OpenTelemetry Collector.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    aliases: &'static [&'static str],
}

impl From<&Desc> for Metric {
    fn from(desc: &Desc) -> Self {
        Self {
            name: desc.name,
            kind: desc.kind.as_str(),
            unit: desc.unit,
            attributes: desc.attributes,
            help: desc.help,
            convention: desc.convention,
            aliases: desc.aliases,
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
        part("admin endpoint", crate::admin::METRICS),
    ]
}

fn table(parts: &[Part]) -> String {
    let widest =
        |of: fn(&Metric) -> usize| parts.iter().flat_map(|part| &part.metrics).map(of).max().unwrap_or(0);
    let (name, unit) = (widest(|metric| metric.name.len()), widest(|metric| metric.unit.len()));
    let mut text = String::new();
    for part in parts {
        text += &format!("{}\n", part.part);
        for metric in &part.metrics {
            let labels = match metric.attributes {
                [] => String::new(),
                attributes => format!(" By {}.", attributes.join(", ")),
            };
            let also: Vec<_> = metric.convention.into_iter().chain(metric.aliases.iter().copied()).collect();
            let also = if also.is_empty() { String::new() } else { format!(" Also: {}.", also.join(", ")) };
            text += &format!(
                "  {:name$}  {:9}  {:unit$}  {}{labels}{also}\n",
                metric.name, metric.kind, metric.unit, metric.help
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Guards both forms of the list against a field of a description that is left out.
    #[test]
    fn nothing_of_a_description_is_left_out() {
        const ALL: &[Desc] = &[
            Desc::histogram("a_seconds", "s", "Helps.")
                .with_attributes(&["x", "y"])
                .with_convention("otel.a.{signal}")
                .with_aliases(&["old.a", "otelcol_a"]),
            Desc::counter("b_total", "{item}", "Counts."),
        ];
        let parts = [Part { part: "door", metrics: ALL.iter().map(Metric::from).collect() }];
        let json = serde_json::to_value(&parts).expect("it has a form in JSON");
        assert_eq!(
            json[0]["metrics"],
            serde_json::json!([
                {
                    "name": "a_seconds", "kind": "histogram", "unit": "s", "attributes": ["x", "y"], "help": "Helps.",
                    "convention": "otel.a.{signal}", "aliases": ["old.a", "otelcol_a"],
                },
                {"name": "b_total", "kind": "counter", "unit": "{item}", "attributes": [], "help": "Counts."},
            ])
        );
        assert_eq!(
            table(&parts),
            "door\n  a_seconds  histogram  s       Helps. By x, y. Also: otel.a.{signal}, old.a, otelcol_a.\n  \
             b_total    counter    {item}  Counts.\n"
        );
    }

    /// Guards what people of other pipelines look for: the conventions' names and the Collector's are there.
    #[test]
    fn other_names_are_listed() {
        let table = table(&parts());
        for name in [
            "otel.sdk.exporter.{signal}.exported",
            "otel.sdk.exporter.operation.duration",
            "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early",
        ] {
            assert!(table.contains(name), "{name}");
        }
    }

    /// Guards against two metrics of one name, which no scrape could tell apart.
    #[test]
    fn no_name_is_taken_twice() {
        let mut names = HashSet::new();
        for metric in parts().iter().flat_map(|part| &part.metrics) {
            assert!(names.insert(metric.name), "{} is there twice", metric.name);
        }
    }
}
