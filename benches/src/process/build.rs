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
        let folder = folder(profile)?;
        let program = |name: &str| {
            let path = folder.join(name);
            if path.is_file() { Ok(path) } else { Err(format!("{} was not built", path.display())) }
        };
        Ok(Programs { aqueduct: program("aqueduct")?, floor: program("floor")?, naive: program("naive")? })
    }
}

fn cargo(profile: Profile, arguments: &[&str]) -> Result<(), Failure> {
    // Set when cargo started us; otherwise the one that is installed.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.arg("build").arg("--quiet").args(arguments);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).stdout(Stdio::null());
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
