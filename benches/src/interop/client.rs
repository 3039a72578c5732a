//! Which clients there are, and what one of them has to report.

use std::fmt;
use std::net::SocketAddr;

use aqueduct_wire::Signal;

use super::message::Message;

/// Who exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Client {
    /// The Rust SDK and `opentelemetry-otlp`.
    RustSdk,
    /// The Python SDK and its OTLP exporters.
    PythonSdk,
    /// tonic's generated client or plain HTTP, with messages that have every field set.
    Generated,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Client::RustSdk => "rust",
            Client::PythonSdk => "python",
            Client::Generated => "generated",
        })
    }
}

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    HttpProtobuf,
    HttpJson,
}

impl Protocol {
    /// The media type of its requests.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Protocol::Grpc => "application/grpc",
            Protocol::HttpProtobuf => "application/x-protobuf",
            Protocol::HttpJson => "application/json",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names of `OTEL_EXPORTER_OTLP_PROTOCOL`.
        f.pad(match self {
            Protocol::Grpc => "grpc",
            Protocol::HttpProtobuf => "http/protobuf",
            Protocol::HttpJson => "http/json",
        })
    }
}

/// How a client compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// The name on the wire; empty for none.
    pub(super) fn encoding(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Compression::None => "none",
            other => other.encoding(),
        })
    }
}

/// A client with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) client: Client,
    pub(super) protocol: Protocol,
    pub(super) compression: Compression,
}

impl Variant {
    /// Every combination that exists: the Python exporters know neither JSON nor zstd.
    pub(super) fn all() -> Vec<Variant> {
        let mut all = Vec::new();
        for client in [Client::RustSdk, Client::PythonSdk, Client::Generated] {
            for protocol in [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson] {
                for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
                    let exists = client != Client::PythonSdk
                        || (protocol != Protocol::HttpJson && compression != Compression::Zstd);
                    if exists {
                        all.push(Variant { client, protocol, compression });
                    }
                }
            }
        }
        all
    }

    /// The name of a row, by which `--only` selects it.
    pub(super) fn name(&self, signal: Signal) -> String {
        format!("{} {} {} {signal}", self.client, self.protocol, self.compression)
    }
}

/// Where to send OTLP to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doors {
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
}

impl Doors {
    /// The URL for a signal, with the path that HTTP has.
    pub(super) fn url(&self, protocol: Protocol, signal: Signal) -> String {
        match protocol {
            Protocol::Grpc => format!("http://{}", self.grpc),
            // Written out: the paths are the specification's, not ours to define.
            Protocol::HttpProtobuf | Protocol::HttpJson => format!("http://{}/v1/{signal}", self.http),
        }
    }
}

/// What a client has done for one signal.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) signal: Signal,
    /// What the destinations should have, or why the client failed.
    pub(super) outcome: Result<Expected, String>,
    /// What the client logged from warnings upwards.
    pub(super) complaints: Vec<String>,
}

/// What the destinations should have.
#[derive(Debug)]
pub(super) enum Expected {
    /// What the reference has captured, which is this number of items.
    Captured(u64),
    /// What was built here.
    Built(Box<Message>),
}
