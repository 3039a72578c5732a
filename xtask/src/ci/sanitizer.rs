//! Tests of crates with unsafe code under AddressSanitizer.

use super::{Done, LIMIT};
use crate::failure::Result;
use crate::process::{Log, cargo};
use crate::workspace::Workspace;

/// The target whose sanitizer runtime comes with the toolchain.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs the tests of the crates whose manifest says `[package.metadata.aqueduct] sanitize = true`.
///
/// The pinned toolchain has the runtime and knows the flag; `RUSTC_BOOTSTRAP` unlocks it. That spares a second
/// toolchain, and the code under test is what the release compiles.
pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let crates: Vec<&str> = workspace
        .members
        .iter()
        .filter(|member| member.says("sanitize"))
        .map(|member| member.name.as_str())
        .collect();
    if crates.is_empty() {
        return Ok(Done::Skipped("no crate has unsafe code".to_owned()));
    }
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Ok(Done::Skipped(format!("needs {TARGET}")));
    }
    for name in &crates {
        let mut command = cargo(&workspace.root);
        // With --target the flags do not reach build scripts, and the builds lie apart from the ordinary ones.
        command.args([
            "test",
            "--locked",
            "--lib",
            "--tests",
            "--all-features",
            "--target",
            TARGET,
            "-p",
            name,
        ]);
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
        log.run(&mut command, LIMIT)?;
    }
    Ok(Done::Passed(crates.join(", ")))
}
