//! A tuner in a running gateway.

use std::net::SocketAddr;
use std::time::Instant;

use aqueduct_gateway::load::{Load, LoadArgs};
use aqueduct_gateway::sink::Sink;
use serde_json::Value;

use crate::load::sink;
use crate::process::{Gateway, PATIENCE};

/// A gateway that batches badly, with these settings of the tuner.
pub(crate) fn config(endpoint: &SocketAddr, tuning: &str) -> String {
    format!(
        "\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: \"127.0.0.1:0\"}}
      http: {{endpoint: \"127.0.0.1:0\"}}
processors:
  batch: {{send_batch_size: 1, timeout: 1ms}}
exporters:
  otlp:
    endpoint: http://{endpoint}
    sending_queue: {{num_consumers: 1}}
    tls: {{insecure: true}}
service:
  telemetry: {{metrics: {{address: \"127.0.0.1:0\"}}}}
  tuning: {tuning}
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [otlp]}}
"
    )
}

/// The answer of `/debug/tuner`, under load, once it is as asked.
fn tuner_under_load(sink: &Sink, tuning: &str, found: impl Fn(&Value) -> bool) -> (Gateway, Value) {
    let gateway = Gateway::launch(&[], &[], &config(&sink.grpc_address(), tuning));
    let mut args = LoadArgs::default();
    args.endpoint = format!("http://{}", gateway.grpc);
    args.rate = Some(500.0);
    args.spans = 5;
    args.seconds = Some(PATIENCE.as_secs_f64());
    let load = Load::start(&args).expect("valid options");
    let began = Instant::now();
    let last = loop {
        let (status, body) = gateway.get("/debug/tuner");
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        if found(&answer) {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE, "{answer:#}");
    };
    load.stop();
    load.finish().expect("it ends");
    (gateway, last)
}

/// Guards that the tuner of a gateway changes what the gateway does, says so, and ends with it.
#[test]
fn a_gateway_tunes_itself() {
    let sink = sink(|_| {});
    let bounds = "{send_batch_size: {min: 200}, timeout: {min: 20ms, max: 50ms}}";
    let tuning = format!("{{window: 50ms, bounds: {bounds}}}");
    // Bounds are applied at once; after that it tries something.
    let (gateway, answer) = tuner_under_load(&sink, &tuning, |answer| {
        answer["history"].as_array().is_some_and(|history| !history.is_empty())
    });
    assert!(answer["score"].as_f64().is_some_and(|score| score > 0.0), "{answer:#}");
    let items: u64 = answer["settings"]["batch_items"].as_str().expect("a number").parse().expect("a number");
    assert!(items >= 200, "{answer:#}");
    let (_, metrics) = gateway.get("/metrics");
    for name in
        ["aqueduct_tuner_score ", "aqueduct_tuner_resting ", "aqueduct_tuner_setting{knob=\"batch_items\"}"]
    {
        assert!(metrics.contains(name), "{name} is missing");
    }
    assert!(gateway.log.iter().any(|line| line.contains("tuner")), "{:?}", gateway.log);
    gateway.stop();
}

/// Guards a dry run: there is something to suggest, and nothing changes.
#[test]
fn a_dry_run_changes_nothing() {
    let sink = sink(|_| {});
    let (gateway, answer) =
        tuner_under_load(&sink, "{mode: suggest, window: 50ms}", |answer| answer["score"] != 0.0);
    assert_eq!(answer["settings"]["batch_items"], "1", "{answer:#}");
    assert!(answer["history"].as_array().is_some_and(Vec::is_empty), "{answer:#}");
    gateway.stop();
}

/// Guards the answer where nobody asked for a tuner.
#[test]
fn without_one_there_is_nothing_to_see() {
    let gateway = Gateway::start("", "endpoint: 127.0.0.1:9");
    let (status, body) = gateway.get("/debug/tuner");
    assert_eq!(status, 404);
    assert!(body.contains("service.tuning"), "{body}");
    assert!(!gateway.get("/metrics").1.contains("aqueduct_tuner"));
    gateway.stop();
}
