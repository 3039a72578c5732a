//! The alert rules for Prometheus.

use std::collections::HashSet;

use super::catalogue::Catalogue;
use super::{ALERT_TESTS, RUNBOOKS};
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// How often rules are evaluated.
const INTERVAL: &str = "30s";

struct Alert {
    name: &'static str,
    /// In the words of Prometheus's world: `warning` can wait until tomorrow, `critical` cannot.
    severity: &'static str,
    lasts: &'static str,
    expression: &'static str,
    summary: &'static str,
}

const ALERTS: &[Alert] = &[
    Alert {
        name: "AqueductHighCpu",
        severity: "warning",
        lasts: "5m",
        expression: "rate(aqueduct_process_cpu_seconds_total[2m]) / aqueduct_process_available_cpus > 0.5",
        summary: "{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its CPUs",
    },
    Alert {
        name: "AqueductHighMemory",
        severity: "warning",
        lasts: "5m",
        expression: "aqueduct_process_resident_memory_bytes > 500e6",
        summary: "{{ $labels.instance }} has {{ $value | humanize }}B in memory",
    },
    Alert {
        name: "AqueductLeakSuspected",
        severity: "warning",
        lasts: "10m",
        expression: "aqueduct_leak_verdict{verdict=\"leaking\"} > 0",
        summary: "{{ $labels.resource }} of {{ $labels.instance }}: growth without end",
    },
    Alert {
        name: "AqueductSlowExports",
        severity: "warning",
        lasts: "2m",
        expression: "histogram_quantile(0.99, sum by (instance, destination, le) (rate(aqueduct_export_duration_seconds_bucket[2m]))) > 1",
        summary: "one in a hundred requests to {{ $labels.destination }} takes {{ $value | humanizeDuration }} or more",
    },
    Alert {
        name: "AqueductDropsItems",
        severity: "critical",
        lasts: "5m",
        expression: "sum by (instance, signal, destination) (rate(aqueduct_dropped_items_total{reason!=\"not_sampled\"}[5m])) \
                     / sum by (instance, signal, destination) (rate(aqueduct_accepted_items_total[5m])) > 0.01",
        summary: "{{ $labels.instance }} drops {{ $value | humanizePercentage }} of the {{ $labels.signal }} for {{ $labels.destination }}",
    },
    Alert {
        name: "AqueductQueueFills",
        severity: "warning",
        lasts: "5m",
        expression: "aqueduct_pipeline_held_bytes / aqueduct_pipeline_capacity_bytes > 0.8",
        summary: "the queue of {{ $labels.signal }} for {{ $labels.destination }} is {{ $value | humanizePercentage }} full",
    },
    Alert {
        name: "AqueductBreakerOpen",
        severity: "critical",
        lasts: "2m",
        expression: "max_over_time(aqueduct_pipeline_paused_seconds[1m]) > 0",
        summary: "nothing is sent to {{ $labels.destination }}: it fails, and is probed only",
    },
    Alert {
        name: "AqueductLedgerImbalance",
        severity: "critical",
        lasts: "0m",
        expression: "increase(aqueduct_dropped_items_total{reason=\"leaked\"}[10m]) > 0 \
                     or min_over_time(abs(aqueduct_held_items - on (instance, signal, destination) \
                     sum by (instance, signal, destination) (aqueduct_pipeline_walked_items))[10m:30s]) > 0",
        summary: "{{ $value }} {{ $labels.signal }} for {{ $labels.destination }} are in no book: a bug",
    },
    Alert {
        name: "AqueductRefusesClients",
        severity: "warning",
        lasts: "5m",
        expression: "sum by (instance, reason) (rate(aqueduct_receiver_refused_requests_total[5m])) > 0",
        summary: "{{ $labels.instance }} refuses {{ $value | humanize }} requests a second: {{ $labels.reason }}",
    },
    Alert {
        name: "AqueductRestartsTasks",
        severity: "warning",
        lasts: "0m",
        expression: "increase(aqueduct_pipeline_worker_restarts_total[15m]) + increase(aqueduct_pipeline_exporter_panics_total[15m]) > 0",
        summary: "code for {{ $labels.destination }} has panicked; what it held was kept",
    },
];

/// The rule file.
///
/// # Errors
///
/// An expression names a metric that there is none.
pub(super) fn render(catalogue: &Catalogue) -> Result<String> {
    let mut text = format!(
        "# Written by `cargo xtask ops`; the cases that test it are in alerts_test.yaml.\ngroups:\n  - name: aqueduct\n    interval: {INTERVAL}\n    rules:\n"
    );
    for alert in ALERTS {
        catalogue.check(alert.expression, alert.name)?;
        text += &format!("      - alert: {}\n        expr: |-\n          {}\n", alert.name, alert.expression);
        text += &format!(
            "        for: {}\n        labels:\n          severity: {}\n",
            alert.lasts, alert.severity
        );
        text += &format!("        annotations:\n          summary: '{}'\n", alert.summary);
        text += &format!("          runbook: {RUNBOOKS}/{}.md\n", page(alert.name));
    }
    Ok(text)
}

/// `AqueductHighCpu` has the page `high-cpu`.
fn page(name: &str) -> String {
    let mut page = String::new();
    for letter in name.trim_start_matches("Aqueduct").chars() {
        if letter.is_uppercase() && !page.is_empty() {
            page.push('-');
        }
        page.extend(letter.to_lowercase());
    }
    page
}

/// Whether every alert has a page that says what to do, and two cases at least: one in which it fires, and one in which it does not.
///
/// # Errors
///
/// The first that has not.
pub(super) fn documented(workspace: &Workspace) -> Result<()> {
    let tests = workspace.root.join(ALERT_TESTS);
    let tests = std::fs::read_to_string(&tests).map_err(|error| Failure::at(&tests, error))?;
    for alert in ALERTS {
        let runbook = workspace.root.join(RUNBOOKS).join(page(alert.name)).with_extension("md");
        if !runbook.is_file() {
            return Err(Failure::at(
                &runbook,
                format_args!("{} needs a page that says what to do", alert.name),
            ));
        }
        if cases(&tests, alert.name) != [false, true].into() {
            return Err(Failure::new(format!(
                "{ALERT_TESTS}: {} needs a case in which it fires and one in which it does not",
                alert.name
            )));
        }
    }
    Ok(())
}

/// Whether the cases of an alert expect it.
fn cases(tests: &str, name: &str) -> HashSet<bool> {
    let name = format!("alertname: {name}");
    let lines: Vec<&str> = tests.lines().map(str::trim).collect();
    lines
        .windows(2)
        .filter(|pair| pair[0].trim_start_matches("- ").ends_with(&name))
        .map(|pair| !pair[1].ends_with("exp_alerts: []"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_named_as_files_are() {
        assert_eq!(page("AqueductHighCpu"), "high-cpu");
    }

    /// Guards rules without a case that fails.
    #[test]
    fn cases_are_told_apart() {
        let silent = "  - eval_time: 5m\n    alertname: A\n    exp_alerts: []\n";
        let loud = "  - eval_time: 9m\n    alertname: A\n    exp_alerts:\n      - exp_labels: {}\n";
        assert_eq!(cases(silent, "A"), [false].into());
        assert_eq!(cases(loud, "A"), [true].into());
        assert_eq!(cases(&format!("{silent}{loud}"), "A"), [false, true].into());
        assert_eq!(cases(loud, "B"), HashSet::new());
    }
}
