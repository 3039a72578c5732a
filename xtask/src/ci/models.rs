//! The models of concurrent structures.

use super::{Done, LIMIT};
use crate::failure::Result;
use crate::loom;
use crate::process::Log;
use crate::workspace::Workspace;

/// Runs every crate's models under loom.
pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let modelled = loom::modelled(workspace);
    for member in &modelled {
        log.run(&mut loom::command(workspace, member, &[]), LIMIT)?;
    }
    let names: Vec<&str> = modelled.iter().map(|member| member.name.as_str()).collect();
    Ok(match names.as_slice() {
        [] => Done::Skipped("no crate has models".to_owned()),
        names => Done::Passed(names.join(", ")),
    })
}
