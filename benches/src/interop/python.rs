//! The Python SDK: an environment with pinned packages, and a script that exports fixed data.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use aqueduct_wire::Signal;
use serde::Deserialize;

use super::client::{Doors, Expected, Protocol, Sent, Variant};
use crate::Failure;
use crate::process::Process;

const SCRIPT: &str = include_str!("client.py");
/// What is installed. The rest comes by their own requirements.
const PACKAGES: [&str; 3] = [
    "opentelemetry-sdk==1.45.2",
    "opentelemetry-exporter-otlp-proto-grpc==1.45.2",
    "opentelemetry-exporter-otlp-proto-http==1.45.2",
];
/// How long all signals of one variant may take, the interpreter's start on a busy machine included.
const PATIENCE: Duration = Duration::from_secs(60);

/// An environment that is ready.
#[derive(Debug)]
pub(super) struct Python {
    interpreter: PathBuf,
    script: PathBuf,
}

/// What the script prints for a signal.
#[derive(Debug, Deserialize)]
struct Report {
    signal: String,
    /// Spans, data points or log records that the SDK handed to both exporters.
    items: u64,
    /// Failed exports, and what was logged from warnings upwards.
    problems: Vec<String>,
}

impl Python {
    /// Creates the environment in `folder`.
    pub(super) fn install(folder: &Path) -> Result<Python, Failure> {
        let environment = folder.join("python");
        let explain = |failure: Failure| {
            format!(
                "{failure}\nthe Python client needs python3 with venv, pip and the network; --no-python does without it"
            )
        };
        let mut create = Command::new("python3");
        quietly(create.args(["-m", "venv"]).arg(&environment)).map_err(explain)?;
        let interpreter = environment.join("bin").join("python");
        let mut install = Command::new(&interpreter);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
        quietly(&mut install).map_err(explain)?;
        let script = folder.join("client.py");
        std::fs::write(&script, SCRIPT)?;
        Ok(Python { interpreter, script })
    }

    /// Exports the data of each signal to the reference and to the gateway.
    pub(super) fn send(
        &self,
        variant: Variant,
        signals: &[Signal],
        reference: Doors,
        gateway: Doors,
    ) -> Vec<Sent> {
        let reports = self.run(variant, signals, reference, gateway);
        let one = |signal: &Signal| {
            let report = match &reports {
                Err(failure) => Err(failure.to_string()),
                Ok(reports) => {
                    let report = reports.iter().find(|report| report.signal == signal.as_str());
                    report.ok_or_else(|| "reported nothing".to_owned())
                }
            };
            let complaints = report.as_ref().map(|report| report.problems.clone()).unwrap_or_default();
            let outcome = report.map(|report| Expected::Captured(report.items));
            Sent { signal: *signal, outcome, complaints }
        };
        signals.iter().map(one).collect()
    }

    fn run(
        &self,
        variant: Variant,
        signals: &[Signal],
        reference: Doors,
        gateway: Doors,
    ) -> Result<Vec<Report>, Failure> {
        let door = |doors: Doors| match variant.protocol {
            Protocol::Grpc => format!("http://{}", doors.grpc),
            Protocol::HttpProtobuf | Protocol::HttpJson => format!("http://{}", doors.http),
        };
        let mut arguments = vec![
            self.script.display().to_string(),
            variant.protocol.to_string(),
            variant.compression.to_string(),
            door(reference),
            door(gateway),
        ];
        arguments.extend(signals.iter().map(Signal::to_string));
        let process = Process::start("client.py", None, &self.interpreter, &arguments)?;
        // Its last line reports all signals.
        Ok(serde_json::from_str(&process.finish(PATIENCE)?)?)
    }
}

/// Runs a command whose output matters only if it fails.
fn quietly(command: &mut Command) -> Result<(), Failure> {
    let called = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{called}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{called} failed ({}): {}", output.status, said.trim()).into())
}
