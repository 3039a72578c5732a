//! `service.telemetry.metrics.readers[n].periodic`: the gateway's own metrics, pushed by OTLP.

use std::time::Duration;

use super::Signal;
use super::address::Target;
use super::errors::Finding;
use super::exporters::{self, ExportProtocol, OtlpExporter};
use super::headers;
use super::queue::{Queue, Retry};
use super::read::{Field, Keys, Section};
use super::receivers::Keepalive;
use super::tls::{self, TlsSection};

/// Metrics are sent to a destination of their own at fixed intervals.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Periodic {
    /// From one reading to the next. Default 60 s.
    pub interval: Duration,
    /// How, and where to.
    pub exporter: Box<OtlpExporter>,
}

pub(crate) const PERIODIC: Keys = Keys {
    supported: &["interval", "timeout", "exporter"],
    refused: &[
        ("producers", "there are none but the gateway itself: remove the key"),
        ("cardinality_limits", "the gateway's metrics are few: remove the key"),
    ],
};

pub(crate) const PERIODIC_EXPORTER: Keys = Keys {
    supported: &["otlp"],
    refused: &[("console", "look at /metrics of the admin endpoint, or send OTLP")],
};

const WITH_TLS: &str =
    "write it below `tls`, as for exporters: `insecure`, `ca_file`, `cert_file`, `key_file`";

pub(crate) const OTLP: Keys = Keys {
    supported: &[
        "protocol",
        "endpoint",
        "headers",
        "compression",
        "compression_params",
        "timeout",
        "tls",
        "temporality_preference",
    ],
    refused: &[
        ("insecure", WITH_TLS),
        ("certificate", WITH_TLS),
        ("client_certificate", WITH_TLS),
        ("client_key", WITH_TLS),
        ("headers_list", "write `headers`"),
        (
            "default_histogram_aggregation",
            "latencies and sizes are exponential histograms, all else has its own bounds: remove the key",
        ),
    ],
};

/// The collector counts in milliseconds here.
const MILLISECONDS: std::ops::RangeInclusive<u64> = 1..=86_400_000;

fn milliseconds(section: &Section<'_>, key: &str, default: u64) -> Duration {
    Duration::from_millis(section.integer(key, default, MILLISECONDS))
}

pub(crate) fn read(field: &Field<'_>) -> Option<Periodic> {
    let section = Section::open(field, &PERIODIC);
    let interval = milliseconds(&section, "interval", 60_000);
    let patience = milliseconds(&section, "timeout", 30_000);
    let exporter = section.required("exporter", "where metrics are sent")?;
    let otlp =
        Section::open(&exporter, &PERIODIC_EXPORTER).required("otlp", "the destination of the metrics")?;
    Some(Periodic { interval, exporter: Box::new(destination(&otlp, patience)?) })
}

fn destination(field: &Field<'_>, patience: Duration) -> Option<OtlpExporter> {
    let section = Section::open(field, &OTLP);
    section.only("temporality_preference", "cumulative", "sums count from the start of the gateway");
    let protocols = [
        ("grpc", ExportProtocol::Grpc),
        ("http/protobuf", ExportProtocol::HttpProtobuf),
        ("http/json", ExportProtocol::HttpJson),
    ];
    let protocol = section.required("protocol", "`grpc` or `http/protobuf`");
    let endpoint = section.required("endpoint", "the address to send to, such as http://collector:4317");
    // All that is wrong is told: what follows is read whatever the protocol is.
    let protocol =
        protocol.and_then(|field| field.choice(&protocols)).unwrap_or(ExportProtocol::HttpProtobuf);
    let tls = TlsSection::open(&section);
    let mut exporter = OtlpExporter {
        protocol,
        endpoint: None,
        signal_endpoints: [const { None }; 3],
        setting: section.setting("endpoint"),
        tls: tls::Tls::default(),
        proxy_url: None,
        headers: section.field("headers").map(|field| headers::read_named(&field)).unwrap_or_default(),
        compression: exporters::compression(&section),
        timeout: milliseconds(&section, "timeout", 10_000).min(patience),
        connections: 1,
        keepalive: Keepalive::CLIENT,
        queue: Queue { max_bytes: 1 << 20, num_consumers: 1 },
        retry: Retry { max_elapsed_time: Some(patience), ..Retry::default() },
    };
    let field = endpoint?;
    if protocol == ExportProtocol::Grpc {
        exporter.endpoint = field.endpoint(&Target::GRPC, tls.insecure);
    } else if has_path(field.text(Target::HTTP.expected)?) {
        exporter.signal_endpoints[Signal::Metrics.index()] = field.endpoint(&Target::SIGNAL, tls.insecure);
    } else {
        exporter.endpoint = field.endpoint(&Target::HTTP, tls.insecure);
    }
    exporter.tls = tls.read(exporter.urls());
    Some(exporter)
}

/// Whether a URL says more than the address: then it is used as it is.
fn has_path(url: &str) -> bool {
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    address.split_once('/').is_some_and(|(_, path)| !path.is_empty())
}

/// The one of the readers that has this key, if there is one; a second one is reported.
pub(crate) fn only<'a>(readers: &[Section<'a>], key: &str) -> Option<Field<'a>> {
    let mut found = readers.iter().filter_map(|reader| reader.field(key));
    let first = found.next()?;
    if let Some(second) = found.next() {
        let message = format!("a second `{key}` reader: there can be one");
        second.fail(Finding::new(second.key_at, second.path.clone(), message));
    }
    Some(first)
}
