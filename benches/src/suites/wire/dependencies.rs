//! What a user of the crate compiles with it.

use std::collections::BTreeSet;

use crate::Failure;
use crate::harness::{Declared, Run, Samples};
use crate::process::cargo_command;

pub(super) const ROW: Declared = Declared::lower("dependencies, default features", "crates").bar("ours<=12");

/// Asks cargo for the crates that `aqueduct-wire` needs to run, at any depth, ours not counted.
pub(super) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    if !run.wants(ROW.name) {
        return Ok(());
    }
    let arguments =
        ["--package", "aqueduct-wire", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let output = cargo_command("tree").args(arguments).arg("--locked").output()?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let tree = String::from_utf8(output.stdout)?;
    // The first line is the crate itself; repeated ones are marked so after name and version.
    let package = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let packages: BTreeSet<String> = tree.lines().map(package).collect();
    let others = packages.iter().filter(|name| !name.is_empty() && !name.starts_with("aqueduct-")).count();
    run.record(ROW.name, &Samples::one(others as f64))
}
