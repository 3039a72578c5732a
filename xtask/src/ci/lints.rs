//! The steps that read the code without running it.

use std::process::Command;

use super::{Done, LIMIT};
use crate::failure::{Failure, Result};
use crate::process::{Log, cargo};
use crate::workspace::Workspace;

pub(super) fn fmt(workspace: &Workspace, log: &Log) -> Result<Done> {
    need_component(workspace, log, "fmt", "rustfmt")?;
    cargo_step(workspace, log, &["fmt", "--all", "--", "--check", "--color", "never"])
}

pub(super) fn clippy(workspace: &Workspace, log: &Log) -> Result<Done> {
    need_component(workspace, log, "clippy", "clippy")?;
    let arguments =
        ["clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"];
    cargo_step(workspace, log, &arguments)
}

/// Installs a component that the toolchain lacks: the toolchain file names both, but a toolchain that was there
/// before the file is not always completed.
fn need_component(workspace: &Workspace, log: &Log, subcommand: &str, component: &str) -> Result<()> {
    if log.run(cargo(&workspace.root).args([subcommand, "--version"]), LIMIT).is_ok() {
        return Ok(());
    }
    let mut install = Command::new("rustup");
    install.args(["component", "add", component]).current_dir(&workspace.root);
    log.run(&mut install, LIMIT)
        .map_err(|failure| Failure::new(format!("{component} is missing, and {failure}; install it by hand")))
}

pub(super) fn rustdoc(workspace: &Workspace, log: &Log) -> Result<Done> {
    let mut command = cargo(&workspace.root);
    command.args(["doc", "--workspace", "--no-deps", "--all-features", "--locked"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    log.run(&mut command, LIMIT)?;
    Done::passed()
}

pub(super) fn tidy(workspace: &Workspace, log: &Log) -> Result<Done> {
    own_step(workspace, log, &["tidy"])
}

pub(super) fn docs(workspace: &Workspace, log: &Log) -> Result<Done> {
    own_step(workspace, log, &["docs", "--check"])
}

/// Each published crate as a user builds it who takes it alone: with nothing, and with everything.
pub(super) fn features(workspace: &Workspace, log: &Log) -> Result<Done> {
    let mut broken = Vec::new();
    // All crates with nothing first, then all with everything: neighbours share the features of what lies below.
    for features in ["--no-default-features", "--all-features"] {
        for member in workspace.published() {
            let mut command = cargo(&workspace.root);
            command.args(["check", "--locked", "-p", &member.name, features]);
            if let Err(failure) = log.run(&mut command, LIMIT) {
                broken.push(failure.to_string());
            }
        }
    }
    if broken.is_empty() {
        return Ok(Done::Passed(format!("{} crates, twice each", workspace.published().count())));
    }
    Err(Failure::new(broken.join("; ")))
}

fn cargo_step(workspace: &Workspace, log: &Log, arguments: &[&str]) -> Result<Done> {
    log.run(cargo(&workspace.root).args(arguments), LIMIT)?;
    Done::passed()
}

/// A command of our own, as a process so that its output goes to the log.
fn own_step(workspace: &Workspace, log: &Log, arguments: &[&str]) -> Result<Done> {
    let own = std::env::current_exe().map_err(|error| Failure::new(error.to_string()))?;
    log.run(Command::new(own).args(arguments).current_dir(&workspace.root), LIMIT)?;
    Done::passed()
}
