//! The models of concurrent structures.

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Done, LIMIT};
use crate::failure::{Failure, Result};
use crate::loom;
use crate::process::Log;
use crate::workspace::Workspace;

/// So many at the same time: one compiles while another runs, which for some is one long model.
const BESIDE: usize = 2;

/// Runs every crate's models, under loom and under shuttle.
pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let modelled = loom::modelled(workspace);
    let names: Vec<String> = modelled.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        return Ok(Done::Skipped("no crate has models".to_owned()));
    }
    let commands = modelled.iter().map(|models| loom::command(workspace, models, &[]));
    beside_each_other(log, commands.collect())?;
    Ok(Done::Passed(names.join(", ")))
}

/// Runs all commands, some at a time, and says of the first that failed; what that printed is the end of the log.
fn beside_each_other(log: &Log, commands: Vec<Command>) -> Result<()> {
    let waiting = Mutex::new(commands.into_iter().enumerate());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        let mut ends = Vec::new();
        while let Some((number, mut command)) = next() {
            let end = log.part(number).map(|part| {
                let end = part.run(&mut command, LIMIT);
                (part, end)
            });
            ends.push(end);
        }
        ends
    };
    let ends = thread::scope(|scope| {
        let workers: Vec<_> = (0..BESIDE).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.collect::<thread::Result<Vec<_>>>()
    });
    let ends = ends.map_err(|_| Failure::new("a thread that runs commands has panicked"))?;
    let ends = ends.into_iter().flatten().collect::<Result<Vec<_>>>()?;
    let (good, bad): (Vec<_>, Vec<_>) = ends.into_iter().partition(|(_, end)| end.is_ok());
    let mut first = Ok(());
    for (part, end) in good.into_iter().chain(bad.into_iter().rev()) {
        log.take(part)?;
        if end.is_err() {
            first = end;
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    /// Guards what one sees of several commands: all outputs whole, the failed one's last, and that it failed.
    #[test]
    fn the_log_ends_with_what_failed() {
        let fixture = Fixture::sound();
        let log = Log::create(fixture.path("target/ci/step.log")).expect("temporary folder is writable");
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let scripts = ["echo one", "echo two; echo three; exit 3", "echo four", "echo five"];
        let end = beside_each_other(&log, scripts.map(shell).into());
        assert!(end.expect_err("exit code 3").to_string().contains("exit status: 3"));
        assert_eq!(log.tail(2), "two\nthree");
        for word in ["one", "four", "five"] {
            assert!(log.tail(20).lines().any(|line| line == word), "{word}");
        }
        beside_each_other(&log, vec![shell("echo six")]).expect("it ends well");
        assert_eq!(log.tail(1), "six");
    }
}
