//! Every example of a published crate builds and runs to a good end.
//!
//! They are built as `cargo test --workspace` built them, so after the tests there is nothing left to compile.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Done, LIMIT};
use crate::failure::{Failure, Result};
use crate::process::{Log, cargo};
use crate::workspace::Workspace;

/// Examples that need arguments to end by themselves, as `(package, example, arguments)`. Others run without.
const ARGUMENTS: &[(&str, &str, &[&str])] = &[
    ("aqueduct-opentelemetry", "axum_service", &["--once"]),
    ("aqueduct-receiver", "count", &["127.0.0.1:0", "127.0.0.1:0", "1"]),
];

/// An example shows something in seconds, or nobody waits for it.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(60);

/// An example that cargo built.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    package: String,
    name: String,
    executable: PathBuf,
}

pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let mut command = cargo(&workspace.root);
    command.args([
        "build",
        "--workspace",
        "--examples",
        "--locked",
        "--message-format",
        "json-render-diagnostics",
    ]);
    let built = log.output(&mut command, LIMIT)?;
    let examples: Vec<Example> = built
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter_map(|message: Value| example(&message))
        .filter(|example| workspace.member(&example.package).is_some_and(|member| member.is_published()))
        .collect();
    for (package, name, _) in ARGUMENTS {
        if !examples.iter().any(|example| example.package == *package && example.name == *name) {
            return Err(Failure::new(format!(
                "arguments are listed for {package}'s example {name}, which is gone"
            )));
        }
    }
    let mut broken = Vec::new();
    for example in &examples {
        let arguments =
            ARGUMENTS.iter().find(|(package, name, _)| example.package == *package && example.name == *name);
        let mut command = Command::new(&example.executable);
        command.args(arguments.map_or(&[][..], |(_, _, arguments)| arguments)).current_dir(&workspace.root);
        if let Err(failure) = log.run(&mut command, EXAMPLE_LIMIT) {
            broken.push(failure.to_string());
        }
    }
    match (examples.is_empty(), broken.is_empty()) {
        (true, _) => Ok(Done::Skipped("no published crate has examples".to_owned())),
        (false, true) => Ok(Done::Passed(format!("{} examples", examples.len()))),
        (false, false) => Err(Failure::new(broken.join("; "))),
    }
}

/// The example that a message of cargo reports as built.
fn example(message: &Value) -> Option<Example> {
    let target = &message["target"];
    if message["reason"] != "compiler-artifact" || target["kind"].as_array()?.first()? != "example" {
        return None;
    }
    // The package's folder is the crate's name: tidy sees to it.
    let manifest = PathBuf::from(message["manifest_path"].as_str()?);
    Some(Example {
        package: manifest.parent()?.file_name()?.to_string_lossy().into_owned(),
        name: target["name"].as_str()?.to_owned(),
        executable: PathBuf::from(message["executable"].as_str()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the reading of cargo's messages: a silent mismatch would run nothing and call it passed.
    #[test]
    fn examples_are_found_in_the_messages_of_cargo() {
        let message = |kind: &str| {
            serde_json::json!({
                "reason": "compiler-artifact", "manifest_path": "/x/crates/aqueduct-wire/Cargo.toml",
                "target": {"kind": [kind], "name": "count"}, "executable": "/x/target/debug/examples/count",
            })
        };
        let found = example(&message("example")).expect("an example");
        assert_eq!((found.package.as_str(), found.name.as_str()), ("aqueduct-wire", "count"));
        assert_eq!(example(&message("lib")), None);
        assert_eq!(example(&serde_json::json!({"reason": "build-finished"})), None);
    }
}
