//! `exporters`: what is common to them, and the reading of OTLP, debug and file exporters.

use std::path::PathBuf;
use std::time::Duration;

use super::address::Target;
use super::components::{Defined, Kind};
use super::duration::LONGEST;
use super::errors::Finding;
use super::headers;
use super::position::{Given, Setting};
use super::queue::{self, Queue, Retry};
use super::read::{Field, Keys, Section};
use super::receivers::{Keepalive, keepalive};
use super::secret::Secret;
use super::tls::{self, Tls, TlsSection};

/// An exporter.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Exporter {
    /// Its name in the file, such as `otlp` or `otlp/backup`.
    pub name: String,
    /// What it does.
    pub kind: ExporterKind,
}

/// The kinds of exporters.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ExporterKind {
    /// Sends OTLP over the network.
    Otlp(Box<OtlpExporter>),
    /// Prints a summary line a second. It has no settings.
    Debug,
    /// Appends OTLP-JSON lines to a file.
    File(FileExporter),
}

/// An OTLP exporter, over gRPC or HTTP.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OtlpExporter {
    /// How OTLP is spoken.
    pub protocol: ExportProtocol,
    /// `http://host[:port][/path]` in clear text, `https://` with TLS, to which HTTP adds `/v1/<signal>`, or `unix:/path`; `None` if only
    /// signals have URLs.
    pub endpoint: Option<String>,
    /// URLs of single signals, used as they are, in the order traces, metrics, logs. HTTP only.
    pub signal_endpoints: [Option<String>; 3],
    /// The setting of the address, for messages.
    pub setting: Setting,
    /// How `https://` is spoken.
    pub tls: Tls,
    /// The URL of a proxy for every address. Default: what the environment says.
    pub proxy_url: Option<Given<Secret>>,
    /// Sent with every request, in the file's order.
    pub headers: Vec<(String, Secret)>,
    /// Default gzip level 1.
    pub compression: Compression,
    /// How long one attempt may take. Default 5 s.
    pub timeout: Duration,
    /// HTTP/2 connections (gRPC only). Default 1.
    pub connections: u32,
    /// HTTP/2 pings (gRPC only).
    pub keepalive: Keepalive,
    /// What waits and what is in flight.
    pub queue: Queue,
    /// What happens after a failure that may pass.
    pub retry: Retry,
}

impl OtlpExporter {
    /// Every address that it sends to.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> + Clone {
        self.endpoint.iter().chain(self.signal_endpoints.iter().flatten()).map(String::as_str)
    }
}

/// How OTLP is spoken to a destination.
///
/// Complete: the protocols of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportProtocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    HttpProtobuf,
    /// OTLP/HTTP with JSON bodies.
    HttpJson,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, with a level from 0 to 9.
    Gzip(u32),
    /// Zstandard, with a level from 1 to 19.
    Zstd(i32),
}

/// A file exporter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileExporter {
    /// The file; its folder must exist.
    pub path: PathBuf,
    /// Keep what the file holds instead of starting it anew. Default false, as in the collector.
    pub append: bool,
    /// The setting of the path, for messages.
    pub setting: Setting,
}

pub(crate) const KIND: Kind = Kind {
    noun: "exporter",
    supported: &["otlp", "otlp_grpc", "otlphttp", "otlp_http", "debug", "file"],
    refused: &[
        ("logging", "write `debug`: the collector replaced `logging` by it, too"),
        ("prometheus", "send OTLP to a collector with a prometheus exporter"),
        ("prometheusremotewrite", "send OTLP: Prometheus accepts it at /api/v1/otlp (`otlphttp`)"),
        ("jaeger", "send OTLP: Jaeger accepts it on port 4317 (`otlp`)"),
        ("zipkin", "send OTLP to a collector with a zipkin exporter"),
        ("loki", "send OTLP: Loki accepts it at /otlp (`otlphttp`)"),
    ],
};

pub(crate) const GRPC: Keys = Keys {
    supported: &[
        "endpoint",
        "headers",
        "compression",
        "compression_params",
        "timeout",
        "retry_on_failure",
        "sending_queue",
        "tls",
        "proxy_url",
        "keepalive",
        "connections",
    ],
    refused: &[
        ("auth", "authenticate with `headers`, such as `authorization: ${env:TOKEN}`"),
        ("wait_for_ready", "an unreachable server is retried: remove the key"),
        ("balancer_name", "addresses are not balanced yet: remove the key, or raise `connections`"),
        ("authority", "the authority is that of `endpoint`: remove the key"),
        ("read_buffer_size", NO_BUFFERS),
        ("write_buffer_size", NO_BUFFERS),
        ("middlewares", "extensions are not supported: remove the key"),
        ("batcher", "write a `batch` processor"),
    ],
};

pub(crate) const HTTP: Keys = Keys {
    supported: &[
        "endpoint",
        "headers",
        "compression",
        "compression_params",
        "timeout",
        "retry_on_failure",
        "sending_queue",
        "tls",
        "proxy_url",
        "traces_endpoint",
        "metrics_endpoint",
        "logs_endpoint",
        "encoding",
    ],
    refused: &[
        ("auth", "authenticate with `headers`, such as `authorization: ${env:TOKEN}`"),
        ("cookies", "cookies are not kept: remove the key"),
        ("profiles_endpoint", "profiles are not supported yet: remove the key"),
        ("read_buffer_size", NO_BUFFERS),
        ("write_buffer_size", NO_BUFFERS),
        ("max_idle_conns", NO_POOL),
        ("max_idle_conns_per_host", NO_POOL),
        ("max_conns_per_host", NO_POOL),
        ("idle_conn_timeout", NO_POOL),
        ("disable_keep_alives", NO_POOL),
        ("http2_read_idle_timeout", NO_HTTP2),
        ("http2_ping_timeout", NO_HTTP2),
        ("force_attempt_http2", NO_HTTP2),
        ("middlewares", "extensions are not supported: remove the key"),
        ("batcher", "write a `batch` processor"),
    ],
};

const NO_BUFFERS: &str = "buffers are sized by the gateway: remove the key";
const NO_POOL: &str =
    "there are as many connections as requests in flight (`sending_queue.num_consumers`): remove the key";
const NO_HTTP2: &str = "HTTP/2 is spoken where TLS agrees on it, HTTP/1.1 elsewhere: remove the key";

pub(crate) const KEEPALIVE: Keys = Keys {
    supported: &["time", "timeout"],
    refused: &[("permit_without_stream", "pings are sent while an answer is awaited: remove the key")],
};

pub(crate) const COMPRESSION_PARAMS: Keys = Keys { supported: &["level"], refused: &[] };

pub(crate) const DEBUG: Keys = Keys {
    supported: &["verbosity"],
    refused: &[
        ("sampling_initial", "there is one line a second, whatever the traffic: remove the key"),
        ("sampling_thereafter", "there is one line a second, whatever the traffic: remove the key"),
        ("use_internal_logger", "lines go to the standard output: remove the key"),
        ("output_paths", "lines go to the standard output: remove the key"),
    ],
};

const NO_ROTATION: &str = "the file is not rotated: use logrotate with copytruncate, and `append: true`";

pub(crate) const FILE: Keys = Keys {
    supported: &["path", "append", "format"],
    refused: &[
        ("rotation", NO_ROTATION),
        ("compression", "the file is not compressed: remove the key"),
        ("flush_interval", "every batch is written at once: remove the key"),
        ("create_directory", "create the folder beforehand: remove the key"),
        ("directory_permissions", "create the folder beforehand: remove the key"),
        ("group_by", "one exporter writes one file: remove the key"),
        ("encoding", "OTLP-JSON is written: remove the key"),
    ],
};

pub(crate) fn read(section: Option<Field<'_>>) -> Vec<Defined<Exporter>> {
    KIND.define(section, |kind, name, field| {
        let kind = match kind {
            "otlp" | "otlp_grpc" => ExporterKind::Otlp(Box::new(grpc(field))),
            "otlphttp" | "otlp_http" => ExporterKind::Otlp(Box::new(http(field))),
            "debug" => debug(field),
            _ => ExporterKind::File(file(field)?),
        };
        Some(Exporter { name: name.to_owned(), kind })
    })
}

fn grpc(field: &Field<'_>) -> OtlpExporter {
    let section = Section::open(field, &GRPC);
    let mut exporter = common(&section, ExportProtocol::Grpc);
    let tls = TlsSection::open(&section);
    let field = section.required("endpoint", "the address to send to, such as collector:4317");
    exporter.endpoint = field.and_then(|field| field.endpoint(&Target::GRPC, tls.insecure));
    exporter.tls = tls.read(exporter.urls());
    exporter.proxy_url = tls::proxy(&section, exporter.urls());
    exporter.connections = u32::try_from(section.integer("connections", 1, 1..=1024)).unwrap_or(1);
    if let Some(field) = section.field("keepalive") {
        exporter.keepalive = keepalive(&Section::open(&field, &KEEPALIVE), exporter.keepalive);
    }
    exporter
}

fn http(field: &Field<'_>) -> OtlpExporter {
    let section = Section::open(field, &HTTP);
    let encodings = [("proto", ExportProtocol::HttpProtobuf), ("json", ExportProtocol::HttpJson)];
    let protocol = section.choice("encoding", ExportProtocol::HttpProtobuf, &encodings);
    let mut exporter = common(&section, protocol);
    let tls = TlsSection::open(&section);
    let mut addressed = false;
    for (slot, key) in ["traces_endpoint", "metrics_endpoint", "logs_endpoint"].into_iter().enumerate() {
        if let Some(field) = section.field(key) {
            if !addressed {
                exporter.setting = section.setting(key);
            }
            addressed = true;
            exporter.signal_endpoints[slot] = field.endpoint(&Target::SIGNAL, tls.insecure);
        }
    }
    let field = match addressed {
        true => section.field("endpoint"),
        false => section.required("endpoint", "the URL to send to, such as http://collector:4318"),
    };
    if field.is_some() {
        exporter.setting = section.setting("endpoint");
    }
    exporter.endpoint = field.and_then(|field| field.endpoint(&Target::HTTP, tls.insecure));
    exporter.tls = tls.read(exporter.urls());
    exporter.proxy_url = tls::proxy(&section, exporter.urls());
    exporter
}

fn common(section: &Section<'_>, protocol: ExportProtocol) -> OtlpExporter {
    OtlpExporter {
        protocol,
        endpoint: None,
        signal_endpoints: [const { None }; 3],
        setting: section.setting("endpoint"),
        tls: Tls::default(),
        proxy_url: None,
        headers: section.field("headers").map(|field| headers::read(&field)).unwrap_or_default(),
        compression: compression(section),
        timeout: section.duration("timeout", Duration::from_secs(5), Duration::from_millis(1)..=LONGEST),
        connections: 1,
        keepalive: Keepalive::CLIENT,
        queue: queue::queue(section),
        retry: queue::retry(section),
    }
}

pub(crate) fn compression(section: &Section<'_>) -> Compression {
    let choices =
        [("none", Compression::None), ("gzip", Compression::Gzip(1)), ("zstd", Compression::Zstd(1))];
    let compression = match section.field("compression") {
        // An empty text is the collector's other way to say "none"; offering it as a choice would puzzle.
        Some(field) if field.is_empty_text() => Compression::None,
        Some(field) => field.choice(&choices).unwrap_or(Compression::Gzip(1)),
        None => Compression::Gzip(1),
    };
    let Some(params) = section.field("compression_params") else { return compression };
    let Some(level) = Section::open(&params, &COMPRESSION_PARAMS).field("level") else { return compression };
    match compression {
        Compression::None => {
            let message = "a compression level without compression";
            level.fail(Finding::new(level.key_at, level.path.clone(), message));
            compression
        }
        Compression::Gzip(default) => Compression::Gzip(
            level.integer(0..=9).and_then(|level| u32::try_from(level).ok()).unwrap_or(default),
        ),
        Compression::Zstd(default) => Compression::Zstd(
            level.integer(1..=19).and_then(|level| i32::try_from(level).ok()).unwrap_or(default),
        ),
    }
}

fn debug(field: &Field<'_>) -> ExporterKind {
    let section = Section::open(field, &DEBUG);
    section.only("verbosity", "basic", "items are counted, not printed: look at them with a `file` exporter");
    ExporterKind::Debug
}

fn file(field: &Field<'_>) -> Option<FileExporter> {
    let section = Section::open(field, &FILE);
    section.only("format", "json", "OTLP-JSON is written, one request a line");
    let append = section.flag("append", false);
    let path = section.required("path", "the file to write to")?;
    let text = path.text("the path of the file to write")?;
    if text.is_empty() || text.contains('\0') {
        path.fail(path.wrong("the path of the file to write"));
        return None;
    }
    Some(FileExporter { path: PathBuf::from(text), append, setting: section.setting("path") })
}

/// Reports exporters that would write the same file over each other.
pub(crate) fn check_files(exporters: &[Exporter], findings: &super::errors::Findings) {
    let mut seen: Vec<(&PathBuf, &str)> = Vec::new();
    for exporter in exporters {
        let ExporterKind::File(file) = &exporter.kind else { continue };
        if let Some((_, first)) = seen.iter().find(|(path, _)| *path == &file.path) {
            let message = format!("the exporter `{first}` already writes this file");
            findings.error(Finding::new(file.setting.position, file.setting.path.clone(), message));
        }
        seen.push((&file.path, &exporter.name));
    }
}
