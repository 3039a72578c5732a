//! The gateway under test: a process of its own, sending everything to three destinations.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use aqueduct_wire::Signal;
use serde_json::Value;

use super::client::{Compression, Doors, Protocol};
use super::judge::Judge;
use crate::Failure;
use crate::process::Process;

/// Longer than it needs to start, even on a busy machine.
const START: Duration = Duration::from_secs(20);
/// How long an answer of the admin endpoint may take.
const ADMIN: Duration = Duration::from_secs(5);
/// How often the admin endpoint is asked while something is still held.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// An exporter of the gateway.
#[derive(Debug)]
pub(super) struct Destination {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    pub(super) protocol: Protocol,
    pub(super) compression: Compression,
}

/// Every protocol that the gateway exports with, and both compressions.
pub(super) const DESTINATIONS: [Destination; 3] = [
    Destination { name: "otlp", protocol: Protocol::Grpc, compression: Compression::Zstd },
    Destination { name: "otlphttp", protocol: Protocol::HttpProtobuf, compression: Compression::Gzip },
    Destination { name: "otlphttp/json", protocol: Protocol::HttpJson, compression: Compression::None },
];

/// The items of one signal on their way to one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) accepted: u64,
    pub(super) delivered: u64,
    pub(super) rejected: u64,
    pub(super) dropped: u64,
    pub(super) held: u64,
}

/// All ledgers, by signal and destination.
pub(super) type Ledgers = BTreeMap<(String, String), Ledger>;

/// A running gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) doors: Doors,
    admin: SocketAddr,
    _process: Process,
}

impl Gateway {
    /// Starts it in front of the judges, which stand for [`DESTINATIONS`] one by one.
    pub(super) fn start(program: &Path, judges: &[Judge], folder: &Path) -> Result<Gateway, Failure> {
        let config = folder.join("gateway.yaml");
        std::fs::write(&config, configuration(judges))?;
        let arguments = ["run".to_owned(), "--config".to_owned(), config.display().to_string()];
        let mut process = Process::start("aqueduct run", None, program, &arguments)?;
        let mut address = |after: &str| process.wait_for(START, |line| address(line, after));
        let grpc = address("OTLP/gRPC listens on ")?;
        let http = address("OTLP/HTTP listens on ")?;
        let admin = address("admin listens on ")?;
        process.wait_for(START, |line| line.ends_with("ready").then_some(()))?;
        Ok(Gateway { doors: Doors { grpc, http }, admin, _process: process })
    }

    /// What `/statusz` says.
    pub(super) fn ledgers(&self) -> Result<Ledgers, Failure> {
        let status: Value = serde_json::from_str(&self.get("/statusz")?)?;
        let rows = status["pipelines"].as_array().ok_or("/statusz lists no pipelines")?;
        let mut ledgers = Ledgers::new();
        for row in rows {
            let text = |field: &str| row[field].as_str().map(str::to_owned).ok_or("/statusz lacks a name");
            let number = |field: &str| row[field].as_u64().ok_or("/statusz lacks a number");
            let dropped = row["dropped"].as_object().ok_or("/statusz lacks what was dropped")?;
            let ledger = Ledger {
                accepted: number("accepted")?,
                delivered: number("delivered")?,
                rejected: number("rejected")?,
                dropped: dropped.values().filter_map(Value::as_u64).sum(),
                held: number("held")?,
            };
            ledgers.insert((text("signal")?, text("destination")?), ledger);
        }
        Ok(ledgers)
    }

    /// What `/statusz` says once nothing of a signal is held any more, or once the patience is over.
    pub(super) fn settled(&self, signal: Signal, patience: Duration) -> Result<Ledgers, Failure> {
        let deadline = Instant::now() + patience;
        loop {
            let ledgers = self.ledgers()?;
            let held =
                |((of, _), ledger): (&(String, String), &Ledger)| of == signal.as_str() && ledger.held > 0;
            if !ledgers.iter().any(held) || Instant::now() >= deadline {
                return Ok(ledgers);
            }
            // The endpoint is polled like any scraper would: it has no event to wait for.
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// The body of an admin page.
    fn get(&self, path: &str) -> Result<String, Failure> {
        let mut stream = TcpStream::connect_timeout(&self.admin, ADMIN)?;
        stream.set_read_timeout(Some(ADMIN))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("the admin endpoint sent no body")?;
        Ok(body.to_owned())
    }
}

fn address(line: &str, after: &str) -> Option<SocketAddr> {
    line.split_once(after)?.1.split(' ').next()?.parse().ok()
}

/// The defaults, except for what the check is about.
fn configuration(judges: &[Judge]) -> String {
    let mut exporters = String::new();
    for (destination, judge) in DESTINATIONS.iter().zip(judges) {
        let (address, more) = match destination.protocol {
            Protocol::Grpc => (judge.doors.grpc, "    tls:\n      insecure: true\n"),
            Protocol::HttpProtobuf => (judge.doors.http, ""),
            Protocol::HttpJson => (judge.doors.http, "    encoding: json\n"),
        };
        exporters += &format!(
            "  {}:\n    endpoint: http://{address}\n    compression: {}\n{more}",
            destination.name, destination.compression
        );
    }
    let names = DESTINATIONS.map(|destination| destination.name).join(", ");
    let pipelines: String = Signal::ALL
        .iter()
        .map(|signal| {
            format!("    {signal}: {{receivers: [otlp], processors: [batch], exporters: [{names}]}}\n")
        })
        .collect();
    format!(
        "\
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
      http:
        endpoint: 127.0.0.1:0
processors:
  batch:
exporters:
{exporters}service:
  telemetry:
    metrics:
      address: 127.0.0.1:0
  pipelines:
{pipelines}"
    )
}
