//! Commands that another program carries out: cargo's tests, and the programs of the `benches` package.

use std::process::{Command, ExitCode, Stdio};

use crate::failure::{Failure, Result};
use crate::process::{cargo, hand_over};
use crate::workspace::Workspace;

/// The package with the programs that measure.
const PACKAGE: &str = "aqueduct-benches";
/// Its program for benchmarks.
pub(crate) const BENCH: &str = "bench";
/// Its program for real clients.
pub(crate) const INTEROP: &str = "interop";
/// Its program that counts instructions.
pub(crate) const INSTRUCTIONS: &str = "instructions";
/// Its program for faults.
pub(crate) const CHAOS: &str = "chaos";

/// Whether a command hands all its arguments on, `--help` included.
pub(crate) fn forwards(command: &str) -> bool {
    matches!(command, "test" | "bench" | "interop" | "chaos")
}

/// `cargo test --workspace --locked`, with further arguments behind it.
pub(crate) fn test(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let mut command = cargo(&workspace.root);
    command.args(["test", "--workspace", "--locked"]).args(arguments);
    hand_over(command)
}

/// The benchmark program.
pub(crate) fn bench(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    program(workspace, BENCH, arguments)
}

/// Real clients through the gateway.
pub(crate) fn interop(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    program(workspace, INTEROP, arguments)
}

/// Faults under load.
pub(crate) fn chaos(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    program(workspace, CHAOS, arguments)
}

/// The two builds before a program of the package runs: the gateway as it is shipped, which several programs start as
/// a process of its own, and all programs, because some start others. Two builds rather than one, because in one cargo
/// would unite their features and measure a gateway that nobody gets.
pub(crate) fn builds(workspace: &Workspace) -> [Command; 2] {
    let mut gateway = cargo(&workspace.root);
    gateway.args(["build", "--release", "--locked", "-p", "aqueduct-gateway"]);
    let mut programs = cargo(&workspace.root);
    programs.args(["build", "--release", "--locked", "-p", PACKAGE, "--bins"]);
    [gateway, programs]
}

/// A program of the package, built already.
pub(crate) fn built(workspace: &Workspace, program: &str) -> Command {
    let mut command = cargo(&workspace.root);
    command.args(["run", "--release", "--locked", "--quiet", "-p", PACKAGE, "--bin", program, "--"]);
    command
}

fn program(workspace: &Workspace, program: &str, arguments: &[String]) -> Result<ExitCode> {
    for mut build in builds(workspace) {
        // Standard output belongs to the program: with --json every line of it is an object.
        build.stdout(Stdio::null());
        let status = build.status().map_err(|error| Failure::new(format!("cargo build: {error}")))?;
        if !status.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    let mut command = built(workspace, program);
    command.args(arguments);
    hand_over(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::spell;

    /// Guards what is measured: the gateway as it is shipped, built apart from the programs that measure it.
    #[test]
    fn the_gateway_is_built_by_itself() {
        let workspace = Workspace::of_this_binary().expect("this test runs in its workspace");
        let [gateway, programs] = builds(&workspace).map(|command| spell(&command));
        assert_eq!(gateway, "cargo build --release --locked -p aqueduct-gateway");
        assert_eq!(programs, "cargo build --release --locked -p aqueduct-benches --bins");
        assert!(spell(&built(&workspace, BENCH)).ends_with("--bin bench --"));
    }
}
