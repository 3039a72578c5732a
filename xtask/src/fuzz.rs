//! `cargo xtask fuzz`: the fuzz targets, each for a while.
//!
//! The targets have the layout of cargo-fuzz, a package `fuzz` beside a crate's sources, so that its commands work too. We build and run them ourselves:
//! the pinned toolchain knows the flags and has the runtime of the sanitizer, and CI needs nothing that would have to be installed.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::failure::{Failure, Result};
use crate::process::{cargo, hand_over};
use crate::workspace::Workspace;

/// What libFuzzer needs to see where an input led, and AddressSanitizer.
const FLAGS: &str = "--cfg fuzzing -Zsanitizer=address -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 \
                     -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// Seconds for each target where nothing else is said.
const SECONDS: u64 = 60;

/// A package of fuzz targets.
pub(crate) struct Package {
    /// The crate that it belongs to.
    pub(crate) name: String,
    dir: PathBuf,
    pub(crate) targets: Vec<String>,
}

/// All of them, with the names of their targets in order.
pub(crate) fn packages(workspace: &Workspace) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for member in &workspace.members {
        let dir = workspace.root.join(&member.dir).join("fuzz");
        if !dir.join("Cargo.toml").is_file() {
            continue;
        }
        let sources = dir.join("fuzz_targets");
        let mut targets = Vec::new();
        for entry in std::fs::read_dir(&sources).map_err(|error| Failure::at(&sources, error))? {
            let path = entry.map_err(|error| Failure::at(&sources, error))?.path();
            targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
        targets.sort();
        packages.push(Package { name: member.name.clone(), dir, targets });
    }
    Ok(packages)
}

/// Builds all targets of a package.
pub(crate) fn build(workspace: &Workspace, package: &Package) -> Command {
    let mut command = cargo(&workspace.root);
    command.args(["build", "--release", "--locked", "--bins", "--target", TRIPLE, "--manifest-path"]);
    command.arg(package.dir.join("Cargo.toml")).arg("--target-dir").arg(target_dir(workspace));
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS);
    command
}

/// Runs a target that was built. New inputs go to a folder of their own; those in the repository are where it starts.
///
/// # Errors
///
/// If the folders cannot be made.
pub(crate) fn fuzz(workspace: &Workspace, package: &Package, target: &str, seconds: u64) -> Result<Command> {
    let own = target_dir(workspace).join("corpus").join(&package.name).join(target);
    let found = target_dir(workspace).join("artifacts").join(&package.name).join(target);
    for dir in [&own, &found] {
        std::fs::create_dir_all(dir).map_err(|error| Failure::at(dir, error))?;
    }
    let mut command = Command::new(target_dir(workspace).join(TRIPLE).join("release").join(target));
    command.current_dir(&workspace.root).arg(&own);
    let seeds = package.dir.join("corpus").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    // A slash at the end, or it would be the beginning of a name.
    command.arg(format!("-artifact_prefix={}/", found.display()));
    command.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={seconds}"));
    Ok(command)
}

fn target_dir(workspace: &Workspace) -> PathBuf {
    workspace.target_dir().join("fuzz")
}

/// Runs the targets that are named, or all, for 60 seconds each or as long as `--seconds` says.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let mut seconds = SECONDS;
    let mut names = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--seconds" {
            let text = rest.next().map_or("", String::as_str);
            seconds =
                text.parse().map_err(|_| Failure::new(format!("--seconds {text}: expected a number")))?;
        } else {
            names.push(argument);
        }
    }
    let packages = packages(workspace)?;
    let known = || packages.iter().flat_map(|package| package.targets.iter());
    if let Some(unknown) = names.iter().find(|name| !known().any(|target| target == **name)) {
        let known: Vec<&str> = known().map(String::as_str).collect();
        return Err(Failure::new(format!("no target {unknown:?}; there are {}", known.join(", "))));
    }
    for package in &packages {
        let wanted: Vec<&String> =
            package.targets.iter().filter(|target| names.is_empty() || names.contains(target)).collect();
        if wanted.is_empty() {
            continue;
        }
        let code = hand_over(build(workspace, package))?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
        for target in wanted {
            let code = hand_over(fuzz(workspace, package, target, seconds)?)?;
            if code != ExitCode::SUCCESS {
                return Ok(code);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
