//! The main job, as the README starts it: nothing lost, nothing twice, everything answered.

use serde_json::Value;

use super::{Done, LIMIT};
use crate::failure::{Failure, Result};
use crate::process::{Log, cargo};
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let mut build = cargo(&workspace.root);
    build.args(["build", "--release", "--locked"]);
    log.run(&mut build, LIMIT)?;
    let mut command = cargo(&workspace.root);
    command.args([
        "run",
        "--release",
        "--locked",
        "--",
        "demo",
        "--seconds",
        "5",
        "--rate",
        "5000",
        "--json",
    ]);
    let output = log.output(&mut command, std::time::Duration::from_secs(120))?;
    judge(output.lines().last().unwrap_or_default()).map(Done::Passed)
}

/// Reads the demo's last line and says what it delivered, or what is wrong.
fn judge(line: &str) -> Result<String> {
    let report: Value = serde_json::from_str(line)
        .map_err(|error| Failure::new(format!("the last line {line:?} is not JSON: {error}")))?;
    let count = |name: &str| {
        report[name].as_u64().ok_or_else(|| Failure::new(format!("the report has no count {name:?}: {line}")))
    };
    let (offered, received, refused) = (count("offered")?, count("received")?, count("refused")?);
    let (lost, duplicated) = (count("lost")?, count("duplicated")?);
    if lost != 0 || duplicated != 0 {
        return Err(Failure::new(format!("lost {lost}, duplicated {duplicated}")));
    }
    if received == 0 || received.checked_add(refused) != Some(offered) {
        return Err(Failure::new(format!(
            "received {received} + refused {refused} is not offered {offered}"
        )));
    }
    Ok(format!("{received} of {offered} received, {refused} refused"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the judgement: each way to be wrong fails, an empty run included.
    #[test]
    fn only_a_complete_run_passes() {
        let line = |offered: u64, received: u64, refused: u64, lost: u64, duplicated: u64| {
            serde_json::json!({
                "offered": offered, "received": received, "refused": refused, "lost": lost, "duplicated": duplicated,
            })
            .to_string()
        };
        assert!(judge(&line(10, 10, 0, 0, 0)).is_ok());
        assert!(judge(&line(10, 9, 1, 0, 0)).is_ok());
        assert!(judge(&line(10, 9, 0, 0, 0)).is_err(), "one is unaccounted for");
        assert!(judge(&line(10, 10, 0, 1, 0)).is_err(), "lost");
        assert!(judge(&line(10, 10, 0, 0, 1)).is_err(), "duplicated");
        assert!(judge(&line(0, 0, 0, 0, 0)).is_err(), "nothing happened");
        assert!(judge("").is_err() && judge("{}").is_err());
    }
}
