//! `service.telemetry`: the admin endpoint and the log.

use super::address::Listen;
use super::errors::Finding;
use super::position::Setting;
use super::read::{Field, Keys, Section};

/// What the gateway tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Telemetry {
    /// Where `/metrics`, `/livez`, `/readyz` and `/statusz` are served. Default 127.0.0.1:8888; `None` for nowhere.
    pub admin: Option<Listen>,
    /// The least important line that is logged. Default [`LogLevel::Info`].
    pub log_level: LogLevel,
}

/// Importance of a log line, the least important first.
///
/// Complete: the collector's levels below a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// For looking into a problem.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// Trouble that the gateway handles.
    Warn,
    /// Trouble that loses data or needs somebody.
    Error,
}

impl LogLevel {
    /// The name in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

const ADDRESS: &str = "service.telemetry.metrics.address";

impl Default for Telemetry {
    fn default() -> Self {
        Self { admin: Some(Listen::by_default(8888, ADDRESS)), log_level: LogLevel::default() }
    }
}

pub(crate) const TELEMETRY: Keys = Keys {
    supported: &["metrics", "logs"],
    refused: &[
        ("traces", "the gateway records no spans about itself: remove the key"),
        ("resource", "metrics are labelled by whoever scrapes them: remove the key"),
    ],
};

pub(crate) const METRICS: Keys = Keys {
    supported: &["level", "address", "readers"],
    refused: &[("views", "metrics are not renamed here: relabel them when scraping")],
};

pub(crate) const READER: Keys = Keys {
    supported: &["pull"],
    refused: &[("periodic", "metrics are not pushed yet: scrape them with a `pull` reader")],
};

pub(crate) const PULL: Keys = Keys { supported: &["exporter"], refused: &[] };

pub(crate) const PULL_EXPORTER: Keys = Keys { supported: &["prometheus"], refused: &[] };

const FIXED_NAMES: &str = "names and labels of metrics are fixed: remove the key, relabel when scraping";

pub(crate) const PROMETHEUS: Keys = Keys {
    supported: &["host", "port"],
    refused: &[
        ("without_scope_info", FIXED_NAMES),
        ("without_type_suffix", FIXED_NAMES),
        ("without_units", FIXED_NAMES),
        ("with_resource_constant_labels", FIXED_NAMES),
        ("translation_strategy", FIXED_NAMES),
    ],
};

const PLAIN_LOG: &str = "the log goes to the standard error as text lines: remove the key";

pub(crate) const LOGS: Keys = Keys {
    supported: &["level", "encoding"],
    refused: &[
        ("output_paths", PLAIN_LOG),
        ("error_output_paths", PLAIN_LOG),
        ("initial_fields", PLAIN_LOG),
        ("development", PLAIN_LOG),
        ("disable_caller", PLAIN_LOG),
        ("disable_stacktrace", PLAIN_LOG),
        ("processors", PLAIN_LOG),
        ("sampling", "repeated lines are always joined into one with a count: remove the key"),
    ],
};

pub(crate) fn read(field: Option<Field<'_>>) -> Telemetry {
    let mut telemetry = Telemetry::default();
    let Some(field) = field else { return telemetry };
    let section = Section::open(&field, &TELEMETRY);
    if let Some(field) = section.field("metrics") {
        telemetry.admin = admin(&Section::open(&field, &METRICS), telemetry.admin);
    }
    if let Some(field) = section.field("logs") {
        let section = Section::open(&field, &LOGS);
        let levels = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
        // The collector's logger accepts capitals, too.
        let upper = ["DEBUG", "INFO", "WARN", "ERROR"];
        let level = section.field("level").and_then(|field| match field.node.text() {
            Some(text) if upper.contains(&text) => {
                levels.into_iter().find(|l| l.as_str().eq_ignore_ascii_case(text))
            }
            _ => field.choice(&levels.map(|level| (level.as_str(), level))),
        });
        telemetry.log_level = level.unwrap_or_default();
        section.only("encoding", "console", PLAIN_LOG);
    }
    telemetry
}

fn admin(section: &Section<'_>, default: Option<Listen>) -> Option<Listen> {
    let on = section.choice("level", true, &[("none", false), ("normal", true)]);
    let address = section.field("address").and_then(|field| field.listen());
    let reader = section.field("readers").and_then(|field| {
        if let Some(address) = section.field("address") {
            let message = "both `address` and `readers` say where metrics are served: keep `readers`";
            field.fail(Finding::new(address.key_at, address.path, message));
        }
        reader(&field)
    });
    if on { reader.or(address).or(default) } else { None }
}

/// The address in `readers: [{pull: {exporter: {prometheus: {host, port}}}}]`, of which there can be one.
fn reader(field: &Field<'_>) -> Option<Listen> {
    let readers = field.items("readers")?;
    let [only] = readers.as_slice() else {
        let message = format!("found {} readers, expected one", readers.len());
        field.fail(
            Finding::new(field.node.at, field.path.clone(), message)
                .with_help("metrics are served at one address; `level: none` serves them nowhere"),
        );
        return None;
    };
    let pull = Section::open(only, &READER).required("pull", "how metrics are read")?;
    let exporter = Section::open(&pull, &PULL).required("exporter", "the format of the metrics")?;
    let prometheus =
        Section::open(&exporter, &PULL_EXPORTER).required("prometheus", "the format of the metrics")?;
    let section = Section::open(&prometheus, &PROMETHEUS);
    let host = section.required("host", "the address to listen on, such as 127.0.0.1");
    let port = section.required("port", "the port to listen on, such as 8888");
    // Both are read before either is given up, so that both are told.
    let (host, number) =
        (host.map(|field| field.host()), port.as_ref().map(|field| field.integer(0..=65_535)));
    let (host, number, port) = (host??, u16::try_from(number??).ok()?, port?);
    let setting = Setting { path: port.path.clone(), position: Some(port.node.at) };
    Some(Listen { host, port: number, setting })
}
