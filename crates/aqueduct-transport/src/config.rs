//! Everything a user can choose about a client.

use std::time::Duration;

use aqueduct_wire::Signal;

use crate::error::ConfigError;

/// How OTLP is spoken to the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP/gRPC over HTTP/2 in clear text; usual port 4317. Needs the feature `grpc`.
    #[default]
    Grpc,
    /// OTLP/HTTP over HTTP/1.1 with protobuf bodies; usual port 4318. Needs the feature `http`.
    HttpProtobuf,
    /// OTLP/HTTP over HTTP/1.1 with JSON bodies; usual port 4318. Needs the features `http` and `json`. Costs several
    /// times the CPU and the bytes of protobuf: for peers that understand nothing else.
    HttpJson,
}

impl Protocol {
    /// The protocol's name in `OTEL_EXPORTER_OTLP_PROTOCOL`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
            Self::HttpJson => "http/json",
        }
    }

    /// The feature of this crate that has to be on.
    pub(crate) const fn feature(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http",
            Self::HttpJson => "json",
        }
    }
}

/// How request bodies are compressed before they are sent.
///
/// A body that does not get smaller is sent plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// As it is. Right within one machine or rack.
    #[default]
    None,
    /// gzip with a level from 0 to 9. Every OTLP server must understand it. Level 1 costs a third to an eighth of
    /// level 6, for bodies that are a tenth to two fifths larger. Needs the feature `gzip`.
    Gzip(u32),
    /// Zstandard with a level from -7 to 19. Level 1 is faster and smaller than gzip at any level, but not every server
    /// understands it: one that does not answers UNIMPLEMENTED or 400 or 415, and the data is lost. Needs the feature
    /// `zstd`.
    Zstd(i32),
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::None => "none".to_owned(),
            Self::Gzip(level) => format!("gzip {level}"),
            Self::Zstd(level) => format!("zstd {level}"),
        };
        f.pad(&name)
    }
}

/// The settings of a [`Client`](crate::Client). The defaults are right for production against a collector nearby.
///
/// ```
/// use std::time::Duration;
/// use aqueduct_transport::{ClientConfig, Compression, Protocol};
///
/// let mut config = ClientConfig::new("http://collector.example:4318", Protocol::HttpProtobuf);
/// config.compression = Compression::Gzip(1);
/// config.timeout = Duration::from_secs(2);
/// config.headers.push(("x-tenant".into(), "blue".into()));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "OtlpConfig")]
#[doc(alias = "ExporterConfig")]
pub struct ClientConfig {
    /// Where the peer is: `http://host:port[/path]`, and for gRPC also `host:port`. Without a port: 4317 for gRPC, 80
    /// for HTTP. OTLP/HTTP appends `/v1/<signal>` to the path; gRPC prefixes its method's path with it. Default
    /// `http://localhost:4317`.
    pub endpoint: String,
    /// URLs used as they are for single signals instead of [`endpoint`](Self::endpoint), by [`Signal::index`]; OTLP/HTTP
    /// only (for gRPC build one client per signal). An empty path becomes `/`. Default none.
    pub signal_endpoints: [Option<String>; Signal::ALL.len()],
    /// How OTLP is spoken. Default gRPC.
    pub protocol: Protocol,
    /// How bodies are compressed by [`Client::prepare`](crate::Client::prepare). Default none.
    pub compression: Compression,
    /// Headers (gRPC: metadata) added to every request, in this order; names are case-insensitive. Values may be
    /// secrets, so `Debug` hides them. Headers the protocol itself needs are refused. Default none.
    pub headers: Vec<(String, String)>,
    /// What stands before our own name in the `user-agent` header, `None` for nothing: `my-agent/1.2
    /// OTel-OTLP-Exporter-Rust/0.1.0`. Default none.
    pub user_agent: Option<String>,
    /// How long one attempt may take, from the call to the last byte of the answer, connecting included. Default 5 s.
    pub timeout: Duration,
    /// How long one connection may take to come about: name lookup, every address in turn, HTTP/2 preface. A later
    /// attempt can still use a connection that came after its own attempt gave up. Default 5 s.
    pub connect_timeout: Duration,
    /// HTTP/2 connections, used in turn. One carries more than one core can send; more help against a load balancer
    /// that spreads connections. OTLP/HTTP ignores it: it opens as many as there are concurrent sends. 1 to 1,024.
    /// Default 1.
    pub connections: usize,
    /// A larger answer than this is not read: a permanent failure, as the specification demands. Default 4 MiB.
    pub max_response_bytes: usize,
    /// A larger request than this, before or after compression, is not sent: [`Outcome::TooLarge`]. Default 64 MiB.
    ///
    /// [`Outcome::TooLarge`]: crate::Outcome::TooLarge
    pub max_request_bytes: usize,
    /// HTTP/2 only: a ping is sent when this long nothing was answered on a connection; `None` for never. A server
    /// that complains of too many pings gets them at twice the interval from then on. Default 30 s.
    pub keepalive_interval: Option<Duration>,
    /// A connection whose ping is not answered within this time is given up, with everything on it. Default 10 s.
    pub keepalive_timeout: Duration,
    /// Idle time after which the kernel probes a TCP connection; `None` for never. Default 30 s.
    pub tcp_keepalive: Option<Duration>,
    /// OTLP/HTTP only: a connection idle for longer is closed instead of used again. Default 90 s.
    pub idle_timeout: Duration,
    /// HTTP/2 flow-control window for the answers on one connection, in bytes, 64 KiB to 2 GiB. Default 1 MiB.
    pub connection_window_bytes: u32,
    /// HTTP/2 flow-control window for one answer, in bytes, 64 KiB to 2 GiB. Default 512 KiB.
    pub stream_window_bytes: u32,
    /// Largest header block or trailer block of an answer, in bytes. Default 16 KiB.
    pub max_header_list_bytes: u32,
    /// gRPC only: tell the server our time limit in `grpc-timeout`, so that it can stop working on what nobody waits
    /// for. Default true.
    pub send_timeout: bool,
}

impl ClientConfig {
    /// The default settings for this endpoint and protocol.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, protocol: Protocol) -> Self {
        Self { endpoint: endpoint.into(), protocol, ..Self::default() }
    }

    /// Sends one signal to this URL, exactly as it stands, instead of to the endpoint.
    #[must_use]
    pub fn with_signal_endpoint(mut self, signal: Signal, url: impl Into<String>) -> Self {
        self.signal_endpoints[signal.index()] = Some(url.into());
        self
    }

    /// Checks what no other part of the client checks while it is built.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let range = |holds: bool, field, reason| {
            if holds { Ok(()) } else { Err(ConfigError::Range { field, reason }) }
        };
        range(!self.timeout.is_zero(), "timeout", "must be longer than nothing")?;
        range(!self.connect_timeout.is_zero(), "connect_timeout", "must be longer than nothing")?;
        range(!self.keepalive_timeout.is_zero(), "keepalive_timeout", "must be longer than nothing")?;
        range(
            self.keepalive_interval.is_none_or(|every| every >= Duration::from_millis(100)),
            "keepalive_interval",
            "must be at least 100 ms",
        )?;
        range((1..=1024).contains(&self.connections), "connections", "must be from 1 to 1024")?;
        // A gRPC message has a 32-bit length.
        range(
            (1..=u32::MAX as usize).contains(&self.max_request_bytes),
            "max_request_bytes",
            "must be from 1 to 4 GiB",
        )?;
        range(self.max_response_bytes <= 1 << 30, "max_response_bytes", "must be at most 1 GiB")?;
        let window = (1 << 16) - 1..1 << 31;
        range(
            window.contains(&self.stream_window_bytes),
            "stream_window_bytes",
            "must be from 65535 to 2^31 - 1",
        )?;
        range(
            window.contains(&self.connection_window_bytes),
            "connection_window_bytes",
            "must be from 65535 to 2^31 - 1",
        )?;
        range(self.max_header_list_bytes >= 1 << 10, "max_header_list_bytes", "must be at least 1 KiB")?;
        if self.protocol == Protocol::HttpJson && cfg!(not(feature = "json")) {
            return Err(ConfigError::FeatureMissing { feature: Protocol::HttpJson.feature() });
        }
        if self.protocol == Protocol::Grpc && self.signal_endpoints.iter().any(Option::is_some) {
            let reason = "applies to OTLP/HTTP only; for gRPC build one client per signal";
            return Err(ConfigError::Range { field: "signal_endpoints", reason });
        }
        Ok(())
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            endpoint: "http://localhost:4317".to_owned(),
            signal_endpoints: [const { None }; Signal::ALL.len()],
            protocol: Protocol::Grpc,
            compression: Compression::None,
            headers: Vec::new(),
            user_agent: None,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            connections: 1,
            max_response_bytes: 4 << 20,
            max_request_bytes: 64 << 20,
            keepalive_interval: Some(Duration::from_secs(30)),
            keepalive_timeout: Duration::from_secs(10),
            tcp_keepalive: Some(Duration::from_secs(30)),
            idle_timeout: Duration::from_secs(90),
            connection_window_bytes: 1 << 20,
            stream_window_bytes: 512 << 10,
            max_header_list_bytes: 16 << 10,
            send_timeout: true,
        }
    }
}

impl std::fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| (name.as_str(), "..")).collect();
        f.debug_struct("ClientConfig")
            .field("endpoint", &self.endpoint)
            .field("signal_endpoints", &self.signal_endpoints)
            .field("protocol", &self.protocol)
            .field("compression", &self.compression)
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
