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
    Ok(Done::Passed(format!("{CASES} cases a property")))
}
