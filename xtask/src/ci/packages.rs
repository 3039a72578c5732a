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
    log.run(&mut publish_dry_run(workspace)?, LIMIT)?;
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

/// Where cargo keeps what it has downloaded.
fn cargo_home() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
        .ok_or_else(|| Failure::new("neither CARGO_HOME nor HOME says where cargo keeps its packages"))
}

/// Removes what an earlier dry run left of our crates in cargo's own folders. A dry run is a registry in the target directory, whose packages cargo
/// unpacks like those of any other, and takes for unchangeable: with the same version and the same path it would build the sources of the run before.
fn forget_unpacked(workspace: &Workspace, cargo_home: &Path) -> Result<()> {
    for kind in ["src", "cache"] {
        let registries = cargo_home.join("registry").join(kind);
        // Without the folder there is nothing to forget.
        let Ok(entries) = fs::read_dir(&registries) else { continue };
        for registry in entries.flatten() {
            // A registry in a folder has no host, and its name begins with the dash that would follow it.
            if !registry.file_name().to_string_lossy().starts_with('-') {
                continue;
            }
            for member in workspace.published() {
                let unpacked = registry.path().join(format!("{}-{}", member.name, member.version()));
                let archive = registry.path().join(format!("{}-{}.crate", member.name, member.version()));
                if unpacked.is_dir() {
                    fs::remove_dir_all(&unpacked).map_err(|error| Failure::at(&unpacked, error))?;
                }
                if archive.is_file() {
                    fs::remove_file(&archive).map_err(|error| Failure::at(&archive, error))?;
                }
            }
        }
    }
    Ok(())
}

/// `cargo publish --workspace --dry-run`, from the sources as they are now: what was unpacked or compiled for the run before is removed.
pub(crate) fn publish_dry_run(workspace: &Workspace) -> Result<Command> {
    forget_unpacked(workspace, &cargo_home()?)?;
    let mut clean = cargo(&workspace.root);
    clean.args(["clean", "--locked", "--quiet"]);
    for member in workspace.published() {
        clean.args(["-p", &member.name]);
    }
    read(clean)?;
    let mut command = cargo(&workspace.root);
    command.args(["publish", "--workspace", "--dry-run", "--locked"]);
    allow_dirty(workspace, &mut command);
    Ok(command)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    /// Guards a dry run against the sources of the one before, and everything else in cargo's folders against this.
    #[test]
    fn only_our_own_packages_of_nameless_registries_are_forgotten() {
        let fixture = Fixture::sound();
        let workspace = fixture.workspace();
        let member = workspace.published().next().expect("the fixture has a published crate");
        let ours = format!("{}-{}", member.name, member.version());
        let home = fixture.path("cargo");
        let gone = [format!("src/-123/{ours}/lib.rs"), format!("cache/-123/{ours}.crate")];
        let kept = [
            format!("src/index.crates.io-123/{ours}/lib.rs"),
            "src/-123/bytes-1.0.0/lib.rs".to_owned(),
            "cache/-123/bytes-1.0.0.crate".to_owned(),
        ];
        for file in gone.iter().chain(&kept) {
            write(&home.join("registry").join(file), "").expect("temporary folder is writable");
        }
        forget_unpacked(&workspace, &home).expect("nothing is in the way");
        forget_unpacked(&workspace, &home.join("none")).expect("nothing to forget");
        let is_there = |file: &String| home.join("registry").join(file).exists();
        assert!(!gone.iter().any(is_there) && kept.iter().all(is_there));
    }
}
