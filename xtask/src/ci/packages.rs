//! Publishing rehearsed: cargo's own dry run of all crates together, then a crate elsewhere that uses the packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Done, LIMIT};
use crate::docs::LICENCES;
use crate::failure::{Failure, Result};
use crate::process::{Log, cargo, read};
use crate::workspace::{Member, Workspace};

/// Files every package must carry.
const CARRIED: [&str; 2] = ["README.md", "CHANGELOG.md"];

/// The umbrella, through which the crate elsewhere uses the others.
const UMBRELLA: &str = "aqueduct";

/// What the crate elsewhere does: it counts an empty request and asks a ledger, through the umbrella's modules.
const PROGRAM: &str = r#"
use aqueduct::metrics::Ledger;
use aqueduct::wire::{Limits, Signal, validate};

fn main() {
    let summary = validate(Signal::Traces, &[], &Limits::default()).expect("an empty request is valid");
    let ledger = Ledger::new();
    ledger.accept(summary.items).delivered();
    assert_eq!(ledger.snapshot().held(), 0);
    println!("{} spans, as it should be", summary.items);
}
"#;

/// `cargo publish --workspace --dry-run`, which packages every crate and builds it from its package against the
/// packages of the others, and then what a package must contain.
pub(super) fn dry_run(workspace: &Workspace, log: &Log) -> Result<Done> {
    log.run(&mut publish_dry_run(workspace), LIMIT)?;
    log.run(&mut package_command(workspace), LIMIT)?;
    let mut missing = Vec::new();
    for member in workspace.published() {
        let mut list = Command::new("tar");
        list.arg("-tzf").arg(archive(workspace, member));
        let listed = read(list)?;
        for file in LICENCES.iter().chain(&CARRIED) {
            let wanted = format!("{}-{}/{file}", member.name, member.version());
            if !listed.lines().any(|line| line == wanted) {
                missing.push(wanted);
            }
        }
    }
    if missing.is_empty() {
        return Ok(Done::Passed(format!("{} packages", workspace.published().count())));
    }
    Err(Failure::new(format!("packages lack {}", missing.join(", "))))
}

/// Unpacks the packages and builds and runs a new crate against them, outside of the workspace.
pub(super) fn outside(workspace: &Workspace, log: &Log) -> Result<Done> {
    let Some(umbrella) = workspace.member(UMBRELLA) else {
        return Ok(Done::Skipped(format!("there is no crate {UMBRELLA}")));
    };
    let dir = Scratch::new()?;
    // Again rather than what lies there: this step may run alone, after the sources have changed.
    log.run(&mut package_command(workspace), LIMIT)?;
    let mut patches = String::new();
    for member in workspace.published() {
        let mut unpack = Command::new("tar");
        unpack.arg("-xzf").arg(archive(workspace, member)).arg("-C").arg(&dir.0);
        log.run(&mut unpack, LIMIT)?;
        patches.push_str(&format!("{0} = {{ path = \"{0}-{1}\" }}\n", member.name, member.version()));
    }
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[workspace]\n\n\
         [dependencies]\n{UMBRELLA} = \"{}\"\n\n[patch.crates-io]\n{patches}",
        umbrella.version()
    );
    write(&dir.0.join("Cargo.toml"), &manifest)?;
    write(&dir.0.join("src/main.rs"), PROGRAM)?;
    // The versions this workspace was tested with, and a toolchain file that cargo would not find from there.
    for file in ["Cargo.lock", "rust-toolchain.toml"] {
        if let Some(text) = workspace.text(file) {
            write(&dir.0.join(file), &text)?;
        }
    }
    let mut run = cargo(&dir.0);
    // The same target directory: what the dry run compiled is compiled.
    run.arg("run").env("CARGO_TARGET_DIR", workspace.target_dir());
    let answer = log.output(&mut run, LIMIT)?;
    Ok(Done::Passed(answer.trim().to_owned()))
}

/// `cargo publish --workspace --dry-run`.
pub(crate) fn publish_dry_run(workspace: &Workspace) -> Command {
    let mut command = cargo(&workspace.root);
    command.args(["publish", "--workspace", "--dry-run", "--locked"]);
    allow_dirty(workspace, &mut command);
    command
}

/// Writes the packages; the dry run before has built each from its package already.
fn package_command(workspace: &Workspace) -> Command {
    let mut command = cargo(&workspace.root);
    command.args(["package", "--no-verify", "--locked"]);
    for member in workspace.published() {
        command.args(["-p", &member.name]);
    }
    allow_dirty(workspace, &mut command);
    command
}

/// While someone works here, uncommitted changes are normal; what CI packages is a commit.
fn allow_dirty(workspace: &Workspace, command: &mut Command) {
    if std::env::var_os("CI").is_none() && is_dirty(workspace) {
        command.arg("--allow-dirty");
    }
}

/// Whether there are uncommitted changes; a folder that git does not know counts as one.
fn is_dirty(workspace: &Workspace) -> bool {
    let mut status = Command::new("git");
    status.args(["status", "--porcelain"]).current_dir(&workspace.root);
    read(status).map_or(true, |changes| !changes.is_empty())
}

/// Where cargo puts the package of a crate.
fn archive(workspace: &Workspace, member: &Member) -> PathBuf {
    workspace.target_dir().join("package").join(format!("{}-{}.crate", member.name, member.version()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|error| Failure::at(dir, error))?;
    }
    fs::write(path, text).map_err(|error| Failure::at(path, error))
}

/// A folder outside of the workspace, removed when done.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("aqueduct-outside-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|error| Failure::at(&dir, error))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder left behind in the temporary directory is no reason to fail a step that passed.
        let _ = fs::remove_dir_all(&self.0);
    }
}
