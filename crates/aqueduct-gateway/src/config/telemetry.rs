//! `service.telemetry`: the admin endpoint, metrics that are pushed, and the log.

use super::address::Listen;
use super::errors::Finding;
use super::periodic::{self, Periodic};
use super::position::Setting;
use super::read::{Field, Keys, Section};

/// What the gateway tells about itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Telemetry {
    /// Where `/metrics`, `/livez`, `/readyz` and `/statusz` are served. Default 127.0.0.1:8888; `None` for nowhere.
    pub admin: Option<Listen>,
    /// Where metrics are sent besides; `None`, the default, for nowhere.
    pub periodic: Option<Periodic>,
    /// Attributes of the resource of metrics that are sent, besides `service.name`, `service.version` and `service.instance.id`, which they may replace.
    pub resource: Vec<(String, String)>,
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
        Self {
            admin: Some(Listen::by_default(8888, ADDRESS)),
            periodic: None,
            resource: Vec::new(),
            log_level: LogLevel::default(),
        }
    }
}

pub(crate) const TELEMETRY: Keys = Keys {
    supported: &["metrics", "resource", "logs"],
    refused: &[("traces", "the gateway records no spans about itself: remove the key")],
};

pub(crate) const METRICS: Keys = Keys {
    supported: &["level", "address", "readers"],
    refused: &[("views", "metrics are not renamed here: relabel them when scraping")],
};

pub(crate) const READER: Keys = Keys { supported: &["pull", "periodic"], refused: &[] };

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
        let section = Section::open(&field, &METRICS);
        (telemetry.admin, telemetry.periodic) = metrics(&section, telemetry.admin);
    }
    if let Some(field) = section.field("resource") {
        telemetry.resource = resource(&field);
        if telemetry.periodic.is_none() {
            let message = "has no effect: metrics are not sent anywhere; whoever scrapes them labels them";
            field.findings.warning(Finding::new(field.key_at, field.path, message));
        }
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

fn metrics(section: &Section<'_>, default: Option<Listen>) -> (Option<Listen>, Option<Periodic>) {
    let on = section.choice("level", true, &[("none", false), ("normal", true)]);
    let address = section.field("address").and_then(|field| field.listen());
    let readers: Vec<Section<'_>> = match section.field("readers").and_then(|field| field.items("readers")) {
        Some(readers) => readers.iter().map(|reader| Section::open(reader, &READER)).collect(),
        None => Vec::new(),
    };
    for reader in &readers {
        let missing = reader.field("pull").is_none() && reader.field("periodic").is_none();
        if missing {
            reader.required("pull", "how metrics are read; or `periodic`, where they are sent");
        }
    }
    let pull = periodic::only(&readers, "pull");
    if let (Some(address), Some(pull)) = (section.field("address"), &pull) {
        let message = "both `address` and a `pull` reader say where metrics are served: keep the reader";
        pull.fail(Finding::new(address.key_at, address.path, message));
    }
    let pulled = pull.and_then(|pull| prometheus(&pull));
    let pushed = periodic::only(&readers, "periodic").and_then(|field| periodic::read(&field));
    if on { (pulled.or(address).or(default), pushed) } else { (None, None) }
}

/// The address in `pull: {exporter: {prometheus: {host, port}}}`.
fn prometheus(pull: &Field<'_>) -> Option<Listen> {
    let pull = Section::open(pull, &PULL);
    let exporter = pull.required("exporter", "the format of the metrics")?;
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

fn resource(field: &Field<'_>) -> Vec<(String, String)> {
    field.entries();
    let texts = field
        .members()
        .filter_map(|(name, field)| Some((name.to_owned(), field.text("the attribute's value")?.to_owned())));
    texts.collect()
}
