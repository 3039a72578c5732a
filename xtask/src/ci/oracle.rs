//! Properties over generated requests, ten thousand cases each: the bytes that `wire` reads, writes and rewrites, against prost.

use super::{Done, LIMIT};
use crate::failure::Result;
use crate::process::{Log, cargo};
use crate::workspace::Workspace;

/// The tests by themselves take 256.
const CASES: &str = "10000";

pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let mut command = cargo(&workspace.root);
    command.env("PROPTEST_CASES", CASES);
    command.args([
        "test",
        "--release",
        "--locked",
        "--package",
        "aqueduct-wire",
        "--all-features",
        "--test",
        "it",
    ]);
    log.run(&mut command, LIMIT)?;

    // Any crate of a user's build can switch this on, and then numbers come otherwise. Optimized again, for the sake of what is compiled already.
    let mut command = cargo(&workspace.root);
    command.args(["test", "--release", "--locked", "--package", "aqueduct-wire", "--all-features"]);
    command.args([
        "--features",
        "serde_json/arbitrary_precision",
        "--test",
        "it",
        "--",
        "json::",
        "json_lines::",
        "golden::",
    ]);
    log.run(&mut command, LIMIT)?;
    Ok(Done::Passed(format!("{CASES} cases a property")))
}
