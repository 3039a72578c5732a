//! The models of concurrent structures.

use super::{Done, LIMIT};
use crate::failure::Result;
use crate::loom;
use crate::process::Log;
use crate::workspace::Workspace;

/// Runs every crate's models, under loom and under shuttle.
pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let modelled = loom::modelled(workspace);
    for models in &modelled {
        log.run(&mut loom::command(workspace, models, &[]), LIMIT)?;
    }
    let names: Vec<String> = modelled.iter().map(ToString::to_string).collect();
    Ok(match names.as_slice() {
        [] => Done::Skipped("no crate has models".to_owned()),
        names => Done::Passed(names.join(", ")),
    })
}
