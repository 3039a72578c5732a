//! `receivers`: the OTLP receiver and its two listeners.

use std::time::Duration;

use super::address::Listen;
use super::components::{Defined, Kind};
use super::duration::LONGEST;
use super::errors::{Finding, Findings};
use super::read::{Field, Keys, Section};

const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
/// Attribute values nested deeper than this cannot be allowed: the validator's own bound on messages.
const MAX_DEPTH: u64 = 100;

/// An OTLP receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receiver {
    /// Its name in the file, such as `otlp` or `otlp/2`.
    pub name: String,
    /// When a client gets its answer. Default: [`Acknowledge::Enqueued`].
    pub acknowledge: Acknowledge,
    /// Bounds per listener.
    pub limits: Limits,
    /// The OTLP/gRPC listener, if configured.
    pub grpc: Option<Listener>,
    /// The OTLP/HTTP listener, if configured. At least one of the two is.
    pub http: Option<Listener>,
}

/// The point at which a request is answered with success.
///
/// Complete: a later point (written to disk) comes with the disk queue, in a new major version of this file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acknowledge {
    /// Once it is in the bounded memory queues. A crash loses what was acknowledged and not yet exported.
    #[default]
    Enqueued,
    /// Once every exporter of the pipeline has settled it. A crash loses nothing that was acknowledged; a client waits
    /// for as long as the destination takes.
    Exported,
}

/// Bounds that the collector has no keys for, each per listener.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Open connections; further ones are closed. Default 1,024.
    pub max_connections: u64,
    /// Bytes of one request's headers. Default 16 KiB.
    pub max_header_list_size: u64,
    /// Spans, data points or log records in one request. Default 1,000,000.
    pub max_items: u64,
    /// Nesting of attribute values. Default 64.
    pub max_depth: u64,
    /// Resource and scope records in one request, together. Default 1,000,000.
    pub max_envelopes: u64,
    /// Attributes of one resource, scope, span, event, link, log record or data point. Default 65,536.
    pub max_attributes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_header_list_size: 16 * 1024,
            max_items: 1_000_000,
            max_depth: 64,
            max_envelopes: 1_000_000,
            max_attributes: 65_536,
        }
    }
}

/// One listening socket of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// Where to listen.
    pub listen: Listen,
    /// Bytes of one request, on the wire and inflated each. Default 64 MiB.
    pub max_request_bytes: u64,
    /// Concurrent requests on one HTTP/2 connection. Default 256.
    pub max_concurrent_streams: u32,
    /// How long a connection's first headers may take, and each request's in HTTP/1.1. Default 10 s.
    pub read_header_timeout: Duration,
    /// In each such span of time a body must bring at least 16 KiB or its end. Default 30 s.
    pub read_timeout: Duration,
    /// Connections without a request for this long are closed. Default 5 min.
    pub idle_timeout: Duration,
    /// HTTP/2 pings on connections, to notice dead peers.
    pub keepalive: Keepalive,
}

/// HTTP/2 pings that find dead connections.
///
/// Complete: gRPC's two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// A ping after this long without a frame from the peer.
    pub time: Duration,
    /// The connection is closed if the ping stays unanswered for this long.
    pub timeout: Duration,
}

impl Keepalive {
    /// The default towards clients: 60 s, 20 s.
    pub const SERVER: Self = Self { time: Duration::from_secs(60), timeout: Duration::from_secs(20) };
    /// The default towards destinations: 30 s, 10 s.
    pub const CLIENT: Self = Self { time: Duration::from_secs(30), timeout: Duration::from_secs(10) };
}

impl Receiver {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            acknowledge: Acknowledge::default(),
            limits: Limits::default(),
            grpc: None,
            http: None,
        }
    }

    /// The listeners it has, gRPC first.
    pub fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.grpc.iter().chain(&self.http)
    }
}

impl Listener {
    /// An OTLP/gRPC listener with every default; `path` is its key path.
    pub(crate) fn grpc(path: &str) -> Self {
        Self::new(4317, path)
    }

    /// As [`Listener::grpc`], for OTLP/HTTP.
    pub(crate) fn http(path: &str) -> Self {
        Self::new(4318, path)
    }

    fn new(port: u16, path: &str) -> Self {
        Self {
            listen: Listen::by_default(port, format!("{path}.endpoint")),
            max_request_bytes: 64 * MIB,
            max_concurrent_streams: 256,
            read_header_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            keepalive: Keepalive::SERVER,
        }
    }
}

pub(crate) const KIND: Kind = Kind {
    noun: "receiver",
    supported: &["otlp"],
    refused: &[
        ("jaeger", "send OTLP: Jaeger's clients are succeeded by the OpenTelemetry SDKs"),
        (
            "zipkin",
            "run the collector beside it, with a zipkin receiver and an otlp exporter to this gateway",
        ),
        (
            "prometheus",
            "run the collector beside it, with a prometheus receiver and an otlp exporter to this gateway",
        ),
        (
            "filelog",
            "run the collector beside it, with a filelog receiver and an otlp exporter to this gateway",
        ),
        (
            "hostmetrics",
            "run the collector beside it, with a hostmetrics receiver and an otlp exporter to this gateway",
        ),
    ],
};

pub(crate) const OTLP: Keys = Keys { supported: &["protocols", "acknowledge", "limits"], refused: &[] };

pub(crate) const PROTOCOLS: Keys = Keys {
    supported: &["grpc", "http"],
    refused: &[("arrow", "OTel Arrow is not supported; clients fall back to `grpc`")],
};

pub(crate) const LIMITS: Keys = Keys {
    supported: &[
        "max_connections",
        "max_header_list_size",
        "max_items",
        "max_depth",
        "max_envelopes",
        "max_attributes",
    ],
    refused: &[],
};

const NO_TLS: &str = "TLS is not supported yet: listen on a loopback or private address, or behind a proxy";
const NO_AUTH: &str = "authentication is not supported: use a proxy in front of the gateway";
const NO_BUFFERS: &str = "buffers are sized by the gateway: remove the key";
const NO_MIDDLEWARE: &str = "extensions are not supported: remove the key";

pub(crate) const GRPC: Keys = Keys {
    supported: &[
        "endpoint",
        "transport",
        "max_recv_msg_size_mib",
        "max_concurrent_streams",
        "read_header_timeout",
        "read_timeout",
        "keepalive",
        "include_metadata",
    ],
    refused: &[
        ("tls", NO_TLS),
        ("auth", NO_AUTH),
        ("read_buffer_size", NO_BUFFERS),
        ("write_buffer_size", NO_BUFFERS),
        ("middlewares", NO_MIDDLEWARE),
    ],
};

pub(crate) const KEEPALIVE: Keys = Keys {
    supported: &["server_parameters"],
    refused: &[("enforcement_policy", "clients may ping as often as they like: remove the key")],
};

pub(crate) const SERVER_PARAMETERS: Keys = Keys {
    supported: &["time", "timeout", "max_connection_idle"],
    refused: &[
        ("max_connection_age", "connections are not aged: remove the key"),
        ("max_connection_age_grace", "connections are not aged: remove the key"),
    ],
};

const FIXED_PATHS: &str =
    "the paths are those of the specification, /v1/traces, /v1/metrics and /v1/logs: remove the key";

pub(crate) const HTTP: Keys = Keys {
    supported: &[
        "endpoint",
        "transport",
        "max_request_body_size",
        "max_concurrent_streams",
        "read_header_timeout",
        "read_timeout",
        "idle_timeout",
        "include_metadata",
    ],
    refused: &[
        ("tls", NO_TLS),
        ("auth", NO_AUTH),
        ("cors", "browsers are not served yet: use a proxy that answers their preflight requests"),
        ("traces_url_path", FIXED_PATHS),
        ("metrics_url_path", FIXED_PATHS),
        ("logs_url_path", FIXED_PATHS),
        ("response_headers", "answers carry the headers of the specification only: remove the key"),
        ("compression_algorithms", "none, gzip and zstd are always accepted: remove the key"),
        ("write_timeout", "answers are small and written at once: remove the key"),
        ("keep_alives_enabled", "connections are kept alive: use `idle_timeout` to end unused ones"),
        ("middlewares", NO_MIDDLEWARE),
    ],
};

pub(crate) fn read(section: Option<Field<'_>>) -> Vec<Defined<Receiver>> {
    KIND.define(section, |_, name, field| Some(receiver(name, field)))
}

fn receiver(name: &str, field: &Field<'_>) -> Receiver {
    let section = Section::open(field, &OTLP);
    let mut receiver = Receiver::new(name);
    let points = [("enqueued", Acknowledge::Enqueued), ("exported", Acknowledge::Exported)];
    receiver.acknowledge = section.choice("acknowledge", receiver.acknowledge, &points);
    if let Some(field) = section.field("limits") {
        receiver.limits = limits(&Section::open(&field, &LIMITS));
    }
    let meaning = "an OTLP receiver needs at least one of `grpc:` and `http:` under it";
    if let Some(field) = section.required("protocols", meaning) {
        let protocols = Section::open(&field, &PROTOCOLS);
        receiver.grpc = protocols.field("grpc").map(|field| grpc(&field));
        receiver.http = protocols.field("http").map(|field| http(&field));
        if field.is_empty() {
            field.fail(Finding::new(field.key_at, field.path.clone(), format!("no protocol: {meaning}")));
        }
    }
    receiver
}

fn limits(section: &Section<'_>) -> Limits {
    let default = Limits::default();
    Limits {
        max_connections: section.integer("max_connections", default.max_connections, 1..=1_000_000),
        max_header_list_size: section.size(
            "max_header_list_size",
            default.max_header_list_size,
            8 * 1024..=16 * MIB,
        ),
        max_items: section.integer("max_items", default.max_items, 1..=u64::MAX),
        max_depth: section.integer("max_depth", default.max_depth, 1..=MAX_DEPTH),
        max_envelopes: section.integer("max_envelopes", default.max_envelopes, 1..=u64::MAX),
        max_attributes: section.integer("max_attributes", default.max_attributes, 1..=u64::MAX),
    }
}

fn grpc(field: &Field<'_>) -> Listener {
    let section = Section::open(field, &GRPC);
    let mut listener = Listener::grpc(&field.path);
    common(&section, &mut listener);
    let mib = section.integer("max_recv_msg_size_mib", listener.max_request_bytes / MIB, 1..=2047);
    listener.max_request_bytes = mib * MIB;
    let Some(field) = section.field("keepalive") else { return listener };
    let Some(field) = Section::open(&field, &KEEPALIVE).field("server_parameters") else { return listener };
    let section = Section::open(&field, &SERVER_PARAMETERS);
    listener.keepalive = keepalive(&section, listener.keepalive);
    listener.idle_timeout = section.duration("max_connection_idle", listener.idle_timeout, SECOND..=LONGEST);
    listener
}

fn http(field: &Field<'_>) -> Listener {
    let section = Section::open(field, &HTTP);
    let mut listener = Listener::http(&field.path);
    common(&section, &mut listener);
    listener.max_request_bytes =
        section.size("max_request_body_size", listener.max_request_bytes, 1..=2047 * MIB);
    listener.idle_timeout = section.duration("idle_timeout", listener.idle_timeout, SECOND..=LONGEST);
    listener
}

fn common(section: &Section<'_>, listener: &mut Listener) {
    match section.field("endpoint").and_then(|field| field.listen()) {
        Some(listen) => listener.listen = listen,
        None => listener.listen.setting.position = Some(section.at),
    }
    section.only("transport", "tcp", "other transports, such as unix sockets, are not supported yet");
    section.only("include_metadata", "false", "the headers of clients are not passed on");
    let streams =
        section.integer("max_concurrent_streams", listener.max_concurrent_streams.into(), 1..=65_536);
    listener.max_concurrent_streams = u32::try_from(streams).unwrap_or(u32::MAX);
    let range = Duration::from_millis(1)..=LONGEST;
    listener.read_header_timeout =
        section.duration("read_header_timeout", listener.read_header_timeout, range.clone());
    listener.read_timeout = section.duration("read_timeout", listener.read_timeout, range);
}

/// `time` and `timeout`, of which a section may set either.
pub(crate) fn keepalive(section: &Section<'_>, default: Keepalive) -> Keepalive {
    Keepalive {
        time: section.duration("time", default.time, SECOND..=LONGEST),
        timeout: section.duration("timeout", default.timeout, Duration::from_millis(100)..=LONGEST),
    }
}

/// Reports listeners that want the same address, at the later one that the file mentions.
pub(crate) fn check_ports<'l>(listeners: impl Iterator<Item = &'l Listen>, findings: &Findings) {
    let mut seen: Vec<&Listen> = Vec::new();
    for listen in listeners {
        if let Some(first) = seen.iter().find(|first| first.conflicts_with(listen)) {
            let (blamed, other) = match listen.setting.position {
                Some(_) => (listen, *first),
                None => (*first, listen),
            };
            let message = format!("port {} is already taken by {}", listen.port, other.setting);
            let finding = Finding::new(blamed.setting.position, blamed.setting.path.clone(), message);
            let help =
                format!("{blamed} and {other} cannot both be listened on: give one of them another port");
            findings.error(finding.with_help(help));
        }
        seen.push(listen);
    }
}
