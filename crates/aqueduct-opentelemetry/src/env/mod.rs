//! The environment variables of the SDK and of the exporter (OpenTelemetry specification, "Environment Variable Specification"). Pure: the variables come
//! from a function.

mod batching;
mod clients;
mod limits;
mod propagators;
mod reader;
mod resource;
mod sampler;
mod settings;

pub(crate) use batching::{Batching, queue_bytes};
pub(crate) use clients::client;
pub use propagators::PropagatorSetting;
pub(crate) use reader::Reader;
pub(crate) use settings::masked;
pub use settings::{Setting, Settings};

use aqueduct_transport::ClientConfig;
use aqueduct_wire::Signal;
use opentelemetry::Key;

use crate::limits::Limits;
use crate::sampler::SamplerSetting;
use crate::temporality::TemporalityPreference;

/// Looks a variable up.
pub(crate) type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What the environment says, with what it leaves unsaid as it is by default.
pub(crate) struct Environment {
    pub(crate) disabled: bool,
    pub(crate) service_name: Option<String>,
    pub(crate) attributes: Vec<(String, String)>,
    /// The same as they stand there.
    pub(crate) raw: Vec<(Key, String)>,
    /// By [`Signal::index`]: whether it is exported.
    pub(crate) exported: [bool; Signal::ALL.len()],
    pub(crate) spans: Batching,
    pub(crate) logs: Batching,
    pub(crate) limits: Limits,
    pub(crate) sampler: Option<SamplerSetting>,
    pub(crate) propagators: Vec<PropagatorSetting>,
    pub(crate) temporality: Option<TemporalityPreference>,
    /// By [`Signal::index`].
    pub(crate) clients: [ClientConfig; Signal::ALL.len()],
    pub(crate) settings: Vec<Setting>,
}

/// Variables that mean something, and nothing here.
const OTHERS: [(&str, &str); 8] = [
    (
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "the SDK lets views choose it, not exporters",
    ),
    (
        "OTEL_METRIC_EXPORT_TIMEOUT",
        "the SDK's usual reader does not read it; an export takes as long as a flush at most",
    ),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "it is for the SDK's meter provider"),
    ("OTEL_LOG_LEVEL", "nothing is logged here: see the notices and the health"),
    ("OTEL_ENTITIES", "the SDK's resource has no entities"),
    ("OTEL_CONFIG_FILE", "there is no configuration file"),
    ("OTEL_EXPERIMENTAL_CONFIG_FILE", "there is no configuration file"),
    (
        "OTEL_RUST_EXPERIMENTAL_OTLP_RETRY",
        "what can be retried is retried as long as the memory limit has room for it",
    ),
];

impl Environment {
    pub(crate) fn read(lookup: &Lookup) -> Environment {
        let mut reader = Reader::new(lookup);
        let disabled = reader.read("OTEL_SDK_DISABLED", boolean).unwrap_or(false);
        let service_name = reader.read("OTEL_SERVICE_NAME", |name| Ok(name.to_owned()));
        let (attributes, raw) = resource::attributes(&mut reader);
        let exported = Signal::ALL.map(|signal| exported(&mut reader, signal));
        let spans = Batching::read(&mut reader, "OTEL_BSP_");
        let logs = Batching::read(&mut reader, "OTEL_BLRP_");
        let limits = limits::read(&mut reader);
        let sampler = sampler::read(&mut reader);
        let propagators = propagators::read(&mut reader);
        let temporality =
            reader.read("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", TemporalityPreference::parse);
        // The SDK's periodic reader reads it by itself, and tells nobody of one that makes no sense.
        let _ = reader.read("OTEL_METRIC_EXPORT_INTERVAL", batching::milliseconds);
        for (name, why) in OTHERS {
            reader.ignore(name, why);
        }
        let clients = clients::read(&mut reader);
        let settings = reader.into_settings();
        Environment {
            disabled,
            service_name,
            attributes,
            raw,
            exported,
            spans,
            logs,
            limits,
            sampler,
            propagators,
            temporality,
            clients,
            settings,
        }
    }
}

fn exported(reader: &mut Reader<'_>, signal: Signal) -> bool {
    let name = format!("OTEL_{}_EXPORTER", signal.as_str().to_ascii_uppercase());
    let parse = |text: &str| {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        match (has("otlp"), has("none")) {
            (true, _) => Ok((true, names.len() > 1)),
            (false, true) => Ok((false, names.len() > 1)),
            (false, false) if has("console") => {
                Err("the console is for the SDK's own exporters; expected otlp or none".to_owned())
            }
            (false, false) => Err("expected otlp or none".to_owned()),
        }
    };
    let found = reader.read(&name, parse);
    if let Some((exported, true)) = found {
        let word = if exported { "otlp" } else { "none" };
        reader.differ(&name, format!("only {word} of it is for this crate"));
    }
    found.is_none_or(|(exported, _)| exported)
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}
