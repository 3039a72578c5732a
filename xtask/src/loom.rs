//! `cargo xtask loom`: the models of concurrent structures, under every interleaving that loom finds, and under random ones of shuttle's
//! where there is too much for every.

use std::fmt;
use std::process::{Command, ExitCode};

use crate::failure::{Failure, Result};
use crate::process::{cargo, hand_over};
use crate::workspace::{Member, Workspace};

/// What schedules the threads of a model.
#[derive(Clone, Copy)]
struct Checker {
    /// The integration test that has the models.
    test: &'static str,
    /// The switch that exchanges atomics, cells and threads for the checker's.
    switch: &'static str,
}

/// crossbeam-epoch knows loom's switch, too.
const CHECKERS: [Checker; 2] = [
    Checker { test: "loom", switch: "--cfg crossbeam_loom" },
    Checker { test: "shuttle", switch: "--cfg aqueduct_shuttle" },
];

/// The models of one crate for one checker.
pub(crate) struct Models<'w> {
    member: &'w Member,
    checker: Checker,
}

impl Models<'_> {
    fn are_of(&self, name: &str) -> bool {
        self.member.name == name || self.member.name.strip_prefix("aqueduct-") == Some(name)
    }
}

impl fmt::Display for Models<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.member.name, self.checker.test)
    }
}

/// The models that there are: integration tests named as a checker.
pub(crate) fn modelled(workspace: &Workspace) -> Vec<Models<'_>> {
    let has_models = |models: &Models<'_>| {
        let tests = workspace.root.join(&models.member.dir).join("tests");
        let test = models.checker.test;
        tests.join(format!("{test}.rs")).is_file() || tests.join(test).join("main.rs").is_file()
    };
    let all = workspace.members.iter().flat_map(|member| CHECKERS.map(|checker| Models { member, checker }));
    all.filter(has_models).collect()
}

/// Runs them. In release mode: tens of thousands of interleavings are tried.
pub(crate) fn command(workspace: &Workspace, models: &Models<'_>, arguments: &[String]) -> Command {
    let mut command = cargo(&workspace.root);
    let (name, test) = (&models.member.name, models.checker.test);
    command.args(["test", "--release", "--locked", "-p", name, "--test", test, "--"]);
    command.args(arguments).env("RUSTFLAGS", models.checker.switch);
    command
}

/// Runs the models of the crates that are named, or of all, with what follows `--` handed to the tests.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let (names, rest) = match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &[][..]),
    };
    let modelled = modelled(workspace);
    if let Some(unknown) = names.iter().find(|name| !modelled.iter().any(|models| models.are_of(name))) {
        let mut known: Vec<&str> = modelled.iter().map(|models| models.member.name.as_str()).collect();
        known.dedup();
        return Err(Failure::new(format!("{unknown:?} has no models; there are {}", known.join(", "))));
    }
    for models in &modelled {
        if names.is_empty() || names.iter().any(|name| models.are_of(name)) {
            let code = hand_over(command(workspace, models, rest))?;
            if code != ExitCode::SUCCESS {
                return Ok(code);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
