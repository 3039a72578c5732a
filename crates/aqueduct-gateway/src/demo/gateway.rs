//! The demo's gateway process: its configuration, its admin endpoint, its cost.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aqueduct::metrics::{ResourceProbe, Resources};
use serde_json::Value;

use super::child::Child;
use super::{START_PATIENCE, report::megabytes};

/// How often the admin endpoint is asked whether everything has left.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long one answer of the admin endpoint may take.
const ADMIN_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    pub(crate) grpc: String,
    admin: String,
    probe: ResourceProbe,
    config: PathBuf,
}

/// What the live line shows.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
    pub(crate) held: u64,
    pub(crate) retries: u64,
    pub(crate) cpu_percent: f64,
    pub(crate) rss_mb: f64,
}

impl Gateway {
    /// Starts a gateway that sends to `sink` over gRPC with zstd, and waits until it is ready.
    pub(crate) fn start(sink: &str) -> io::Result<Self> {
        Self::start_with(&configuration(sink))
    }

    /// Starts a gateway with this configuration, and waits until it is ready.
    pub(crate) fn start_with(configuration: &str) -> io::Result<Self> {
        let config = std::env::temp_dir().join(format!("aqueduct-demo-{}.yaml", std::process::id()));
        std::fs::write(&config, configuration)?;
        let arguments = ["run", "--config", &config.display().to_string()].map(str::to_owned);
        let mut child = Child::start_for_log("run", &arguments)?;
        let grpc = child.line(START_PATIENCE, |line| address(line, "OTLP/gRPC listens on "))?;
        let admin = child.line(START_PATIENCE, |line| address(line, "admin listens on "))?;
        child.line(START_PATIENCE, |line| line.ends_with("ready").then_some(()))?;
        let probe = ResourceProbe::of_process(child.id());
        Ok(Self { child, grpc, admin, probe, config })
    }

    pub(crate) fn resources(&mut self) -> io::Result<Resources> {
        self.probe.sample()
    }

    pub(crate) fn terminate(&mut self) -> io::Result<()> {
        self.child.terminate()
    }

    pub(crate) fn wait_ended(&mut self, patience: Duration) -> io::Result<()> {
        self.child.wait_ended(patience)
    }

    /// Waits until nothing is held, or the patience is over.
    pub(crate) fn wait_drained(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if self.status().is_some_and(|status| sum(&status, "held") == 0) {
                return;
            }
            // The endpoint is polled like any scraper would: it has no event to wait for.
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Attempts that followed a failed one.
    pub(crate) fn retries(&self) -> u64 {
        let metrics = self.get("/metrics").unwrap_or_default();
        let lines = metrics.lines().filter(|line| line.starts_with("aqueduct_pipeline_retries_total{"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    pub(crate) fn progress(&mut self) -> Option<Progress> {
        let status = self.status()?;
        let resources = self.probe.sample().ok()?;
        Some(Progress {
            accepted: sum(&status, "accepted"),
            delivered: sum(&status, "delivered"),
            held: sum(&status, "held"),
            retries: self.retries(),
            cpu_percent: resources.cpu_share * 100.0,
            rss_mb: megabytes(resources.rss_bytes),
        })
    }

    /// What its tuner says.
    pub(crate) fn tuner(&self) -> io::Result<Value> {
        serde_json::from_str(&self.get("/debug/tuner")?).map_err(io::Error::from)
    }

    fn status(&self) -> Option<Value> {
        serde_json::from_str(&self.get("/statusz").ok()?).ok()
    }

    /// The body of an admin page.
    fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(&self.admin)?;
        stream.set_read_timeout(Some(ADMIN_PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        body.ok_or_else(|| io::Error::other("the admin endpoint sent no body"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A file in the temporary folder that stays behind does no harm.
        let _ = std::fs::remove_file(&self.config);
    }
}

fn sum(status: &Value, field: &str) -> u64 {
    let rows = status["pipelines"].as_array().map_or(&[][..], Vec::as_slice);
    rows.iter().filter_map(|row| row[field].as_u64()).sum()
}

fn address(line: &str, after: &str) -> Option<String> {
    let rest = line.split_once(after)?.1;
    Some(rest.split(' ').next().unwrap_or(rest).to_owned())
}

fn configuration(sink: &str) -> String {
    format!(
        "\
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
processors:
  batch:
exporters:
  otlp:
    endpoint: http://{sink}
    compression: zstd
    tls:
      insecure: true
service:
  telemetry:
    metrics:
      address: 127.0.0.1:0
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlp]
"
    )
}
