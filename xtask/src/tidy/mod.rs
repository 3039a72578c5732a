//! `cargo xtask tidy`: the rules of the workspace that the compiler does not know.
//!
//! A rule is a function over the [`Workspace`] that reports what breaks it. Each lies in its own file with tests that
//! show it failing. A rule that people keep by habit belongs here as soon as a program can see it broken.

mod bases;
mod benchmarks;
mod capabilities;
mod encoders;
mod file_size;
mod folders;
mod headers;
mod layering;
mod leftovers;
mod licences;
mod machine_paths;
mod manifests;
mod unsafe_code;
mod weight;

use std::fmt::Display;
use std::process::ExitCode;

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// A rule: its name, what it demands in a few words, and the function that looks for what breaks it.
struct Check {
    name: &'static str,
    demands: &'static str,
    find: fn(&Workspace, &mut Findings),
}

const CHECKS: &[Check] = &[
    Check { name: "layering", demands: "crates depend on lower layers only", find: layering::find },
    Check { name: "manifests", demands: "manifests follow the conventions", find: manifests::find },
    Check { name: "licences", demands: "both licence texts in every crate", find: licences::find },
    Check { name: "encoders", demands: "prost and tonic only behind features", find: encoders::find },
    Check { name: "bases", demands: "the base packages are used where promised", find: bases::find },
    Check { name: "folders", demands: "only the agreed folders at the top", find: folders::find },
    Check { name: "benchmarks", demands: "a suite and a row per crate", find: benchmarks::find },
    Check { name: "capabilities", demands: "capabilities name types that exist", find: capabilities::find },
    Check { name: "headers", demands: "every module says what it is for", find: headers::find },
    Check { name: "leftovers", demands: "nothing unfinished, no test switched off", find: leftovers::find },
    Check { name: "file-size", demands: "files of a readable length", find: file_size::find },
    Check { name: "machine-paths", demands: "no path of somebody's machine", find: machine_paths::find },
    Check {
        name: "unsafe-code",
        demands: "crates with unsafe code run under a sanitizer",
        find: unsafe_code::find,
    },
    Check { name: "weight", demands: "as few third-party crates as promised", find: weight::find },
];

/// What the checks found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    /// Something at `place` that breaks a rule.
    fn problem(&mut self, place: impl Display, message: impl Display) {
        self.problems.push(format!("{place}: {message}"));
    }

    /// Something at `place` that is worth a look and breaks nothing yet.
    fn warning(&mut self, place: impl Display, message: impl Display) {
        self.warnings.push(format!("{place}: {message}"));
    }
}

/// The names of the checks.
pub(crate) fn names() -> Vec<&'static str> {
    CHECKS.iter().map(|check| check.name).collect()
}

/// Runs the named checks, or all.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    if let Some(unknown) = arguments.iter().find(|argument| !names().contains(&argument.as_str())) {
        return Err(Failure::new(format!("no check {unknown:?}; there are {}", names().join(", "))));
    }
    let mut broken = 0;
    for check in
        CHECKS.iter().filter(|check| arguments.is_empty() || arguments.iter().any(|name| name == check.name))
    {
        let mut findings = Findings::default();
        (check.find)(workspace, &mut findings);
        let verdict = if findings.problems.is_empty() { "ok" } else { "BROKEN" };
        println!("{:<14} {verdict:<7} {}", check.name, check.demands);
        for warning in &findings.warnings {
            println!("    warning: {warning}");
        }
        for problem in &findings.problems {
            println!("    {problem}");
        }
        broken += findings.problems.len();
    }
    if broken > 0 {
        println!("tidy: {broken} problems");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod testing {
    //! What the tests of the checks have in common.

    use super::{CHECKS, Findings};
    use crate::fixture::Fixture;
    use crate::workspace::Workspace;

    /// Asserts that the check accepts the sound fixture and, after `spoil`, reports one problem that has `part` in it.
    pub(super) fn assert_finds(
        find: fn(&Workspace, &mut Findings),
        part: &str,
        spoil: impl FnOnce(&Fixture),
    ) {
        let fixture = Fixture::sound();
        let mut before = Findings::default();
        find(&fixture.workspace(), &mut before);
        assert_eq!(before.problems, Vec::<String>::new(), "the sound fixture must pass");
        spoil(&fixture);
        let mut after = Findings::default();
        find(&fixture.workspace(), &mut after);
        assert!(
            after.problems.iter().any(|problem| problem.contains(part)),
            "no {part:?} in {:?}",
            after.problems
        );
    }

    /// Guards the fixture and the checks against each other: the sound workspace breaks no rule at all.
    #[test]
    fn the_sound_workspace_passes_every_check() {
        let fixture = Fixture::sound();
        for check in CHECKS {
            let mut findings = Findings::default();
            (check.find)(&fixture.workspace(), &mut findings);
            assert_eq!(findings.problems, Vec::<String>::new(), "{}", check.name);
        }
    }
}
