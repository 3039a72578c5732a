//! Builds the programs that are measured, before anything is measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;

/// How the programs are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Unoptimized: only to see that everything runs.
    Dev,
    /// What is measured.
    Release,
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The gateway's binary, which is also generator and sink.
    pub aqueduct: PathBuf,
    /// The floor.
    pub floor: PathBuf,
    /// The naive proxy.
    pub naive: PathBuf,
}

impl Programs {
    /// Builds what is not up to date. The gateway is built alone, so that it has the features its users get.
    ///
    /// # Errors
    /// Something does not compile; cargo has said what on standard error.
    pub fn build(profile: Profile) -> Result<Programs, Failure> {
        cargo(profile, &["--package", "aqueduct-gateway", "--bin", "aqueduct"])?;
        cargo(profile, &["--package", "aqueduct-benches", "--bin", "floor", "--bin", "naive"])?;
        let program = |name| built(profile, name);
        Ok(Programs { aqueduct: program("aqueduct")?, floor: program("floor")?, naive: program("naive")? })
    }
}

/// Builds another program of this package, if it is not up to date, and says where it is.
///
/// # Errors
/// It does not compile; cargo has said why on standard error.
pub fn program(profile: Profile, name: &str) -> Result<PathBuf, Failure> {
    cargo(profile, &["--package", "aqueduct-benches", "--bin", name])?;
    built(profile, name)
}

fn built(profile: Profile, name: &str) -> Result<PathBuf, Failure> {
    let path = folder(profile)?.join(name);
    if path.is_file() { Ok(path) } else { Err(format!("{} was not built", path.display()).into()) }
}

/// A cargo command, without input, in the folder of this package.
pub fn cargo_command(name: &str) -> Command {
    // Set when cargo started us; otherwise the one that is installed.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(name).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

fn cargo(profile: Profile, arguments: &[&str]) -> Result<(), Failure> {
    let mut command = cargo_command("build");
    command.arg("--quiet").args(arguments).stdout(Stdio::null());
    if profile == Profile::Release {
        command.arg("--release");
    }
    if command.status()?.success() {
        Ok(())
    } else {
        Err(format!("cargo build {} failed", arguments.join(" ")).into())
    }
}

/// The target folder's part for a profile, found from where this program itself lies.
fn folder(profile: Profile) -> Result<PathBuf, Failure> {
    let here = std::env::current_exe()?;
    let target = here
        .ancestors()
        .find(|path| path.file_name().is_some_and(|name| name == "debug" || name == "release"))
        .and_then(Path::parent)
        .ok_or("this program does not lie in a target folder")?;
    Ok(target.join(match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    }))
}
