//! A sink that fails as ordered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Arena;
use crate::Failure;
use crate::process::Process;

const START: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(20);

/// A running sink. Its faults count from the moment it listens.
#[derive(Debug)]
pub struct Sink {
    process: Process,
    /// Where it takes OTLP over gRPC.
    pub grpc: SocketAddr,
    /// Where it takes OTLP over HTTP.
    pub http: SocketAddr,
    /// When it began to listen.
    pub since: Instant,
}

impl Sink {
    /// Starts a sink on ports of the system's choice.
    ///
    /// # Errors
    /// It does not start, or not in time.
    pub fn start(arena: &Arena, faults: &[&str]) -> Result<Sink, Failure> {
        Sink::start_on(arena, "127.0.0.1:0", faults)
    }

    /// Starts a sink whose address for gRPC is given.
    ///
    /// # Errors
    /// As [`Sink::start`].
    pub fn start_on(arena: &Arena, grpc: &str, faults: &[&str]) -> Result<Sink, Failure> {
        // Any seed is as good as another; with this one a fifth of the first fifteen requests fails, enough for a short run.
        let listen = ["sink", "--json", "--faults-from", "start", "--seed", "8", "--listen", grpc];
        let arguments = listen.iter().chain(&["--listen-http", "127.0.0.1:0"]).chain(faults);
        let arguments: Vec<String> = arguments.map(|argument| (*argument).to_owned()).collect();
        let mut process = Process::start("aqueduct sink", None, &arena.aqueduct, &arguments)?;
        let (grpc, http) = process.wait_for(START, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let address = |door: &str| line["listening"][door].as_str()?.parse().ok();
            Some((address("grpc")?, address("http")?))
        })?;
        Ok(Sink { process, grpc, http, since: Instant::now() })
    }

    /// Ends it and returns its report.
    ///
    /// # Errors
    /// It does not end, or reports nothing.
    pub fn stop(self) -> Result<Value, Failure> {
        Ok(serde_json::from_str(&self.process.stop(END)?)?)
    }
}
