//! Everything a user can choose about a client.

use std::time::Duration;

use aqueduct_wire::Signal;

use crate::auth::HeaderSource;
use crate::error::ConfigError;
#[cfg(any(feature = "grpc", feature = "http"))]
use crate::pool::PoolConfig;
use crate::proxy::{ProxyConfig, masked};
use crate::tls::TlsConfig;

/// How OTLP is spoken to the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP/gRPC over HTTP/2; usual port 4317. Needs the feature `grpc`.
    #[default]
    Grpc,
    /// OTLP/HTTP with protobuf bodies; usual port 4318. Needs the feature `http`.
    HttpProtobuf,
    /// OTLP/HTTP with JSON bodies; usual port 4318. Needs the features `http` and `json`. Costs several times the CPU
    /// and the bytes of protobuf: for peers that understand nothing else.
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

/// Which version of HTTP carries OTLP/HTTP. gRPC is always HTTP/2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpVersion {
    /// What the peer prefers of the two with TLS (ALPN), and HTTP/1.1 in clear text.
    #[default]
    Auto,
    /// HTTP/1.1: a connection carries one request at a time.
    Http1,
    /// HTTP/2 without asking ("prior knowledge", RFC 9113 section 3.3): a connection carries many requests at once.
    #[doc(alias = "h2c")]
    Http2,
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
    /// Where the peer is: `http://host:port[/path]` in clear text, `https://host:port[/path]` with [TLS](Self::tls),
    /// `unix:/path` or `unix:///path` for a socket on this machine, and for gRPC also `host:port` in clear text. Without a
    /// port: 4317 for gRPC; 80 and, with TLS, 443 for HTTP. OTLP/HTTP appends `/v1/<signal>` to the path; gRPC prefixes its
    /// method's path with it; the path of a socket is not part of what is asked for there. Default
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
    /// Headers that are fetched when they are needed, such as tokens that expire. Default none.
    pub header_source: Option<HeaderSource>,
    /// How `https://` endpoints are spoken to. Default: the system's authorities, TLS 1.2 or newer.
    pub tls: TlsConfig,
    /// Proxies on the way to the peer. Default none, whatever the environment says.
    pub proxy: ProxyConfig,
    /// What stands before our own name in the `user-agent` header, `None` for nothing: `my-agent/1.2
    /// OTel-OTLP-Exporter-Rust/0.1.0`. Default none.
    pub user_agent: Option<String>,
    /// How long one attempt may take, from the call to the last byte of the answer, connecting and the fetching of
    /// headers included. At most one day. Default 5 s.
    pub timeout: Duration,
    /// Which version of HTTP carries OTLP/HTTP. Default: what is agreed on with TLS, HTTP/1.1 in clear text.
    pub http_version: HttpVersion,
    /// How long one connection may take to come about: name lookup, the addresses, proxy, TLS, HTTP/2 preface. An address that
    /// does not answer costs 250 ms before the next is tried beside it. A later attempt can still use a connection that
    /// came after its own attempt gave up. At most one day. Default 5 s.
    pub connect_timeout: Duration,
    /// HTTP/2 connections that are opened by the first send, kept, and used the least busy first. One carries more
    /// than one core can send; more help against a load balancer that spreads connections. 1 to 1,024. Default 1.
    ///
    /// HTTP/1.1, and HTTP/2 that was agreed on by TLS, ignore it: they keep none that is idle for too long.
    #[doc(alias = "min_connections")]
    pub connections: usize,
    /// Most connections to one place, `connections` to 1,024. Sends beyond wait for their turn, within their time. HTTP/1.1
    /// opens as many as there are concurrent sends, HTTP/2 more than [`connections`](Self::connections) only while all
    /// streams that the server allows are in use. `None` for 4 (or `connections`, if that is more) with HTTP/2 and gRPC,
    /// and 128 otherwise. Default `None`.
    pub max_connections: Option<usize>,
    /// A connection of this age, a tenth more or less at random, takes no new sends; the next one looks the name up
    /// anew. `None` for never. Behind a name whose addresses change, 5 to 30 minutes bound the time until the client
    /// notices. Default none, because replacing good connections needs a name service that works at that moment.
    pub max_connection_age: Option<Duration>,
    /// After this many failures in a row an address is left alone, if the name has others: no connection, a lost one,
    /// an attempt whose time ran out, the gRPC status UNAVAILABLE, an HTTP status from 500 on. Never more than half of
    /// the addresses; when the others fail too, it is tried again at once. `None` for never. At least 1. Default 5.
    #[doc(alias = "outlier_detection")]
    pub eject_after: Option<u32>,
    /// For how long, times the number of ejections in a row; then one connection tries it. Default 30 s.
    pub ejection_time: Duration,
    /// For how long at most. Default 300 s.
    pub max_ejection_time: Duration,
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
    /// A connection idle for longer is closed instead of used again, except for the
    /// [`connections`](Self::connections) that HTTP/2 keeps. Default 90 s.
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

/// The longest ejection that makes sense; far below what an instant can be added to.
const DAY: Duration = Duration::from_secs(24 * 3600);

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

    /// The options of a pool of such connections that keeps this many up.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn pool(&self, min: usize) -> PoolConfig {
        PoolConfig {
            min_connections: min,
            max_connections: self.most_connections(),
            // The steps of connecting have the same limit each, and say better what took so long.
            connect_timeout: self.connect_timeout.saturating_add(Duration::from_secs(1)),
            idle_timeout: Some(self.idle_timeout),
            acquire_timeout: self.timeout,
            max_age: self.max_connection_age,
            ..PoolConfig::default()
        }
    }

    /// Connections that are kept up once they were needed: with HTTP/1.1 there are as many as there are sends.
    pub(crate) fn min_connections(&self) -> usize {
        if self.has_streams() { self.connections } else { 0 }
    }

    /// Connections at most.
    pub(crate) fn most_connections(&self) -> usize {
        let usual = if self.has_streams() { 4 } else { 128 };
        self.max_connections.unwrap_or(usual.max(self.connections))
    }

    /// Whether a connection bears several requests at a time.
    fn has_streams(&self) -> bool {
        self.protocol == Protocol::Grpc || self.http_version == HttpVersion::Http2
    }

    /// Checks what no other part of the client checks while it is built.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let range = |holds: bool, field, reason| {
            if holds { Ok(()) } else { Err(ConfigError::Range { field, reason }) }
        };
        range(!self.timeout.is_zero(), "timeout", "must be longer than nothing")?;
        range(!self.connect_timeout.is_zero(), "connect_timeout", "must be longer than nothing")?;
        // What is added to the time of day must fit in it.
        let day = Duration::from_secs(86_400);
        range(self.timeout <= day, "timeout", "must be at most one day")?;
        range(self.connect_timeout <= day, "connect_timeout", "must be at most one day")?;
        range(!self.keepalive_timeout.is_zero(), "keepalive_timeout", "must be longer than nothing")?;
        range(self.keepalive_timeout <= day, "keepalive_timeout", "must be at most one day")?;
        range(
            self.keepalive_interval.is_none_or(|every| (Duration::from_millis(100)..=day).contains(&every)),
            "keepalive_interval",
            "must be from 100 ms to one day, or none",
        )?;
        // What the kernel takes (tcp(7), TCP_KEEPIDLE).
        let kernel = Duration::from_secs(1)..=Duration::from_secs(32_767);
        range(
            self.tcp_keepalive.is_none_or(|idle| kernel.contains(&idle)),
            "tcp_keepalive",
            "must be from 1 s to 32,767 s, or none",
        )?;
        range((1..=1024).contains(&self.connections), "connections", "must be from 1 to 1024")?;
        range(
            self.max_connections.is_none_or(|max| (self.connections..=1024).contains(&max)),
            "max_connections",
            "must be from `connections` to 1024",
        )?;
        range(!self.idle_timeout.is_zero(), "idle_timeout", "must be longer than nothing")?;
        range(
            self.max_connection_age.is_none_or(|age| !age.is_zero()),
            "max_connection_age",
            "must be longer than nothing",
        )?;
        range(self.eject_after != Some(0), "eject_after", "must be at least 1")?;
        range(!self.ejection_time.is_zero(), "ejection_time", "must be longer than nothing")?;
        range(
            self.max_ejection_time >= self.ejection_time && self.max_ejection_time <= DAY,
            "max_ejection_time",
            "must be at least `ejection_time` and at most a day",
        )?;
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
            header_source: None,
            tls: TlsConfig::default(),
            proxy: ProxyConfig::default(),
            user_agent: None,
            timeout: Duration::from_secs(5),
            http_version: HttpVersion::Auto,
            connect_timeout: Duration::from_secs(5),
            connections: 1,
            max_connections: None,
            max_connection_age: None,
            eject_after: Some(5),
            ejection_time: Duration::from_secs(30),
            max_ejection_time: Duration::from_secs(300),
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
            .field("endpoint", &masked(&self.endpoint))
            .field(
                "signal_endpoints",
                &self.signal_endpoints.each_ref().map(|url| url.as_deref().map(masked)),
            )
            .field("protocol", &self.protocol)
            .field("compression", &self.compression)
            .field("headers", &headers)
            .field("header_source", &self.header_source)
            .field("tls", &self.tls)
            .field("proxy", &self.proxy)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
