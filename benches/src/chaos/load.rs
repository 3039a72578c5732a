//! The generator, and what it and a sink add up to.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::books::Ends;
use super::{Arena, Row};
use crate::Failure;
use crate::process::{Measured, Process};

/// How long a generator may take beyond the time of its load: requests expire after 10 s by default.
const FINISH: Duration = Duration::from_secs(40);

/// A load to offer: by default one-span requests at the arena's rate over gRPC.
#[derive(Clone, Debug)]
pub struct Load {
    /// Requests a second; `None` is a closed loop.
    pub rate: Option<f64>,
    /// How long new requests are begun.
    pub seconds: f64,
    /// Spans a request.
    pub spans: u32,
    /// Connections.
    pub connections: u32,
    /// Requests in flight on each.
    pub in_flight: u32,
    /// `grpc` or `http/protobuf`.
    pub protocol: &'static str,
    /// How long a request is tried.
    pub expiry: Duration,
    /// Whose items these are; those of producer 1 are accounted for.
    pub producer: u32,
}

impl Load {
    /// The usual load for so many seconds.
    #[must_use]
    pub fn usual(arena: &Arena, seconds: f64) -> Load {
        Load {
            rate: Some(arena.rate),
            seconds,
            spans: 1,
            connections: 4,
            in_flight: 256,
            protocol: "grpc",
            expiry: Duration::from_secs(10),
            producer: 1,
        }
    }

    /// Starts the generator.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, arena: &Arena, to: SocketAddr) -> Result<Generator, Failure> {
        let mut arguments = vec!["load".to_owned(), "--json".to_owned(), "--quiet".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--endpoint", format!("http://{to}"));
        option("--protocol", self.protocol.to_owned());
        option("--spans", self.spans.to_string());
        option("--connections", self.connections.to_string());
        option("--in-flight", self.in_flight.to_string());
        option("--seconds", self.seconds.to_string());
        option("--producer", self.producer.to_string());
        option("--expiry", format!("{}ms", self.expiry.as_millis()));
        if let Some(rate) = self.rate {
            option("--rate", rate.to_string());
        }
        let process = Process::start("aqueduct load", None, &arena.aqueduct, &arguments)?;
        Ok(Generator { process, patience: Duration::from_secs_f64(self.seconds) + FINISH })
    }
}

/// A running generator.
#[derive(Debug)]
pub struct Generator {
    process: Process,
    patience: Duration,
}

impl Generator {
    /// Waits until the load is over and everything outstanding was answered or has expired.
    ///
    /// # Errors
    /// It does not end, or reports nothing.
    pub fn finish(self) -> Result<Offered, Failure> {
        // Its exit code says whether anything was acknowledged; that is judged by the figures.
        let ended = self.process.end(self.patience)?;
        let report = ended.lines.iter().rev().find(|line| line.starts_with('{'));
        Ok(Offered(serde_json::from_str(report.ok_or("`aqueduct load` reports nothing")?)?))
    }

    /// Ends the load early; outstanding requests are seen through.
    ///
    /// # Errors
    /// As [`Generator::finish`].
    pub fn stop(self) -> Result<Offered, Failure> {
        self.process.terminate()?;
        self.finish()
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(&mut self) -> bool {
        self.process.is_alive()
    }
}

/// A generator's report.
#[derive(Clone, Debug)]
pub struct Offered(Value);

impl Offered {
    /// One of its figures.
    ///
    /// # Errors
    /// It has none of this name.
    pub fn figure(&self, name: &str) -> Result<u64, Failure> {
        self.0[name].as_u64().ok_or_else(|| format!("`aqueduct load` reports no {name}").into())
    }

    /// Acknowledged requests a second.
    ///
    /// # Errors
    /// The report lacks it.
    pub fn requests_per_second(&self) -> Result<f64, Failure> {
        let rate = self.0["requests_per_second"].as_f64();
        rate.ok_or_else(|| "`aqueduct load` reports no requests_per_second".into())
    }

    /// Puts generator and sink into the row, and returns them for the ledger to be compared with.
    ///
    /// # Errors
    /// A report lacks a figure.
    pub fn account(&self, sink: &Value, row: &mut Row) -> Result<Ends, Failure> {
        let mut measured = Measured::of_load(&self.0.to_string())?;
        measured.account(sink)?;
        row.ends(&measured, self.figure("offered")?, self.figure("refused")?);
        if self.figure("rejected")? > 0 {
            row.expect(false, format_args!("{} items were rejected for good", self.figure("rejected")?));
        }
        let (refused, unanswered) = (self.figure("refused")?, self.figure("unanswered")?);
        // Of the repeated attempts those count whose predecessor may have been accepted without an answer: all but those that
        // follow a refusal. The last refusal of a request that was given up was followed by nothing.
        let items = self.figure("items_per_request")?;
        let refusals = (self.figure("refusals")? * items).saturating_sub(refused + unanswered);
        Ok(Ends {
            acknowledged: measured.acknowledged,
            unanswered,
            resent: (self.figure("retries")? * items).saturating_sub(refusals),
            received: measured.received,
            duplicated: measured.duplicated,
        })
    }
}
