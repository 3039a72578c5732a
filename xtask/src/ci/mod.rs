//! `cargo xtask ci`: everything that must hold before a change is taken, one step after the other.
//!
//! A step that fails does not stop the others, so that one run shows all there is to repair. Steps that share build
//! results stand beside each other: everything that only checks, then what builds in debug mode after the tests, then
//! release builds. Each step writes to a log of its own in the folder `ci` of the target directory.

mod demo;
mod examples;
mod fuzzing;
mod lints;
mod models;
mod ops;
mod oracle;
mod packages;
mod profile;
mod programs;
mod sanitizer;
mod table;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::process::Log;
use crate::workspace::Workspace;
pub(crate) use packages::publish_dry_run;
use table::{Row, Verdict};

/// The time after which a command counts as hanging. The longest, a release build from nothing, takes a fraction.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// A step: its name, what it shows, whether only `--long` has it, and the function that does it.
struct Step {
    name: &'static str,
    shows: &'static str,
    long: bool,
    run: fn(&Workspace, &Log) -> Result<Done>,
}

/// How a step ended that did not fail.
enum Done {
    /// It did its work; in a few words, what.
    Passed(String),
    /// There was nothing to do, and why.
    Skipped(String),
}

impl Done {
    fn passed() -> Result<Self> {
        Ok(Self::Passed(String::new()))
    }
}

const STEPS: &[Step] = &[
    Step { name: "fmt", shows: "the code is formatted", long: false, run: lints::fmt },
    Step { name: "tidy", shows: "the rules of the workspace hold", long: false, run: lints::tidy },
    Step { name: "docs", shows: "READMEs match the crate docs", long: false, run: lints::docs },
    Step { name: "clippy", shows: "no warning; MSRV (incompatible_msrv)", long: false, run: lints::clippy },
    Step { name: "rustdoc", shows: "documentation without a warning", long: false, run: lints::rustdoc },
    Step {
        name: "features",
        shows: "each crate alone, no and all features",
        long: false,
        run: lints::features,
    },
    Step { name: "examples", shows: "every example builds and runs", long: false, run: examples::run },
    Step { name: "ops", shows: "metrics, alerts and dashboard agree", long: false, run: ops::run },
    Step { name: "loom", shows: "models of concurrent structures", long: false, run: models::run },
    Step { name: "sanitizer", shows: "unsafe code under ASan and TSan", long: false, run: sanitizer::run },
    Step { name: "fuzz", shows: "fuzz targets, a short while each", long: false, run: fuzzing::run },
    Step {
        name: "package",
        shows: "cargo publish --dry-run of all crates",
        long: false,
        run: packages::dry_run,
    },
    Step {
        name: "outside",
        shows: "a crate elsewhere uses the packages",
        long: false,
        run: packages::outside,
    },
    Step { name: "oracle", shows: "OTLP bytes against prost", long: false, run: oracle::run },
    Step { name: "demo", shows: "the main job loses nothing", long: false, run: demo::run },
    Step { name: "profile", shows: "profiles, heap profile, tokio-console", long: false, run: profile::run },
    Step { name: "bench", shows: "benchmarks run and are complete", long: false, run: programs::bench },
    Step {
        name: "instructions",
        shows: "operations within their budgets",
        long: false,
        run: programs::instructions,
    },
    Step { name: "chaos", shows: "faults under load, the short ones", long: false, run: programs::chaos },
    Step { name: "interop", shows: "real clients, field by field", long: false, run: programs::interop },
    Step { name: "chaos-all", shows: "faults under load, all", long: true, run: programs::chaos_all },
    Step { name: "bench-all", shows: "every benchmark in full", long: true, run: programs::bench_all },
];

/// The names of the steps.
pub(crate) fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// Runs the steps and shows how each ended.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let long = arguments.iter().any(|argument| argument == "--long");
    let wanted: Vec<&String> = arguments.iter().filter(|argument| *argument != "--long").collect();
    if let Some(unknown) = wanted.iter().find(|name| !names().contains(&name.as_str())) {
        return Err(Failure::new(format!("no step {unknown:?}; there are {}", names().join(", "))));
    }
    let chosen = STEPS.iter().filter(|step| {
        if wanted.is_empty() { long || !step.long } else { wanted.iter().any(|name| *name == step.name) }
    });
    let mut rows = Vec::new();
    let mut ends = Vec::new();
    for step in chosen {
        println!("=== {}: {}", step.name, step.shows);
        let (row, log) = run_step(workspace, step)?;
        println!("    {row}");
        if matches!(row.verdict, Verdict::Failed(_)) {
            println!("{}", log.tail(60));
            ends.push(format!("--- {}\n{}\n", step.name, log.tail(6)));
        }
        rows.push(row);
    }
    // Whoever sees only the last lines of a run should see why it failed.
    print!("{}{}", ends.concat(), table::render(&rows));
    let failed = rows.iter().any(|row| matches!(row.verdict, Verdict::Failed(_)));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs a step; how it ended, and its log.
fn run_step(workspace: &Workspace, step: &Step) -> Result<(Row, Log)> {
    let log = Log::create(workspace.target_dir().join("ci").join(step.name).with_extension("log"))?;
    let start = Instant::now();
    let verdict = match (step.run)(workspace, &log) {
        Ok(Done::Passed(note)) => Verdict::Passed(note),
        Ok(Done::Skipped(reason)) => Verdict::Skipped(reason),
        Err(failure) => Verdict::Failed(failure.to_string()),
    };
    Ok((Row { name: step.name, verdict, took: start.elapsed() }, log))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the page about CI: each step has its row there, with the minutes it takes.
    #[test]
    fn every_step_has_a_row_in_the_documentation() {
        let workspace = Workspace::of_this_binary().expect("this test runs in its workspace");
        let page = workspace.text("docs/ci.md").expect("the page exists");
        for name in names() {
            assert!(page.lines().any(|line| line.starts_with(&format!("| `{name}`"))), "{name} has no row");
        }
    }

    /// Guards the choice of steps against a typing error that would run nothing and pass.
    #[test]
    fn an_unknown_step_is_refused() {
        let workspace = Workspace::of_this_binary().expect("this test runs in its workspace");
        let refused = run(&workspace, &["clipy".to_owned()]).expect_err("no such step");
        assert!(refused.to_string().contains("clipy"));
    }
}
