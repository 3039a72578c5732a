//! `cargo xtask loom`: the models of concurrent structures, under every interleaving that loom finds.

use std::process::{Command, ExitCode};

use crate::failure::{Failure, Result};
use crate::process::{cargo, hand_over};
use crate::workspace::{Member, Workspace};

/// The switch that exchanges atomics, cells and threads for loom's; crossbeam-epoch knows it too.
const SWITCH: &str = "--cfg crossbeam_loom";

/// The members that have models: an integration test named `loom`.
pub(crate) fn modelled(workspace: &Workspace) -> Vec<&Member> {
    let has_models = |member: &&Member| {
        let tests = workspace.root.join(&member.dir).join("tests");
        tests.join("loom.rs").is_file() || tests.join("loom/main.rs").is_file()
    };
    workspace.members.iter().filter(has_models).collect()
}

/// The models of one crate. In release mode: loom tries tens of thousands of interleavings.
pub(crate) fn command(workspace: &Workspace, member: &Member, arguments: &[String]) -> Command {
    let mut command = cargo(&workspace.root);
    command.args(["test", "--release", "--locked", "-p", &member.name, "--test", "loom", "--"]);
    command.args(arguments).env("RUSTFLAGS", SWITCH);
    command
}

/// Runs the models of the crates that are named, or of all, with what follows `--` handed to the tests.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let (names, rest) = match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &[][..]),
    };
    let modelled = modelled(workspace);
    let named = |member: &&&Member, name: &str| {
        member.name == name || member.name.strip_prefix("aqueduct-") == Some(name)
    };
    if let Some(unknown) = names.iter().find(|name| !modelled.iter().any(|member| named(&member, name))) {
        let known: Vec<&str> = modelled.iter().map(|member| member.name.as_str()).collect();
        return Err(Failure::new(format!("{unknown:?} has no models; there are {}", known.join(", "))));
    }
    for member in modelled {
        if names.is_empty() || names.iter().any(|name| named(&&member, name)) {
            let code = hand_over(command(workspace, member, rest))?;
            if code != ExitCode::SUCCESS {
                return Ok(code);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
