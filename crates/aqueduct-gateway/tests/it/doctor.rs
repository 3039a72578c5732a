//! `aqueduct doctor` as its users run it.

use std::process::{Command, Output};

use aqueduct_testkit::Folder;
use serde_json::Value;

use crate::process::Gateway;

fn doctor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_aqueduct")).arg("doctor").args(arguments).output().expect("it runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Guards both lists of a running gateway and its file, in text and in JSON, and the exit code.
#[test]
fn a_gateway_and_its_file() {
    let folder = Folder::create();
    let file = folder.write(
        "aqueduct.yaml",
        "receivers: {otlp: {protocols: {grpc: }}}\nexporters: {otlp: {endpoint: '127.0.0.1:9', tls: {insecure: true}}}\n\
         service: {pipelines: {traces: {receivers: [otlp], exporters: [otlp]}}}\n",
    );
    let gateway = Gateway::start("", "endpoint: 127.0.0.1:9");
    let url = format!("http://{}", gateway.admin);
    let file = file.display().to_string();
    let both = doctor(&["--url", &url, "--config", &file, "--seconds", "0.1", "--json"]);
    let found = json(&both);
    assert_eq!(both.status.code(), Some(1), "a file without batching fails: {found:#}");
    let ids = |list: &Value| -> Vec<String> {
        let checks = list["checks"].as_array().expect("checks");
        checks.iter().map(|check| check["id"].as_str().expect("an id").to_owned()).collect()
    };
    let seven = ["cpu", "memory", "network", "batching", "sampling", "queue", "cardinality"];
    assert_eq!(ids(&found["live"]), seven);
    assert_eq!(found["config"]["checks"].as_array().map(Vec::len), Some(10));
    assert_eq!((found["status"].as_str(), found["config"]["status"].as_str()), (Some("fail"), Some("fail")));
    let batching = &found["config"]["checks"][1];
    assert_eq!((batching["id"].as_str(), batching["status"].as_str()), (Some("batching"), Some("fail")));
    assert!(batching["fix"].as_str().is_some_and(|fix| fix.contains("batch")), "{batching}");
    // An idle gateway has nothing that fails; what nobody knows about it are warnings.
    let idle = doctor(&["--url", &url, "--seconds", "0.1"]);
    let text = String::from_utf8(idle.stdout).expect("text");
    assert_eq!(idle.status.code(), Some(0), "{text}");
    assert!(text.starts_with(&format!("gateway {url}: warn\n")) && text.contains("  pass  cpu"), "{text}");
    assert!(text.contains(", too early to tell whether it grows"), "{text}");
    let (_, metrics) = gateway.get("/metrics");
    for resource in ["memory", "buffers"] {
        let sample = format!("\naqueduct_leak_verdict{{resource=\"{resource}\",verdict=\"too_early\"}} 1\n");
        assert!(metrics.contains(&sample), "{metrics}");
    }
    let strict = doctor(&["--url", &url, "--seconds", "0.1", "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
    gateway.stop();
}

/// Guards what is said where there is nothing to look at.
#[test]
fn blindness_has_its_own_code() {
    let nobody = doctor(&["--url", "http://127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(2));
    let said = String::from_utf8(nobody.stderr).expect("text");
    assert!(said.contains("http://127.0.0.1:1") && said.contains("is a gateway running there?"), "{said}");
    let missing = doctor(&["--config", "/nowhere/aqueduct.yaml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(missing.stdout.is_empty());
}
