//! The fuzz targets, for a short while each.

use std::time::Duration;

use super::{Done, LIMIT};
use crate::failure::Result;
use crate::fuzz;
use crate::process::Log;
use crate::workspace::Workspace;

/// Enough to run the committed inputs and to look a little around them; finding what is rare takes hours elsewhere.
const SECONDS: u64 = 8;

pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let packages = fuzz::packages(workspace)?;
    for package in &packages {
        log.run(&mut fuzz::build(workspace, package), LIMIT)?;
        for target in &package.targets {
            log.run(
                &mut fuzz::fuzz(workspace, package, target, SECONDS)?,
                Duration::from_secs(10 * SECONDS),
            )?;
        }
    }
    let names: Vec<&str> =
        packages.iter().flat_map(|package| package.targets.iter().map(String::as_str)).collect();
    Ok(match names.as_slice() {
        [] => Done::Skipped("no crate has fuzz targets".to_owned()),
        names => Done::Passed(names.join(", ")),
    })
}
