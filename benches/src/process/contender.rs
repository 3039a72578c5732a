//! The gateways that are compared: ours, the floor, the naive proxy.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::build::Programs;
use super::child::Process;
use super::usage::Usage;
use crate::Failure;

/// Longer than any of them needs to start, even in a debug build on a busy machine.
const START: Duration = Duration::from_secs(20);

/// A gateway to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// `aqueduct run`.
    Ours,
    /// An h2 server that counts, concatenates and sends on.
    Floor,
    /// tonic and prost, decoding and encoding.
    Naive,
}

/// How a gateway compresses what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// Not at all.
    Plain,
    /// gzip: level 1 for ours and the floor, tonic's level 6 for the naive proxy.
    Gzip,
    /// zstd level 1; only ours has it.
    Zstd,
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    /// Where it takes OTLP over gRPC.
    pub address: SocketAddr,
    /// The admin endpoint and the configuration file of ours.
    ours: Option<(SocketAddr, PathBuf)>,
}

impl Gateway {
    /// Starts a gateway in front of `to` and waits until it takes requests.
    ///
    /// # Errors
    /// It does not start, or not in time.
    pub fn start(
        programs: &Programs,
        contender: Contender,
        egress: Egress,
        to: SocketAddr,
        core: Option<usize>,
    ) -> Result<Gateway, Failure> {
        let (name, program) = match contender {
            Contender::Ours => return Gateway::start_ours(programs, egress, to, core),
            Contender::Floor => ("floor", &programs.floor),
            Contender::Naive => ("naive", &programs.naive),
        };
        let mut arguments = ["--listen", "127.0.0.1:0", "--to"].map(str::to_owned).to_vec();
        arguments.push(to.to_string());
        match egress {
            Egress::Plain => {}
            Egress::Gzip => arguments.push("--gzip".to_owned()),
            Egress::Zstd => return Err(format!("{name} has no zstd").into()),
        }
        let mut process = Process::start(name, core, program, &arguments)?;
        let address = process.wait_for(START, |line| line.strip_prefix("listening on ")?.parse().ok())?;
        Ok(Gateway { process, address, ours: None })
    }

    fn start_ours(
        programs: &Programs,
        egress: Egress,
        to: SocketAddr,
        core: Option<usize>,
    ) -> Result<Gateway, Failure> {
        let (address, admin) = (free_address()?, free_address()?);
        let config = std::env::temp_dir().join(format!(
            "aqueduct-bench-{}-{}.yaml",
            std::process::id(),
            address.port()
        ));
        fs::write(&config, yaml(address, admin, egress, to))?;
        let arguments = ["run".to_owned(), "--config".to_owned(), config.display().to_string()];
        let process = Process::start("aqueduct run", core, &programs.aqueduct, &arguments)?;
        let mut gateway = Gateway { process, address, ours: Some((admin, config)) };
        let deadline = Instant::now() + START;
        while !is_ready(admin) {
            if !gateway.process.is_alive() || Instant::now() > deadline {
                return Err(gateway
                    .process
                    .wait_for(Duration::ZERO, |_| None::<()>)
                    .err()
                    .unwrap_or_else(|| "aqueduct run is not ready".into()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(gateway)
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// It is gone.
    pub fn usage(&self) -> Result<Usage, Failure> {
        self.process.usage()
    }

    /// Items that it holds, over all pipelines; only ours can say.
    ///
    /// # Errors
    /// It is not ours, or its admin endpoint does not answer as it should.
    pub fn held(&self) -> Result<u64, Failure> {
        let (admin, _) = self.ours.as_ref().ok_or("only ours says what it holds")?;
        let answer = get(*admin, "/statusz")?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("/statusz has no body")?;
        let status: Value = serde_json::from_str(body)?;
        let pipelines = status["pipelines"].as_array().ok_or("/statusz lists no pipelines")?;
        Ok(pipelines.iter().filter_map(|pipeline| pipeline["held"].as_u64()).sum())
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(&mut self) -> bool {
        self.process.is_alive()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some((_, config)) = &self.ours {
            // A file too many in the temporary folder is nobody's trouble.
            let _ = fs::remove_file(config);
        }
    }
}

/// The configuration of ours: the defaults, except for addresses and compression.
fn yaml(address: SocketAddr, admin: SocketAddr, egress: Egress, to: SocketAddr) -> String {
    let compression = match egress {
        Egress::Plain => "none",
        Egress::Gzip => "gzip",
        Egress::Zstd => "zstd",
    };
    let pipeline = "{receivers: [otlp], processors: [batch], exporters: [otlp]}";
    format!(
        "receivers:
  otlp:
    protocols:
      grpc:
        endpoint: {address}
processors:
  batch:
    send_batch_size: 8192
    timeout: 200ms
exporters:
  otlp:
    endpoint: http://{to}
    compression: {compression}
service:
  telemetry:
    metrics:
      address: {admin}
  pipelines:
    traces: {pipeline}
    metrics: {pipeline}
    logs: {pipeline}
"
    )
}

/// An address that nobody listens on now. Somebody else may take it first; the gateway then says so and the run fails.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn is_ready(admin: SocketAddr) -> bool {
    get(admin, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn get(from: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&from, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {from}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
