//! The metrics that the gateway publishes.

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// All metrics, by part.
#[derive(Debug)]
pub(super) struct Catalogue(Vec<Part>);

#[derive(Debug)]
struct Part {
    name: String,
    metrics: Vec<Metric>,
}

#[derive(Debug)]
struct Metric {
    name: String,
    kind: String,
    unit: String,
    attributes: Vec<String>,
    help: String,
    /// What others call it.
    also: Vec<String>,
}

impl Catalogue {
    /// Asks the gateway of this workspace.
    pub(super) fn of_the_gateway(workspace: &Workspace) -> Result<Self> {
        Self::read(&super::published(&workspace.root)?)
    }

    fn read(json: &str) -> Result<Self> {
        let odd = || {
            Failure::new("`aqueduct metrics --json` prints something else than a list of parts with metrics")
        };
        let value: Value = serde_json::from_str(json).map_err(|_| odd())?;
        let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned).ok_or_else(odd);
        let metric = |value: &Value| {
            let attributes = value["attributes"].as_array().ok_or_else(odd)?;
            let aliases = value["aliases"].as_array().into_iter().flatten();
            let also = std::iter::once(&value["convention"]).chain(aliases);
            Ok(Metric {
                name: text(value, "name")?,
                kind: text(value, "kind")?,
                unit: text(value, "unit")?,
                attributes: attributes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                help: text(value, "help")?,
                also: also.filter_map(Value::as_str).map(str::to_owned).collect(),
            })
        };
        let part = |value: &Value| {
            let metrics = value["metrics"].as_array().ok_or_else(odd)?;
            Ok(Part {
                name: text(value, "part")?,
                metrics: metrics.iter().map(metric).collect::<Result<_>>()?,
            })
        };
        Ok(Self(value.as_array().ok_or_else(odd)?.iter().map(part).collect::<Result<_>>()?))
    }

    /// docs/metrics.md.
    pub(super) fn page(&self) -> String {
        let mut page = String::from(
            "# Metrics\n\nWritten by `cargo xtask ops` from the tables by which the gateway publishes on `/metrics`; \
             `aqueduct metrics` prints the same.\nUnits are in UCUM notation. Under `elsewhere` is what OpenTelemetry's semantic conventions call the same (`{signal}` stands for `span`, `metric_data_point` or `log`), older names, and those of the \
             OpenTelemetry Collector (`otelcol_*`), which may count a little differently: what counts is what the line says. Alerts on them: \
             [ops/prometheus/alerts.yaml](ops/prometheus/alerts.yaml), with a page each in [ops/runbooks](ops/runbooks); a\n\
             dashboard: [ops/grafana/aqueduct.json](ops/grafana/aqueduct.json). An application with `aqueduct-opentelemetry` publishes its own besides: `aqueduct_opentelemetry::METRICS`, in the table of \
             [its README](../crates/aqueduct-opentelemetry/README.md#metrics-about-itself).\n",
        );
        for part in &self.0 {
            page += &format!("\n## {}{}\n\n", part.name[..1].to_uppercase(), &part.name[1..]);
            page += "| name | kind | unit | labels | | elsewhere |\n|---|---|---|---|---|---|\n";
            for metric in &part.metrics {
                let code = |names: &[String]| {
                    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                };
                page += &format!(
                    "| `{}` | {} | `{}` | {} | {} | {} |\n",
                    metric.name,
                    metric.kind,
                    metric.unit,
                    code(&metric.attributes),
                    metric.help,
                    code(&metric.also)
                );
            }
        }
        page
    }

    /// Whether every metric and every label of ours that an expression names exists.
    ///
    /// # Errors
    ///
    /// The first that does not.
    pub(super) fn check(&self, expression: &str, place: &str) -> Result<()> {
        for word in names(expression) {
            let known = |metric: &&Metric| {
                let histogram = metric.kind == "histogram";
                let of_histogram = ["_bucket", "_sum", "_count"]
                    .iter()
                    .any(|end| word.strip_suffix(end).is_some_and(|base| base == metric.name));
                word == metric.name && !histogram || histogram && of_histogram
            };
            if !self.0.iter().flat_map(|part| &part.metrics).any(|metric| known(&metric)) {
                return Err(Failure::new(format!("{place}: no metric is called {word}")));
            }
        }
        Ok(())
    }
}

/// The names of our metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("aqueduct_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"[{"part": "door", "metrics": [
        {"name": "aqueduct_refused_total", "kind": "counter", "unit": "{item}", "attributes": ["reason"], "help": "Refused."},
        {"name": "aqueduct_wait_seconds", "kind": "histogram", "unit": "s", "attributes": [], "help": "Waited.",
         "convention": "otel.wait", "aliases": ["otelcol_wait"]}
    ]}]"#;

    /// Guards rules and panels against names that nothing has.
    #[test]
    fn names_that_nothing_has_are_found() {
        let catalogue = Catalogue::read(JSON).unwrap();
        for good in [
            "rate(aqueduct_refused_total{reason!=\"x\"}[5m]) > 0",
            "histogram_quantile(0.99, sum by (le) (rate(aqueduct_wait_seconds_bucket[5m])))",
            "up == 0",
        ] {
            assert!(catalogue.check(good, "here").is_ok(), "{good}");
        }
        for bad in
            ["aqueduct_refuse_total > 0", "rate(aqueduct_wait_seconds[5m])", "aqueduct_refused_total_bucket"]
        {
            assert!(catalogue.check(bad, "here").is_err(), "{bad}");
        }
    }

    #[test]
    fn the_page_has_every_metric() {
        let page = Catalogue::read(JSON).unwrap().page();
        assert!(page.contains("## Door\n"), "{page}");
        assert!(
            page.contains("| `aqueduct_refused_total` | counter | `{item}` | `reason` | Refused. |  |"),
            "{page}"
        );
        assert!(page.contains("| Waited. | `otel.wait`, `otelcol_wait` |"), "{page}");
        assert!(Catalogue::read("{}").is_err());
    }
}
