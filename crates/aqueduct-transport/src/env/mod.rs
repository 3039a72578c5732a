//! The environment variables that configure an exporter (OpenTelemetry specification, "OpenTelemetry Protocol
//! Exporter"). Pure: the variables come from a function.

mod read;

use std::fmt;
use std::time::Duration;

use aqueduct_wire::Signal;
use aqueduct_wire::grpc::decode_message;

use crate::EnvUse;
use crate::config::{ClientConfig, Compression, Protocol};
use crate::proxy::ProxyConfig;
use crate::tls::Pem;
use read::{Origin, Variables};

/// What was read of one environment variable that is set. Shown as a line for a log; never holds the variable's value,
/// which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvNote {
    /// Its name.
    pub variable: String,
    /// What became of it.
    pub used: EnvUse,
}

impl EnvNote {
    /// Whether somebody should be told: it does not do what it says.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(self.used, EnvUse::UsedBut(_) | EnvUse::Ignored(_))
    }
}

impl fmt::Display for EnvNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, used } = self;
        match used {
            EnvUse::Used => write!(f, "{variable}: used"),
            EnvUse::UsedBut(but) => write!(f, "{variable}: {but}"),
            EnvUse::Overridden { by } => write!(f, "{variable}: overridden by {by}"),
            EnvUse::Ignored(reason) => write!(f, "{variable}: ignored, {reason}"),
        }
    }
}

/// The time limit of the specification.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What stands for "no limit", which a client does not have.
const LONGEST: Duration = Duration::from_secs(86_400);

impl ClientConfig {
    /// The configuration of the exporter of one signal as the process's environment says:
    /// [`from_vars`](Self::from_vars). A variable that is not UTF-8 counts as not set.
    ///
    /// ```
    /// use aqueduct_transport::ClientConfig;
    /// use aqueduct_wire::Signal;
    ///
    /// let (config, notes) = ClientConfig::from_env(Signal::Traces);
    /// for note in notes.iter().filter(|note| note.is_warning()) {
    ///     eprintln!("{note}");
    /// }
    /// # let _ = config;
    /// ```
    #[must_use]
    #[doc(alias = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    #[doc(alias = "OTEL_EXPORTER_OTLP_HEADERS")]
    #[doc(alias = "OTEL_EXPORTER_OTLP_PROTOCOL")]
    #[doc(alias = "OTEL_EXPORTER_OTLP_CERTIFICATE")]
    #[doc(alias = "OTEL_EXPORTER_OTLP_CLIENT_KEY")]
    #[doc(alias = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")]
    #[doc(alias = "OTEL_EXPORTER_OTLP_COMPRESSION")]
    #[doc(alias = "OTEL_EXPORTER_OTLP_TIMEOUT")]
    #[doc(alias = "OTEL_EXPORTER_OTLP_INSECURE")]
    pub fn from_env(signal: Signal) -> (Self, Vec<EnvNote>) {
        Self::from_vars(signal, |name| std::env::var(name).ok())
    }

    /// The configuration of the exporter of one signal, from the variables that this function knows, and what became of each
    /// of them.
    ///
    /// Each variable exists as `OTEL_EXPORTER_OTLP_X` for all signals and as `OTEL_EXPORTER_OTLP_TRACES_X` (`METRICS`,
    /// `LOGS`) for one, which comes first. An empty one counts as not set. One that makes no sense is ignored, as if it were not
    /// set; what can only be found out by trying (an endpoint that is no URL, a file that is not there) is an error of
    /// [`Client::new`](crate::Client::new).
    ///
    /// | `X` | default | |
    /// |---|---|---|
    /// | `PROTOCOL` | `http/protobuf` | `grpc`, `http/protobuf`, `http/json` |
    /// | `ENDPOINT` | `http://localhost:4318`, for gRPC `:4317` | the one for a signal is used as it stands; HTTP appends `v1/<signal>` to the one for all |
    /// | `INSECURE` | `false` | for gRPC endpoints without a scheme: `false` means TLS |
    /// | `CERTIFICATE`, `CLIENT_KEY`, `CLIENT_CERTIFICATE` | none | files in PEM: [`TlsConfig`](crate::TlsConfig) |
    /// | `HEADERS` | none | `name=value,name=value`, values percent-encoded; those for a signal replace those for all |
    /// | `COMPRESSION` | `none` | `none`, `gzip` (level 1); and `zstd` (level 1), which the specification does not know |
    /// | `TIMEOUT` | 10000 | milliseconds per attempt; 0 means without limit, which here is one day |
    ///
    /// The proxy comes from the variables of [`ProxyConfig::from_vars`]. Everything else is as in
    /// [`ClientConfig::default`].
    #[must_use]
    pub fn from_vars(signal: Signal, lookup: impl Fn(&str) -> Option<String>) -> (Self, Vec<EnvNote>) {
        let mut vars = Variables::new(signal, &lookup);
        let protocol =
            vars.find("PROTOCOL", protocol).map_or(Protocol::HttpProtobuf, |(protocol, _)| protocol);
        let mut config = match protocol {
            Protocol::Grpc => Self::new(grpc_endpoint(&mut vars), protocol),
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                vars.ignore("INSECURE", "it is for gRPC; for HTTP the endpoint's scheme decides");
                http_endpoint(&mut vars, signal, protocol)
            }
        };
        let mut file = |name| vars.find(name, |path| Ok(Pem::File(path.into()))).map(|(file, _)| file);
        config.tls.ca = file("CERTIFICATE");
        config.tls.client_key = file("CLIENT_KEY");
        config.tls.client_certificate = file("CLIENT_CERTIFICATE");
        let some = |text: &str| match headers(text) {
            (none, odd) if none.is_empty() && !odd.is_empty() => Err(odd.join("; ")),
            some => Ok(some),
        };
        if let Some(((headers, odd), origin)) = vars.find("HEADERS", some) {
            config.headers = headers;
            if !odd.is_empty() {
                vars.differ("HEADERS", origin, odd.join("; "));
            }
        }
        config.compression =
            vars.find("COMPRESSION", compression).map_or(Compression::None, |(found, _)| found);
        config.timeout = match vars.find("TIMEOUT", milliseconds) {
            None => TIMEOUT,
            Some((time, origin)) if time.is_zero() || time > LONGEST => {
                vars.differ("TIMEOUT", origin, "the time limit is one day, the longest there is".to_owned());
                LONGEST
            }
            Some((time, _)) => time,
        };
        let notes = vars.into_notes();
        config.proxy = ProxyConfig::from_vars(lookup);
        (config, notes)
    }
}

fn grpc_endpoint(vars: &mut Variables<'_>) -> String {
    let found = vars.find("ENDPOINT", |url| Ok(url.to_owned()));
    let Some((endpoint, _)) = found else {
        vars.ignore("INSECURE", "it is for endpoints without a scheme, and none is set");
        return "http://localhost:4317".to_owned();
    };
    if endpoint.contains("://") || endpoint.to_ascii_lowercase().starts_with("unix:") {
        vars.ignore("INSECURE", "the endpoint's scheme decides");
        return endpoint;
    }
    let insecure = vars.find("INSECURE", boolean).is_some_and(|(insecure, _)| insecure);
    format!("{}://{endpoint}", if insecure { "http" } else { "https" })
}

fn http_endpoint(vars: &mut Variables<'_>, signal: Signal, protocol: Protocol) -> ClientConfig {
    let config = ClientConfig::new("http://localhost:4318", protocol);
    match vars.find("ENDPOINT", |url| Ok(url.to_owned())) {
        None => config,
        Some((url, Origin::Signal)) => config.with_signal_endpoint(signal, url),
        Some((url, Origin::All)) => ClientConfig { endpoint: url, ..config },
    }
}

fn protocol(text: &str) -> Result<Protocol, String> {
    let known = [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson];
    let found = known.into_iter().find(|protocol| text.eq_ignore_ascii_case(protocol.as_str()));
    found.ok_or_else(|| "expected grpc, http/protobuf or http/json".to_owned())
}

fn compression(text: &str) -> Result<Compression, String> {
    match text.to_ascii_lowercase().as_str() {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip(1)),
        "zstd" => Ok(Compression::Zstd(1)),
        _ => Err("expected none, gzip or zstd".to_owned()),
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let whole = text.parse().map(Duration::from_millis);
    whole.map_err(|_| "expected a whole number of milliseconds".to_owned())
}

/// The headers in a list, in the form of W3C Baggage without properties, and what is odd about the others. Values are not
/// repeated; names neither, unless they are names.
fn headers(text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (mut headers, mut odd) = (Vec::new(), Vec::new());
    for (at, member) in text.split(',').enumerate() {
        if member.trim().is_empty() {
            continue;
        }
        let Some((name, value)) = member.split_once('=') else {
            odd.push(format!("entry {} is left out, it is not name=value", at + 1));
            continue;
        };
        let (name, value) = (name.trim(), decode_message(value.trim().as_bytes()));
        let refused = match crate::headers::parse(name, &value) {
            _ if value.contains(char::REPLACEMENT_CHARACTER) => Some("its value is not UTF-8"),
            Err(crate::ConfigError::Header { reason, .. }) => Some(reason),
            Err(_) => Some("it is not valid"),
            Ok(_) => None,
        };
        match refused {
            None => headers.push((name.to_owned(), value)),
            Some(reason) => odd.push(format!("entry {} is left out: {reason}", at + 1)),
        }
    }
    (headers, odd)
}
