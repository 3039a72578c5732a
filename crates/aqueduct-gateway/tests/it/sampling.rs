//! Samplers in a running gateway: what arrives, what it says, and what the ledgers say.

use std::time::Duration;

use aqueduct::sampling::{DownstreamConfig, DownstreamMode, DownstreamSampler, ItemFacts};
use aqueduct::transport::{Client, ClientConfig, Compression, Outcome, Protocol};
use aqueduct::wire::{Chunk, Merged, Signal, filter};
use aqueduct_testkit::{Generator, ScriptedPeer};

use crate::process::{Gateway, run_to_end};

const PATIENCE: Duration = Duration::from_secs(20);

fn config(endpoint: &str, acknowledge: &str) -> String {
    format!(
        "\
receivers:
  otlp:
    acknowledge: {acknowledge}
    protocols:
      grpc: {{endpoint: \"127.0.0.1:0\"}}
      http: {{endpoint: \"127.0.0.1:0\"}}
processors:
  memory_limiter: {{limit_mib: 64}}
  probabilistic_sampler: {{sampling_percentage: 50, mode: equalizing}}
  probabilistic_sampler/logs: {{sampling_percentage: 25, attribute_source: record, from_attribute: pod}}
  batch: {{timeout: 20ms}}
exporters:
  otlp: {{endpoint: {endpoint}, tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{address: \"127.0.0.1:0\"}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [memory_limiter, probabilistic_sampler, batch], exporters: [otlp]}}
    metrics: {{receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp]}}
    logs: {{receivers: [otlp], processors: [memory_limiter, probabilistic_sampler/logs, batch], exporters: [otlp]}}
"
    )
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

async fn send(gateway: &Gateway, chunk: Chunk) -> Outcome {
    let mut config = ClientConfig::new(format!("http://{}", gateway.grpc), Protocol::Grpc);
    config.compression = Compression::None;
    config.timeout = PATIENCE;
    let client = Client::new(config).expect("valid settings");
    client.send(&client.prepare(&Merged::from_chunk(chunk))).await
}

fn facts<'a>(item: &aqueduct::wire::Item<'a>) -> aqueduct::pipeline::OtlpFacts<'a> {
    aqueduct::pipeline::OtlpFacts::new(item)
}

/// The trace ids and thresholds of spans.
fn spans(chunk: &Chunk) -> Vec<([u8; 16], String)> {
    let mut spans = Vec::new();
    filter(chunk, |span| {
        let ot = facts(span).ot().to_owned();
        let th = ot.split(';').find_map(|field| field.strip_prefix("th:")).unwrap_or_default().to_owned();
        spans.push((facts(span).trace_id(), th));
        true
    })
    .expect("a valid chunk");
    spans.sort();
    spans
}

/// Guards the whole way: half of the traces arrive and say so, metrics are not touched, and what lacks is in the ledger by its reason.
#[test]
fn a_share_arrives_and_the_rest_is_counted() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        let gateway = Gateway::launch(&[], &[], &config(&peer.grpc_endpoint(), "enqueued"));
        let mut half = DownstreamConfig::default();
        (half.percentage, half.mode) = (50.0, DownstreamMode::Equalizing);
        let half = DownstreamSampler::new(&half).expect("a share");
        let mut generator = Generator::new(11);
        let (mut sent, mut expected) = (0, Vec::new());
        for _ in 0..10 {
            let chunk = generator.chunk(Signal::Traces, 40);
            sent += chunk.items();
            filter(&chunk, |span| {
                let verdict = half.span(&facts(span));
                if let (true, Some(threshold)) = (verdict.kept, verdict.threshold) {
                    expected.push((facts(span).trace_id(), threshold.to_string()));
                }
                verdict.kept
            })
            .expect("a valid chunk");
            assert_eq!(send(&gateway, chunk).await, Outcome::Delivered);
        }
        let metrics = generator.chunk(Signal::Metrics, 30);
        assert_eq!(send(&gateway, metrics).await, Outcome::Delivered);
        peer.wait_for_items(expected.len() as u64 + 30).await;
        let row = gateway.row("traces");
        assert_eq!(row["accepted"].as_u64(), Some(sent), "{row}");
        assert_eq!(row["dropped"]["not_sampled"].as_u64(), Some(sent - expected.len() as u64), "{row}");
        let (_, metrics) = gateway.get("/metrics");
        let dropped = format!("reason=\"not_sampled\"}} {}", sent - expected.len() as u64);
        assert!(metrics.lines().any(|line| line.contains("traces") && line.ends_with(&dropped)), "{metrics}");
        for (decision, count) in [("sampled", expected.len() as u64), ("not_sampled", sent - expected.len() as u64)] {
            let sample = format!(
                "\naqueduct_probabilistic_sampler_items_total{{pipeline=\"traces\",processor=\"probabilistic_sampler\",\
                 decision=\"{decision}\"}} {count}\n"
            );
            assert!(metrics.contains(&sample), "{metrics}");
        }
        let other = "{pipeline=\"logs\",processor=\"probabilistic_sampler/logs\",decision=\"sampled\"} 0\n";
        assert!(metrics.contains(other), "{metrics}");
        assert_eq!(gateway.row("metrics")["accepted"].as_u64(), Some(30));
        gateway.stop();
        let captured = peer.captured();
        let arrived = captured.iter().filter(|request| request.chunk.signal() == Signal::Traces);
        let mut arrived: Vec<_> = arrived.flat_map(|request| spans(&request.chunk)).collect();
        arrived.sort();
        expected.sort();
        assert_eq!(arrived, expected);
        assert!(sent / 4 < expected.len() as u64 && (expected.len() as u64) < sent);
    });
}

/// Guards `acknowledge: exported`: success although nothing is left, and at once.
#[test]
fn a_request_of_which_nothing_is_left_is_a_success() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        let gateway = Gateway::launch(&[], &[], &config(&peer.grpc_endpoint(), "exported"));
        // Without the attribute there is nothing to judge them by.
        let chunk = Generator::new(3).chunk(Signal::Logs, 20);
        let items = chunk.items();
        assert_eq!(send(&gateway, chunk).await, Outcome::Delivered);
        let row = gateway.row("logs");
        assert_eq!(
            (row["accepted"].as_u64(), row["dropped"]["not_sampled"].as_u64()),
            (Some(items), Some(items))
        );
        gateway.stop();
        assert!(peer.captured().is_empty());
    });
}

/// Guards the message for signals that are not sampled.
#[test]
fn metrics_are_not_sampled() {
    let output = run_to_end(
        "receivers: {otlp: {protocols: {grpc: {endpoint: \"127.0.0.1:0\"}}}}\n\
         processors: {probabilistic_sampler: {sampling_percentage: 10}}\n\
         exporters: {debug: }\n\
         service:\n  pipelines:\n    metrics: {receivers: [otlp], processors: [probabilistic_sampler], exporters: [debug]}\n",
    );
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("service.pipelines.metrics.processors[0]: samples traces and logs"),
        "{message}"
    );
}

/// Guards whole traces from end to end: what has an error arrives whole although it came in pieces, and the rest is in the ledger.
#[test]
fn traces_with_errors_arrive_whole() {
    /// A span with ids, a parent, a name and a status: fields 1, 2, 4, 5 and 15.
    fn span(trace: u8, number: u8, error: bool) -> Vec<u8> {
        let status: &[u8] = if error { b"\x7a\x02\x18\x02" } else { b"" };
        let ids = [&b"\x0a\x10"[..], &[trace; 16], b"\x12\x08", &[number; 8], b"\x22\x08", &[99; 8]].concat();
        let span = [&ids[..], b"\x2a\x02", &[b'a' + trace, b'0' + number], status].concat();
        [&[0x12, span.len() as u8][..], &span].concat()
    }
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        let config = config(&peer.grpc_endpoint(), "enqueued")
            .replace("  batch: {timeout: 20ms}", "  batch: {timeout: 20ms}\n  tail_sampling:\n    decision_wait: 1h\n    policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]")
            .replace("[memory_limiter, probabilistic_sampler, batch]", "[memory_limiter, tail_sampling, batch]");
        let gateway = Gateway::launch(&[], &[], &config);
        for number in 1..4 {
            for trace in 1..11 {
                let scope = span(trace, number, number == 2 && trace % 5 == 0);
                let scope = [&[0x12, scope.len() as u8][..], &scope].concat();
                let request = [&[0x0a, scope.len() as u8][..], &scope].concat();
                let chunk = Chunk::validate(Signal::Traces, request.into(), &aqueduct::wire::Limits::default());
                assert_eq!(send(&gateway, chunk.expect("it is valid")).await, Outcome::Delivered);
            }
        }
        let row = gateway.row("traces");
        assert_eq!((row["accepted"].as_u64(), row["held"].as_u64()), (Some(30), Some(30)), "{row}");
        let (_, metrics) = gateway.get("/metrics");
        for sample in ["held_traces{pipeline=\"traces\"} 10", "held_spans{pipeline=\"traces\"} 30"] {
            assert!(metrics.contains(&format!("\naqueduct_tail_sampling_{sample}\n")), "{metrics}");
        }
        let policy = "policy_traces_total{pipeline=\"traces\",policy=\"errors\",decision=\"sampled\"} 0";
        assert!(metrics.contains(&format!("\naqueduct_tail_sampling_{policy}\n")), "{metrics}");
        let log = gateway.stop().join("\n");
        assert!(log.contains("30 accepted, 6 delivered, 0 rejected, 24 dropped (24 not_sampled), 0 held"), "{log}");
        let arrived: Vec<_> = peer.captured().iter().flat_map(|request| spans(&request.chunk)).collect();
        assert_eq!(arrived.len(), 6);
        assert!(arrived.iter().all(|(id, th)| id[0] % 5 == 0 && th.is_empty()), "{arrived:?}");
    });
}
