//! The command line of `aqueduct load`.

use super::LoadError;
use super::body::Encoder;
use super::schedule::Backoff;
use crate::argument;
use aqueduct::wire::Signal;
use std::time::Duration;

/// How requests travel.
///
/// Complete: OTLP has these three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LoadProtocol {
    /// OTLP/gRPC.
    #[default]
    #[value(name = "grpc")]
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    #[value(name = "http/protobuf")]
    HttpProtobuf,
    /// OTLP/HTTP with JSON bodies.
    #[value(name = "http/json")]
    HttpJson,
}

/// Options of `aqueduct load`: what to send, where and how fast.
///
/// [`Default`] is what the command line defaults to.
#[derive(Clone, Debug, clap::Args)]
#[non_exhaustive]
pub struct LoadArgs {
    /// Where to send: http://host:port (default port 4317 for grpc, 4318 for http)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4317")]
    pub endpoint: String,

    /// Protocol
    #[arg(long, value_enum, default_value_t)]
    pub protocol: LoadProtocol,

    /// What to send: traces, metrics or logs
    #[arg(long, default_value_t = Signal::Traces)]
    pub signal: Signal,

    /// Requests a second, sent by the clock whether or not answers come (open loop); latency counts from the time a request
    /// was due. Without it the loop is closed: each of connections x in-flight sends when its last request is answered
    #[arg(long, value_name = "N", value_parser = argument::positive)]
    pub rate: Option<f64>,

    /// Connections; for http, connections x in-flight sockets, as HTTP/1.1 carries one request at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = argument::count(1..=10_000))]
    pub connections: usize,

    /// Requests in flight per connection, at most [default: 64 for grpc, 1 for http]
    #[arg(long, value_name = "N", value_parser = argument::count(1..=65_536))]
    pub in_flight: Option<usize>,

    /// Items (spans, data points, log records) per request
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = argument::count(1..=100_000))]
    pub spans: usize,

    /// Attributes per item
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = argument::count(0..=1_000))]
    pub attributes: usize,

    /// How long to begin new requests; afterwards outstanding answers are waited for up to the expiry [default: until stopped]
    #[arg(long, value_name = "SECONDS", value_parser = argument::positive)]
    pub seconds: Option<f64>,

    /// Begin this many requests and no more [default: no limit]
    #[arg(long, value_name = "N")]
    pub requests: Option<u64>,

    /// Compression of request bodies, at level 1
    #[arg(long, value_enum, default_value_t)]
    pub compression: Encoder,

    /// Identity of the first generator thread; each further thread counts one up. Runs against one sink need distinct ones
    #[arg(long, value_name = "ID", default_value_t = 1)]
    pub producer: u32,

    /// How long a request is tried before it counts as refused or unanswered, from its first attempt
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = argument::duration)]
    pub expiry: Duration,

    /// How long one attempt may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = argument::duration)]
    pub timeout: Duration,

    /// First pause before a retry; doubled with every failure up to 5 s, with jitter, and never shorter than the server asks
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = argument::duration)]
    pub backoff: Duration,

    /// Generator threads; rate, connections and in-flight are shared out
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = argument::count(1..=256))]
    pub threads: usize,

    /// Print the result as one JSON object, the last line of the standard output
    #[arg(long)]
    pub json: bool,

    /// No live line on standard error
    #[arg(long)]
    pub quiet: bool,
}

impl Default for LoadArgs {
    fn default() -> Self {
        Self {
            endpoint: "http://127.0.0.1:4317".to_owned(),
            protocol: LoadProtocol::default(),
            signal: Signal::Traces,
            rate: None,
            connections: 4,
            in_flight: None,
            spans: 1,
            attributes: 10,
            seconds: None,
            requests: None,
            compression: Encoder::default(),
            producer: 1,
            expiry: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            backoff: Duration::from_millis(100),
            threads: 1,
            json: false,
            quiet: false,
        }
    }
}

impl LoadArgs {
    /// Requests in flight per connection, with the protocol's default.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.unwrap_or(if self.protocol == LoadProtocol::Grpc { 64 } else { 1 })
    }

    pub(crate) fn default_port(&self) -> u16 {
        if self.protocol == LoadProtocol::Grpc { 4317 } else { 4318 }
    }

    pub(crate) fn retry_backoff(&self) -> Backoff {
        Backoff { initial: self.backoff.max(Duration::from_millis(1)), cap: Duration::from_secs(5) }
    }

    /// Checks what the parser of single options cannot.
    pub(crate) fn check(&self) -> Result<(), LoadError> {
        if self.threads > self.connections {
            return Err(LoadError::Setting(
                "more threads than connections: each thread needs one".to_owned(),
            ));
        }
        Ok(())
    }
}
