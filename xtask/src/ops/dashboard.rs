//! The dashboard for Grafana.

use serde_json::{Value, json};

use super::catalogue::Catalogue;
use crate::failure::Result;

struct Row {
    title: &'static str,
    panels: &'static [Panel],
}

struct Panel {
    title: &'static str,
    /// In the words of Grafana: `short`, `Bps`, `bytes`, `s`, `percentunit`.
    unit: &'static str,
    /// An expression, and what a line of it is called.
    lines: &'static [(&'static str, &'static str)],
}

const ROWS: &[Row] = &[
    Row {
        title: "Throughput",
        panels: &[
            Panel {
                title: "Items received",
                unit: "ops",
                lines: &[(
                    "sum by (signal) (rate(aqueduct_receiver_accepted_items_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{signal}}",
                )],
            },
            Panel {
                title: "Items delivered",
                unit: "ops",
                lines: &[(
                    "sum by (signal, destination) (rate(aqueduct_delivered_items_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{signal}} to {{destination}}",
                )],
            },
            Panel {
                title: "Bytes in, as sent and inflated",
                unit: "Bps",
                lines: &[
                    (
                        "sum(rate(aqueduct_receiver_wire_bytes_total{instance=~\"$instance\"}[$__rate_interval]))",
                        "as sent",
                    ),
                    (
                        "sum(rate(aqueduct_receiver_bytes_total{instance=~\"$instance\"}[$__rate_interval]))",
                        "inflated",
                    ),
                ],
            },
            Panel {
                title: "Bytes out",
                unit: "Bps",
                lines: &[(
                    "sum by (destination) (rate(aqueduct_pipeline_sent_bytes_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{destination}}",
                )],
            },
        ],
    },
    Row {
        title: "Delivery",
        panels: &[
            Panel {
                title: "Attempts and retries",
                unit: "ops",
                lines: &[
                    (
                        "sum by (destination) (rate(aqueduct_pipeline_attempts_total{instance=~\"$instance\"}[$__rate_interval]))",
                        "attempts, {{destination}}",
                    ),
                    (
                        "sum by (destination) (rate(aqueduct_pipeline_retries_total{instance=~\"$instance\"}[$__rate_interval]))",
                        "retries, {{destination}}",
                    ),
                ],
            },
            Panel {
                title: "Requests under way, and how many may be",
                unit: "short",
                lines: &[
                    (
                        "sum by (signal, destination) (aqueduct_pipeline_in_flight_requests{instance=~\"$instance\"})",
                        "{{signal}} to {{destination}}",
                    ),
                    (
                        "sum by (signal, destination) (aqueduct_pipeline_in_flight_limit{instance=~\"$instance\"})",
                        "limit, {{signal}} to {{destination}}",
                    ),
                ],
            },
            Panel {
                title: "Outcomes",
                unit: "ops",
                lines: &[(
                    "sum by (destination, outcome) (rate(aqueduct_export_attempts_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{outcome}}, {{destination}}",
                )],
            },
            Panel {
                title: "Pauses",
                unit: "s",
                lines: &[(
                    "max by (signal, destination) (aqueduct_pipeline_paused_seconds{instance=~\"$instance\"})",
                    "{{signal}} to {{destination}}",
                )],
            },
        ],
    },
    Row {
        title: "Latency",
        panels: &[
            Panel {
                title: "Time to an answer",
                unit: "s",
                lines: &[
                    (
                        "histogram_quantile(0.5, sum by (destination, le) (rate(aqueduct_export_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                        "P50, {{destination}}",
                    ),
                    (
                        "histogram_quantile(0.9, sum by (destination, le) (rate(aqueduct_export_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                        "P90, {{destination}}",
                    ),
                    (
                        "histogram_quantile(0.99, sum by (destination, le) (rate(aqueduct_export_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                        "P99, {{destination}}",
                    ),
                ],
            },
            Panel {
                title: "Time in the queue, P99",
                unit: "s",
                lines: &[(
                    "histogram_quantile(0.99, sum by (signal, destination, le) (rate(aqueduct_pipeline_queue_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                    "{{signal}} to {{destination}}",
                )],
            },
            Panel {
                title: "Items in a batch, mean",
                unit: "short",
                lines: &[(
                    "sum by (signal, destination) (rate(aqueduct_pipeline_batch_items_sum{instance=~\"$instance\"}[$__rate_interval])) / sum by (signal, destination) (rate(aqueduct_pipeline_batch_items_count{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{signal}} to {{destination}}",
                )],
            },
            Panel {
                title: "Bytes in a batch, mean",
                unit: "bytes",
                lines: &[(
                    "sum by (signal, destination) (rate(aqueduct_pipeline_batch_bytes_sum{instance=~\"$instance\"}[$__rate_interval])) / sum by (signal, destination) (rate(aqueduct_pipeline_batch_bytes_count{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{signal}} to {{destination}}",
                )],
            },
        ],
    },
    Row {
        title: "Resources",
        panels: &[
            Panel {
                title: "CPU, share of what there is",
                unit: "percentunit",
                lines: &[(
                    "rate(aqueduct_process_cpu_seconds_total{instance=~\"$instance\"}[$__rate_interval]) / aqueduct_process_available_cpus{instance=~\"$instance\"}",
                    "{{instance}}",
                )],
            },
            Panel {
                title: "Memory",
                unit: "bytes",
                lines: &[
                    (
                        "aqueduct_process_resident_memory_bytes{instance=~\"$instance\"}",
                        "resident, {{instance}}",
                    ),
                    (
                        "aqueduct_receiver_budget_used_bytes{instance=~\"$instance\"}",
                        "being received, {{instance}}",
                    ),
                ],
            },
            Panel {
                title: "Descriptors and threads",
                unit: "short",
                lines: &[
                    ("aqueduct_process_open_fds{instance=~\"$instance\"}", "descriptors, {{instance}}"),
                    ("aqueduct_process_threads{instance=~\"$instance\"}", "threads, {{instance}}"),
                ],
            },
            Panel {
                title: "Connections",
                unit: "short",
                lines: &[
                    (
                        "sum by (instance) (aqueduct_receiver_open_connections{instance=~\"$instance\"})",
                        "in, {{instance}}",
                    ),
                    (
                        "sum by (destination) (aqueduct_export_connections{instance=~\"$instance\"})",
                        "to {{destination}}",
                    ),
                ],
            },
        ],
    },
    Row {
        title: "Queue",
        panels: &[
            Panel {
                title: "Fill of the budget",
                unit: "percentunit",
                lines: &[(
                    "aqueduct_pipeline_held_bytes{instance=~\"$instance\"} / aqueduct_pipeline_capacity_bytes{instance=~\"$instance\"}",
                    "{{signal}} to {{destination}}",
                )],
            },
            Panel {
                title: "Items held, by stage",
                unit: "short",
                lines: &[(
                    "sum by (stage) (aqueduct_pipeline_walked_items{instance=~\"$instance\"})",
                    "{{stage}}",
                )],
            },
        ],
    },
    Row {
        title: "Sampling",
        panels: &[
            Panel {
                title: "Items not sampled",
                unit: "ops",
                lines: &[(
                    "sum by (signal, destination) (rate(aqueduct_dropped_items_total{instance=~\"$instance\",reason=\"not_sampled\"}[$__rate_interval]))",
                    "{{signal}} to {{destination}}",
                )],
            },
            Panel {
                title: "Share that is sampled",
                unit: "percentunit",
                lines: &[(
                    "1 - sum by (signal, destination) (rate(aqueduct_dropped_items_total{instance=~\"$instance\",reason=\"not_sampled\"}[$__rate_interval])) / sum by (signal, destination) (rate(aqueduct_accepted_items_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{signal}} to {{destination}}",
                )],
            },
        ],
    },
    Row {
        title: "Drops by reason",
        panels: &[
            Panel {
                title: "Items dropped",
                unit: "ops",
                lines: &[(
                    "sum by (reason, destination) (rate(aqueduct_dropped_items_total{instance=~\"$instance\",reason!=\"not_sampled\"}[$__rate_interval])) > 0",
                    "{{reason}}, {{destination}}",
                )],
            },
            Panel {
                title: "Requests refused",
                unit: "ops",
                lines: &[(
                    "sum by (reason) (rate(aqueduct_receiver_refused_requests_total{instance=~\"$instance\"}[$__rate_interval])) > 0",
                    "{{reason}}",
                )],
            },
        ],
    },
    Row {
        title: "Tuner",
        panels: &[
            Panel {
                title: "Score of the last window, and rests",
                unit: "short",
                lines: &[
                    ("aqueduct_tuner_score{instance=~\"$instance\"}", "score, of 100"),
                    ("aqueduct_tuner_resting{instance=~\"$instance\"}", "resting"),
                ],
            },
            Panel {
                title: "The last hundred decisions",
                unit: "short",
                lines: &[(
                    "sum by (outcome) (aqueduct_tuner_history_changes{instance=~\"$instance\"})",
                    "{{outcome}}",
                )],
            },
            Panel {
                title: "Settings, as a share of the largest they had",
                unit: "percentunit",
                lines: &[(
                    "max by (knob) (aqueduct_tuner_setting{instance=~\"$instance\"}) / max by (knob) (max_over_time(aqueduct_tuner_setting{instance=~\"$instance\"}[1h]))",
                    "{{knob}}",
                )],
            },
            Panel {
                title: "Why batches are sealed",
                unit: "ops",
                lines: &[(
                    "sum by (reason) (rate(aqueduct_pipeline_sealed_batches_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{reason}}",
                )],
            },
        ],
    },
];

const WIDTH: usize = 12;
const HEIGHT: usize = 8;

/// The dashboard as Grafana imports it.
///
/// # Errors
///
/// An expression names a metric that there is none.
pub(super) fn render(catalogue: &Catalogue) -> Result<String> {
    let mut panels = Vec::new();
    let mut top = 0;
    for row in ROWS {
        panels.push(json!({
            "type": "row", "title": row.title, "id": panels.len() + 1, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": top, "w": 2 * WIDTH, "h": 1},
        }));
        top += 1;
        for (index, panel) in row.panels.iter().enumerate() {
            for (expression, _) in panel.lines {
                catalogue.check(expression, panel.title)?;
            }
            let place = (index % 2 * WIDTH, top + index / 2 * HEIGHT);
            panels.push(graph(panel, panels.len() + 1, place));
        }
        top += row.panels.len().div_ceil(2) * HEIGHT;
    }
    let source = json!({"type": "prometheus", "uid": "${source}"});
    let dashboard = json!({
        "title": "Aqueduct", "uid": "aqueduct", "schemaVersion": 39, "editable": true, "refresh": "30s",
        "tags": ["aqueduct", "opentelemetry"],
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [
            {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
            {
                "name": "instance", "label": "Instance", "type": "query", "datasource": source,
                "query": "label_values(aqueduct_build_info, instance)",
                "multi": true, "includeAll": true, "allValue": ".*", "refresh": 2,
            },
        ]},
        "panels": panels,
    });
    Ok(format!("{dashboard:#}\n"))
}

fn graph(panel: &Panel, id: usize, (left, top): (usize, usize)) -> Value {
    let source = json!({"type": "prometheus", "uid": "${source}"});
    let targets: Vec<Value> = panel
        .lines
        .iter()
        .zip('A'..)
        .map(|((expression, legend), name)| {
            json!({"refId": name.to_string(), "expr": expression, "legendFormat": legend, "datasource": source})
        })
        .collect();
    json!({
        "type": "timeseries", "title": panel.title, "id": id, "datasource": source,
        "gridPos": {"x": left, "y": top, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": targets,
    })
}

/// Every expression as a recording rule, with Grafana's variables filled in.
pub(super) fn as_rules() -> String {
    let mut text = String::from("groups:\n  - name: dashboard\n    rules:\n");
    let lines = ROWS.iter().flat_map(|row| row.panels).flat_map(|panel| panel.lines);
    for (index, (expression, _)) in lines.enumerate() {
        let expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
        text +=
            &format!("      - record: dashboard:line:{index}\n        expr: |-\n          {expression}\n");
    }
    text
}
