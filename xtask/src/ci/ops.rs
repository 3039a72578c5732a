//! Alert rules and dashboard: made from what is published, read by Prometheus's own tool, and tried.

use std::fs;
use std::process::Command;

use super::{Done, LIMIT};
use crate::failure::{Failure, Result};
use crate::ops;
use crate::process::Log;
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace, log: &Log) -> Result<Done> {
    let stale = ops::write(workspace, true)?;
    if !stale.is_empty() {
        return Err(Failure::new(format!("{} differ; `cargo xtask ops` writes them", stale.join(", "))));
    }
    let promtool = |arguments: &[&str]| {
        let mut command = Command::new("promtool");
        command.current_dir(&workspace.root).args(arguments);
        command
    };
    if promtool(&["--version"]).output().is_err() {
        return Ok(Done::Skipped(
            "there is no promtool: `apt-get install prometheus` installs it".to_owned(),
        ));
    }
    let panels = workspace.target_dir().join("ci").join("dashboard.yaml");
    fs::write(&panels, ops::panels_as_rules()).map_err(|error| Failure::at(&panels, error))?;
    log.run(&mut promtool(&["check", "rules", ops::ALERTS, &panels.to_string_lossy()]), LIMIT)?;
    log.run(&mut promtool(&["test", "rules", ops::ALERT_TESTS]), LIMIT)?;
    Ok(Done::Passed("rules checked and tried, the dashboard's expressions checked".to_owned()))
}
