//! `cargo xtask ops`: the list of metrics, the alert rules and the dashboard, made from the tables that the gateway publishes by.
//!
//! A name that no metric has is an error here, so that no rule and no panel can outlive what it is about.

mod alerts;
mod catalogue;
mod dashboard;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;
use catalogue::Catalogue;

pub(crate) const ALERTS: &str = "docs/ops/prometheus/alerts.yaml";
pub(crate) const ALERT_TESTS: &str = "docs/ops/prometheus/alerts_test.yaml";
const RUNBOOKS: &str = "docs/ops/runbooks";
const DASHBOARD: &str = "docs/ops/grafana/aqueduct.json";
const METRICS: &str = "docs/metrics.md";

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let check = match arguments {
        [] => false,
        [argument] if argument == "--check" => true,
        _ => return Err(Failure::new("the only argument is --check")),
    };
    let stale = write(workspace, check)?;
    if stale.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "ops: {} differ from what the gateway publishes; `cargo xtask ops` writes them",
        stale.join(", ")
    );
    Ok(ExitCode::FAILURE)
}

/// Writes the files, or with `check` names those that would change.
pub(crate) fn write(workspace: &Workspace, check: bool) -> Result<Vec<&'static str>> {
    let catalogue = Catalogue::of_the_gateway(workspace)?;
    alerts::documented(workspace)?;
    let files = [
        (METRICS, catalogue.page()),
        (ALERTS, alerts::render(&catalogue)?),
        (DASHBOARD, dashboard::render(&catalogue)?),
    ];
    let mut stale = Vec::new();
    for (place, wanted) in files {
        let path = workspace.root.join(place);
        if fs::read_to_string(&path).unwrap_or_default() == wanted {
            continue;
        }
        if check {
            stale.push(place);
            continue;
        }
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|error| Failure::at(dir, error))?;
        }
        fs::write(&path, wanted).map_err(|error| Failure::at(&path, error))?;
        println!("wrote {place}");
    }
    Ok(stale)
}

/// The expressions of the dashboard as a file of recording rules, the form in which promtool reads expressions.
pub(crate) fn panels_as_rules() -> String {
    dashboard::as_rules()
}

/// What the gateway prints for `aqueduct metrics --json`.
fn published(root: &Path) -> Result<String> {
    let mut command = process::cargo(root);
    command.args(["run", "--quiet", "--locked", "--package", "aqueduct-gateway", "--", "metrics", "--json"]);
    process::read(command)
}
