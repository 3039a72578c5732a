//! Builds the programs that are measured, before anything is measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;

/// A small one of the lowest crates.
const SOME_EXAMPLE: &str = "record_cost";

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
    /// Builds what is not up to date. What is measured is the gateway built alone, so that it has the features its users get.
    ///
    /// # Errors
    /// Something does not compile; cargo has said what on standard error.
    pub fn build(profile: Profile) -> Result<Programs, Failure> {
        cargo(profile, "aqueduct-gateway", &["aqueduct"])?;
        cargo(profile, "aqueduct-benches", &["floor", "naive"])?;
        let program = |name| built(profile, name);
        Ok(Programs { aqueduct: program("aqueduct")?, floor: program("floor")?, naive: program("naive")? })
    }
}

/// Builds another program of this package, if it is not up to date, and says where it is.
///
/// # Errors
/// It does not compile; cargo has said why on standard error.
pub fn program(profile: Profile, name: &str) -> Result<PathBuf, Failure> {
    cargo(profile, "aqueduct-benches", &[name])?;
    built(profile, name)
}

fn built(profile: Profile, name: &str) -> Result<PathBuf, Failure> {
    let path = folder(profile)?.join(name);
    if path.is_file() { Ok(path) } else { Err(format!("{} was not built", path.display()).into()) }
}

/// A cargo command as from outside: without input or what our own cargo has told us, in the folder of this package.
pub fn cargo_command(name: &str) -> Command {
    // Set when cargo started us; otherwise the one that is installed.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(name).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    // Variables that cargo sets for us describe this package. There are build scripts that look at them, so that what hangs on those (TLS, and so
    // most of what is built here) would be compiled anew by this cargo, and then by the next one that does not set them.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

fn cargo(profile: Profile, package: &str, programs: &[&str]) -> Result<(), Failure> {
    let mut command = cargo_command("build");
    command.args(["--quiet", "--locked"]).stdout(Stdio::null());
    match profile {
        // With the features that `cargo test --workspace` unites, so that what the tests have compiled is not compiled once more. Those that
        // tests alone ask for count only where something is built that may use them: any example.
        Profile::Dev => command.args(["--workspace", "--example", SOME_EXAMPLE]),
        Profile::Release => command.args(["--release", "--package", package]),
    };
    for program in programs {
        command.args(["--bin", program]);
    }
    if command.status()?.success() {
        Ok(())
    } else {
        Err(format!("cargo build of {} failed", programs.join(", ")).into())
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
