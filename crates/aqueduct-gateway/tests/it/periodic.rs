//! The gateway's own metrics, sent by OTLP.

use std::collections::BTreeMap;

use aqueduct::transport::{Client, ClientConfig, Outcome, Protocol};
use aqueduct::wire::{Chunk, Merged, Signal, json};
use aqueduct_testkit::{Generator, ScriptedPeer};
use serde_json::Value;

use crate::process::{Gateway, PATIENCE};

fn config(readers: &str, resource: &str) -> String {
    format!(
        "\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: \"127.0.0.1:0\"}}
      http: {{endpoint: \"127.0.0.1:0\"}}
exporters: {{debug: }}
service:
  telemetry:
    resource: {resource}
    metrics:
      address: \"127.0.0.1:0\"
      readers: {readers}
  pipelines:
    traces: {{receivers: [otlp], exporters: [debug]}}
"
    )
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn as_json(chunk: &Chunk) -> Value {
    let mut line = Vec::new();
    json::write_line(chunk.signal(), chunk.bytes(), &mut line).expect("it is in memory");
    serde_json::from_slice(&line).expect("JSON")
}

/// The metrics of one page by name, and the attributes of its resource.
fn page(chunk: &Chunk) -> (BTreeMap<String, Value>, BTreeMap<String, String>) {
    assert_eq!(chunk.signal(), Signal::Metrics);
    let page = as_json(chunk);
    let resource = &page["resourceMetrics"][0];
    let attributes = resource["resource"]["attributes"].as_array().expect("some");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let attributes =
        attributes.iter().map(|pair| (text(&pair["key"]), text(&pair["value"]["stringValue"]))).collect();
    let scope = &resource["scopeMetrics"][0];
    assert_eq!(scope["scope"]["name"], "aqueduct");
    let metrics = scope["metrics"].as_array().expect("some");
    (metrics.iter().map(|metric| (text(&metric["name"]), metric.clone())).collect(), attributes)
}

async fn send_spans(gateway: &Gateway, number: usize) {
    let config = ClientConfig::new(format!("http://{}", gateway.grpc), Protocol::Grpc);
    let client = Client::new(config).expect("valid settings");
    let chunk = Generator::new(1).chunk(Signal::Traces, number);
    assert_eq!(client.send(&client.prepare(&Merged::from_chunk(chunk))).await, Outcome::Delivered);
}

/// Guards all that is sent: at intervals, with the values of `/metrics`, under the names and kinds of OTLP, and of whom.
#[test]
fn pages_arrive_at_intervals() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        let readers = format!(
            "[{{periodic: {{interval: 50, exporter: {{otlp: {{protocol: grpc, endpoint: '{}', headers: \
             [{{name: x-tenant, value: shop}}]}}}}}}}}]",
            peer.grpc_endpoint()
        );
        let gateway = Gateway::launch(&[], &[], &config(&readers, "{service.name: edge, zone: b}"));
        send_spans(&gateway, 25).await;
        peer.wait_for_requests(peer.captured().len() + 3).await;
        let captured = peer.captured();
        let (metrics, resource) = page(&captured.last().expect("some").chunk);
        assert_eq!((resource["service.name"].as_str(), resource["zone"].as_str()), ("edge", "b"));
        assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(resource["service.instance.id"].len(), 36);

        let accepted = &metrics["aqueduct_accepted_items"]["sum"];
        assert_eq!(
            (accepted["isMonotonic"].as_bool(), accepted["aggregationTemporality"].as_u64()),
            (Some(true), Some(2))
        );
        assert_eq!(accepted["dataPoints"][0]["asInt"], "25", "{accepted:#}");
        assert!(metrics["aqueduct_process_uptime_seconds"]["gauge"]["dataPoints"][0]["asDouble"].is_number());
        let durations = &metrics["aqueduct_export_duration_seconds"];
        assert_eq!(durations["unit"], "s");
        assert_eq!(durations["exponentialHistogram"]["dataPoints"][0]["count"], "1", "{durations:#}");
        // Beside it the page to be scraped is what it always was, and sending is none of the pipelines.
        let (_, scraped) = gateway.get("/metrics");
        assert!(scraped.contains("aqueduct_accepted_items_total{"), "{scraped}");
        assert!(!scraped.contains("service.telemetry"), "{scraped}");
        gateway.stop();
    });
}

/// Guards the end: what became of the last items is sent after they were settled, whatever the interval; and HTTP, with and without a path.
#[test]
fn the_last_page_says_how_it_ended() {
    runtime().block_on(async {
        let peer = ScriptedPeer::start().await.expect("free ports");
        for (protocol, path) in [("http/protobuf", ""), ("http/json", "/v1/metrics")] {
            let before = peer.captured().len();
            let readers = format!(
                "[{{periodic: {{exporter: {{otlp: {{protocol: {protocol}, endpoint: '{}{path}'}}}}}}}}]",
                peer.http_endpoint()
            );
            let gateway = Gateway::launch(&[], &[], &config(&readers, "{}"));
            send_spans(&gateway, 7).await;
            gateway.stop();
            let captured = peer.captured();
            assert_eq!(captured.len(), before + 1, "{protocol}: the interval is a minute");
            let (metrics, resource) = page(&captured[before].chunk);
            assert_eq!(resource["service.name"], "aqueduct");
            let delivered = &metrics["aqueduct_delivered_items"]["sum"]["dataPoints"][0];
            assert_eq!(delivered["asInt"], "7", "{protocol}: {delivered:#}");
        }
    });
}

/// Guards a destination of metrics that is away: the gateway works, says so, and stops in time.
#[test]
fn nobody_there_to_take_metrics() {
    runtime().block_on(async {
        // A port that nobody has.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = closed.local_addr().expect("bound");
        drop(closed);
        let readers = format!(
            "[{{periodic: {{interval: 20, exporter: {{otlp: {{protocol: grpc, endpoint: 'http://{address}'}}}}}}}}]"
        );
        let mut gateway = Gateway::launch(&[], &[], &config(&readers, "{}"));
        gateway.wait_for("metrics to service.telemetry");
        send_spans(&gateway, 7).await;
        let began = std::time::Instant::now();
        let log = gateway.stop().join("\n");
        assert!(log.contains("traces to debug: 7 accepted, 7 delivered"), "{log}");
        assert!(began.elapsed() < PATIENCE / 2, "{log}");
    });
}
