//! What a user compiles along with a crate stays within what its manifest promises.
//!
//! `[package.metadata.aqueduct] weight = [{ features = "http", crates = 45, without = ["tonic"] }]`: with these features and without the default ones there are at
//! most so many third-party crates at any depth (dev- and build-dependencies aside), and none of these among them.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Value;

use super::Findings;
use crate::failure::Result;
use crate::process::{cargo, read};
use crate::workspace::Workspace;

pub(super) fn find(workspace: &Workspace, findings: &mut Findings) {
    for member in workspace.published() {
        let promises = member.get(&["package", "metadata", "aqueduct", "weight"]).and_then(Value::as_array);
        for promise in promises.into_iter().flatten() {
            let features = promise.get("features").and_then(Value::as_str).unwrap_or_default();
            match tree(&workspace.root, &member.name, features) {
                Ok(tree) => {
                    for problem in weigh(&tree, promise) {
                        findings
                            .problem(&member.name, format_args!("with the features {features:?}: {problem}"));
                    }
                }
                Err(error) => findings.problem(&member.name, error),
            }
        }
    }
}

fn tree(root: &Path, package: &str, features: &str) -> Result<String> {
    let mut tree = cargo(root);
    tree.args(["tree", "--package", package, "--no-default-features", "--features", features]);
    tree.args(["--edges", "normal", "--prefix", "none", "--format", "{p}", "--locked"]);
    read(tree)
}

/// What breaks the promise.
fn weigh(tree: &str, promise: &Value) -> Vec<String> {
    // Repeated packages are marked so after name and version.
    let packages: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or_default()))
        .filter(|(name, _)| !name.starts_with("aqueduct-"))
        .collect();
    let mut problems = Vec::new();
    match promise.get("crates").and_then(Value::as_integer) {
        Some(most) if packages.len() as i64 > most => {
            problems.push(format!("{} third-party crates, promised are at most {most}", packages.len()));
        }
        Some(_) => {}
        None => problems.push("the promise lacks a number of `crates`".to_owned()),
    }
    let without = promise.get("without").and_then(Value::as_array);
    for banned in without.into_iter().flatten().filter_map(Value::as_str) {
        if packages.iter().any(|(name, _)| *name == banned) {
            problems.push(format!("{banned} is among them, promised is that it is not"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "aqueduct-x v0.1.0 (/x)\nbytes v1.0.0\nh2 v0.4.0\nbytes v1.0.0 (*)\nh2 v0.5.0\n";

    fn problems(promise: &str) -> Vec<String> {
        let promise: Value = toml::from_str::<toml::Table>(promise).map(Value::Table).expect("valid TOML");
        weigh(TREE, &promise)
    }

    /// Guards the count: versions apart, repetitions and our own crates not.
    #[test]
    fn crates_are_counted_once() {
        assert!(problems("crates = 3").is_empty());
        assert_eq!(problems("crates = 2"), ["3 third-party crates, promised are at most 2"]);
    }

    #[test]
    fn what_was_promised_to_be_absent_is_found() {
        assert!(problems("crates = 3\nwithout = [\"tonic\"]").is_empty());
        assert_eq!(problems("crates = 3\nwithout = [\"h2\"]").len(), 1);
        assert_eq!(problems("").len(), 1, "a promise of nothing is none");
    }
}
