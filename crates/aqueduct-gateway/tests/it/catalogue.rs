//! `aqueduct metrics` against a gateway that runs.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::process::Gateway;

/// Guards docs, alerts and dashboard, which are made from the list: what a gateway publishes is on it with the same kind, help and labels, and what is on it is published.
#[test]
fn the_list_of_metrics_is_what_is_published() {
    let listed = Command::new(env!("CARGO_BIN_EXE_aqueduct")).args(["metrics", "--json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let mut labels = BTreeMap::new();
    let mut listed: BTreeMap<String, (String, String)> = listed
        .as_array()
        .expect("parts")
        .iter()
        .flat_map(|part| part["metrics"].as_array().expect("metrics"))
        .map(|metric| {
            let text = |key: &str| metric[key].as_str().expect(key).to_owned();
            let names: Vec<_> =
                metric["attributes"].as_array().expect("labels").iter().filter_map(Value::as_str).collect();
            labels.insert(text("name"), names.join(","));
            (text("name"), (text("kind"), text("help")))
        })
        .collect();
    let nowhere = "127.0.0.1:1".parse().expect("an address");
    let gateway = Gateway::launch(&[], &[], &crate::tuning::config(&nowhere, "{mode: suggest}"));
    let (_, page) = gateway.get("/metrics");
    let (mut helps, mut family) = (BTreeMap::new(), "");
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            helps.insert(name, help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let known = listed.remove(name).unwrap_or_else(|| panic!("{name} is not on the list"));
            assert_eq!((kind, helps[name]), (known.0.as_str(), known.1.as_str()), "{name}");
            family = name;
        } else {
            let inside = line.split_once('{').map_or("", |(_, rest)| rest);
            // No value of a label here has a quote or a comma in it.
            let names = inside.split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name);
            let names: Vec<_> = names.filter(|name| *name != "le").collect();
            assert_eq!(names.join(","), labels[family], "{line}");
        }
    }
    // Nobody has set a limit for the process of a test, or somebody has.
    listed.retain(|name, _| !name.ends_with("_limit_bytes") && !name.ends_with("_limit_cores"));
    assert!(listed.is_empty(), "not published: {:?}", listed.keys());
}
