//! The steps that are programs of the `benches` package.

use std::time::Duration;

use super::{Done, LIMIT};
use crate::failure::Result;
use crate::forward::{BENCH, CHAOS, INSTRUCTIONS, INTEROP, builds, built};
use crate::process::Log;
use crate::workspace::Workspace;

/// The quick benchmarks promise three minutes on a quiet machine; five times that is broken.
const QUICK_LIMIT: Duration = Duration::from_secs(15 * 60);
/// All benchmarks promise forty.
const FULL_LIMIT: Duration = Duration::from_secs(60 * 60);

pub(super) fn bench(workspace: &Workspace, log: &Log) -> Result<Done> {
    program(workspace, log, BENCH, &["--quick"], QUICK_LIMIT)
}

pub(super) fn bench_all(workspace: &Workspace, log: &Log) -> Result<Done> {
    program(workspace, log, BENCH, &[], FULL_LIMIT)
}

/// Needs valgrind, which `.ci/run` installs; without it the program says so.
pub(super) fn instructions(workspace: &Workspace, log: &Log) -> Result<Done> {
    program(workspace, log, INSTRUCTIONS, &[], LIMIT)
}

pub(super) fn interop(workspace: &Workspace, log: &Log) -> Result<Done> {
    program(workspace, log, INTEROP, &[], LIMIT)
}

pub(super) fn chaos(workspace: &Workspace, log: &Log) -> Result<Done> {
    program(workspace, log, CHAOS, &["--quick"], LIMIT)
}

pub(super) fn chaos_all(workspace: &Workspace, log: &Log) -> Result<Done> {
    program(workspace, log, CHAOS, &[], LIMIT)
}

fn program(
    workspace: &Workspace,
    log: &Log,
    name: &str,
    arguments: &[&str],
    limit: Duration,
) -> Result<Done> {
    for mut build in builds(workspace) {
        log.run(&mut build, LIMIT)?;
    }
    log.run(built(workspace, name).args(arguments), limit)?;
    Done::passed()
}
