//! Programs that exit at once: this one, run again as its own child, with its settings in the environment.

use std::process::Command;
use std::time::Duration;

use aqueduct_opentelemetry::Aqueduct;
use aqueduct_testkit::ScriptedPeer;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

/// How the child is to end; set in children only.
const CHILD: &str = "AQUEDUCT_TEST_CHILD";
const SPANS: u64 = 100;

/// What a child does, and nothing in the parent.
#[test]
fn child() {
    let Ok(end) = std::env::var(CHILD) else { return };
    let telemetry = Aqueduct::from_env().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
    let tracer = provider.tracer("test");
    (0..SPANS).for_each(|_| tracer.in_span("span", |_| ()));
    match end.as_str() {
        "shutdown" => {
            assert!(telemetry.shutdown(Duration::from_secs(20)).complete);
            // Nothing is dropped, and no thread is waited for.
            std::process::exit(0);
        }
        "provider" => {
            provider.shutdown_with_timeout(Duration::from_secs(20)).unwrap();
            std::process::exit(0);
        }
        "drop" => {}
        other => panic!("{other}"),
    }
}

/// Guards command-line programs: nothing is lost, over a real connection, whichever way they say goodbye.
#[test]
fn nothing_is_lost() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for (end, protocol) in [
        ("shutdown", "http/protobuf"),
        ("provider", "http/protobuf"),
        ("drop", "http/protobuf"),
        ("shutdown", "grpc"),
    ] {
        let peer = runtime.block_on(ScriptedPeer::start()).unwrap();
        let endpoint = if protocol == "grpc" { peer.grpc_endpoint() } else { peer.http_endpoint() };
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "exits::child"])
            .env(CHILD, end)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .output()
            .unwrap();
        assert!(child.status.success(), "{end}: {child:?}");
        let items: u64 = peer.captured().iter().map(|request| request.chunk.items()).sum();
        assert_eq!(items, SPANS, "{end} over {protocol}");
    }
}
