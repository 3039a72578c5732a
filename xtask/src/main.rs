//! Automation of the workspace: one entry point for everything a developer or CI does. See `cargo xtask help`.
//!
//! Each command is a module; [`COMMANDS`] is the table of them. What a command can say about the workspace it learns
//! from the manifests through [`workspace`] and from the sources through [`sources`], so every rule can be tried on a
//! small made-up workspace in a test.

#![allow(clippy::print_stdout, reason = "a command-line tool: standard output is where its answers belong")]

mod ci;
mod docs;
mod failure;
#[cfg(test)]
mod fixture;
mod flamegraph;
mod forward;
mod fuzz;
mod help;
mod loom;
mod ops;
mod process;
mod release;
mod sources;
mod tidy;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Result};
use workspace::Workspace;

/// A command: its name, its arguments and purpose for `help`, and the function that runs it.
struct Command {
    name: &'static str,
    arguments: &'static str,
    purpose: &'static str,
    run: fn(&Workspace, &[String]) -> Result<ExitCode>,
}

/// Every command, in the order in which `help` lists them.
const COMMANDS: &[Command] = &[
    Command {
        name: "ci",
        arguments: "[--long] [STEP]...",
        purpose: "everything that must hold, step by step with minutes (or only the named steps)",
        run: ci::run,
    },
    Command {
        name: "test",
        arguments: "[ARGUMENT]...",
        purpose: "cargo test --workspace --locked",
        run: forward::test,
    },
    Command {
        name: "tidy",
        arguments: "[CHECK]...",
        purpose: "the rules of the workspace that the compiler does not know",
        run: tidy::run,
    },
    Command {
        name: "docs",
        arguments: "[--check]",
        purpose: "READMEs from crate docs, licence texts into crates; --check only compares",
        run: docs::run,
    },
    Command {
        name: "ops",
        arguments: "[--check]",
        purpose: "docs/metrics.md, alert rules and dashboard from what the gateway publishes; --check only compares",
        run: ops::run,
    },
    Command {
        name: "bench",
        arguments: "[SUITE]... [--case SUBSTR] [--quick] [--json]",
        purpose: "benchmarks against peers and a floor; without a suite all, rewriting docs/benchmarks.md",
        run: forward::bench,
    },
    Command {
        name: "flamegraph",
        arguments: "[--seconds N] [--out FILE]",
        purpose: "where the gateway's processor time goes under load: target/flamegraph.svg, and the top 20 functions",
        run: flamegraph::run,
    },
    Command {
        name: "loom",
        arguments: "[CRATE]... [-- ARGUMENT...]",
        purpose: "the models of concurrent structures, under every interleaving that loom finds and random ones of shuttle's",
        run: loom::run,
    },
    Command {
        name: "fuzz",
        arguments: "[TARGET]... [--seconds N]",
        purpose: "the fuzz targets, each for 60 seconds or as long as said",
        run: fuzz::run,
    },
    Command {
        name: "interop",
        arguments: "[ARGUMENT]...",
        purpose: "real OpenTelemetry clients through the gateway, compared field by field",
        run: forward::interop,
    },
    Command {
        name: "chaos",
        arguments: "[ARGUMENT]...",
        purpose: "faults under load: nothing lost, everything counted",
        run: forward::chaos,
    },
    Command {
        name: "release",
        arguments: "--dry-run",
        purpose: "order, versions, changes and rate limits of the next release, and cargo's own rehearsal",
        run: release::run,
    },
    Command { name: "help", arguments: "", purpose: "this text", run: help::run },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = arguments.collect();
    match dispatch(&name, &rest) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("xtask {name}: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Finds the command and runs it on the workspace this binary was built from.
fn dispatch(name: &str, rest: &[String]) -> Result<ExitCode> {
    let name = if matches!(name, "-h" | "--help") { "help" } else { name };
    let command = COMMANDS
        .iter()
        .find(|command| command.name == name)
        .ok_or_else(|| Failure::new("no such command; `cargo xtask help` lists them"))?;
    if rest.iter().any(|argument| argument == "--help" || argument == "-h") && !forward::forwards(name) {
        println!("cargo xtask {} {}\n    {}", command.name, command.arguments, command.purpose);
        return Ok(ExitCode::SUCCESS);
    }
    (command.run)(&Workspace::of_this_binary()?, rest)
}
