//! `aqueduct doctor`: the two checklists, of a running gateway and of a configuration, for people and scripts.

mod live;
mod page;
mod settings;

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use aqueduct::tune::{BottleneckChecklist, Check, Diagnosis, ProductionChecklist, Status, diagnose};
use serde::Serialize;

use crate::config::Config;

/// Nothing failed; warnings may be among what was found.
const HEALTHY: u8 = 0;
/// Something failed.
const UNHEALTHY: u8 = 1;
/// It could not look: wrong arguments, an unusable file, a gateway that does not answer.
const BLIND: u8 = 2;

/// Where a gateway's admin endpoint is by default.
const ADMIN: &str = "http://127.0.0.1:8888";

/// Arguments of `aqueduct doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// The admin endpoint of a running gateway, to look at its counters for a while [default, without --config: http://127.0.0.1:8888]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A configuration file, to go through the ten points that should be settled before production. Limits of memory are those of where this runs
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long to look at a running gateway
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = crate::argument::positive)]
    seconds: f64,
    /// Let warnings count as failures in the exit code
    #[arg(long)]
    strict: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was found, as `--json` prints it. Fields are only ever added.
#[derive(Debug, Default, Serialize)]
struct Findings {
    /// The worst of all checks.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<List>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<List>,
}

#[derive(Debug, Serialize)]
struct List {
    /// The address or the file.
    of: String,
    status: &'static str,
    checks: Vec<Row>,
    /// What holds a running gateway up, the worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bottlenecks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    id: &'static str,
    what: &'static str,
    status: &'static str,
    evidence: String,
    /// Only where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'static str>,
}

impl List {
    fn new(of: String, status: Status, checks: &[Check], bottlenecks: &[Diagnosis]) -> Self {
        let row = |check: &Check| Row {
            id: check.id,
            what: check.what,
            status: check.status.as_str(),
            evidence: check.evidence.clone(),
            fix: (check.status != Status::Pass).then_some(check.fix),
        };
        Self {
            of,
            status: status.as_str(),
            checks: checks.iter().map(row).collect(),
            bottlenecks: bottlenecks.iter().map(ToString::to_string).collect(),
        }
    }

    fn write(&self, title: &str, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{title} {}: {}", self.of, self.status)?;
        for Row { id, status, evidence, fix, .. } in &self.checks {
            writeln!(out, "  {status:<5} {id:<14} {evidence}")?;
            if let Some(fix) = fix {
                writeln!(out, "  {:<20} -> {fix}", "")?;
            }
        }
        self.bottlenecks.iter().try_for_each(|line| writeln!(out, "  held up by {line}"))
    }
}

/// Looks, prints what was found, and says in the exit code whether something is wrong.
#[must_use]
#[expect(clippy::print_stdout, reason = "what was found is what the command is for")]
pub fn run(args: &DoctorArgs) -> ExitCode {
    match look(args) {
        Ok((findings, worst)) => {
            // Strings and lists of strings: there is nothing in it that JSON has no form for.
            let text = if args.json {
                serde_json::to_string(&findings).unwrap_or_default()
            } else {
                text(&findings)
            };
            println!("{}", text.trim_end());
            ExitCode::from(code(worst, args.strict))
        }
        Err(message) => {
            eprintln!("aqueduct: {}", message.trim_end());
            ExitCode::from(BLIND)
        }
    }
}

fn code(worst: Status, strict: bool) -> u8 {
    let wrong = if strict { Status::Warn } else { Status::Fail };
    if worst >= wrong { UNHEALTHY } else { HEALTHY }
}

fn look(args: &DoctorArgs) -> Result<(Findings, Status), String> {
    let mut findings = Findings::default();
    let mut worst = Status::Pass;
    if let Some(path) = &args.config {
        let config = Config::load(path).map_err(|errors| errors.to_string())?;
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let checklist = ProductionChecklist::of(&settings::facts(&config, &text));
        worst = worst.max(checklist.status());
        findings.config =
            Some(List::new(path.display().to_string(), checklist.status(), checklist.checks(), &[]));
    }
    let url = args.url.as_deref().or_else(|| args.config.is_none().then_some(ADMIN));
    if let Some(url) = url {
        let window =
            Duration::try_from_secs_f64(args.seconds).map_err(|error| format!("--seconds: {error}"))?;
        let snapshot = live::observe(url, window)?;
        let checklist = BottleneckChecklist::of(&snapshot);
        worst = worst.max(checklist.status());
        let bottlenecks = diagnose(&snapshot);
        findings.live = Some(List::new(url.to_owned(), checklist.status(), checklist.checks(), &bottlenecks));
    }
    findings.status = worst.as_str();
    Ok((findings, worst))
}

fn text(findings: &Findings) -> String {
    let mut out = String::new();
    for (title, list) in [("configuration", &findings.config), ("gateway", &findings.live)] {
        if let Some(list) = list {
            // Writing to a String cannot fail.
            let _ = list.write(title, &mut out);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the exit codes, which scripts rely on.
    #[test]
    fn exit_codes() {
        assert_eq!(code(Status::Pass, true), 0);
        assert_eq!((code(Status::Warn, false), code(Status::Warn, true)), (0, 1));
        assert_eq!((code(Status::Fail, false), code(Status::Fail, true)), (1, 1));
    }
}
