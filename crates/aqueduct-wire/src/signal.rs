//! The three signals of OTLP, and what each is called where.

use core::fmt;
use core::str::FromStr;

/// What kind of telemetry a request carries.
///
/// Profiles are not here: their protocol is still under development.
#[doc(alias = "Telemetry")]
#[non_exhaustive]
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Spans, `ExportTraceServiceRequest`.
    Traces,
    /// Data points, `ExportMetricsServiceRequest`.
    Metrics,
    /// Log records, `ExportLogsServiceRequest`.
    Logs,
}

impl Signal {
    /// Every signal, in the order of [`Signal::index`].
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    /// Position in [`Signal::ALL`], for arrays with one cell per signal.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// `"traces"`, `"metrics"` or `"logs"`: the name in configuration files, metrics labels and URLs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// What one item of this signal is called: `"span"`, `"data point"` or `"log record"`.
    #[must_use]
    pub const fn item_name(self) -> &'static str {
        match self {
            Signal::Traces => "span",
            Signal::Metrics => "data point",
            Signal::Logs => "log record",
        }
    }

    /// The `:path` of the gRPC method that takes this signal.
    #[must_use]
    pub const fn grpc_path(self) -> &'static str {
        match self {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The default URL path of OTLP/HTTP for this signal (OTLP specification, "OTLP/HTTP Request").
    #[must_use]
    pub const fn http_path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
            Signal::Logs => "/v1/logs",
        }
    }

    /// The signal whose [`Signal::grpc_path`] is `path`.
    #[must_use]
    pub fn from_grpc_path(path: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.grpc_path() == path)
    }

    /// The signal whose [`Signal::http_path`] is `path`.
    #[must_use]
    pub fn from_http_path(path: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.http_path() == path)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is none of `traces`, `metrics` and `logs`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownSignal;

impl fmt::Display for UnknownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown signal, expected traces, metrics or logs")
    }
}

impl core::error::Error for UnknownSignal {}

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(name: &str) -> Result<Signal, UnknownSignal> {
        Signal::ALL.into_iter().find(|signal| signal.as_str() == name).ok_or(UnknownSignal)
    }
}
