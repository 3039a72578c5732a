//! The configuration file: YAML in the structure of the OpenTelemetry Collector, with its key names.
//!
//! [`Config::load`] reads, checks and resolves a file. Three rules shape it:
//!
//! - **nothing is ignored silently**: an unknown key, an unsupported component, a value without effect is an error that
//!   names file, line, column and key path, and what to write instead;
//! - **all errors at once**, in file order;
//! - **no guessing**: where a collector's file would mean something else here (a queue counted in requests), it is an
//!   error rather than another meaning.
//!
//! The stages: `yaml` parses text to a tree that knows its positions, `resolve` expands variables and merge keys, the
//! modules of the sections read typed settings through `read`, and this module puts them together.

mod address;
mod components;
pub(crate) mod duration;
mod env;
mod errors;
mod exporters;
mod headers;
mod periodic;
mod pipelines;
mod position;
mod processors;
mod queue;
mod read;
mod receivers;
mod resolve;
mod samplers;
mod secret;
mod size;
mod summary;
mod tail;
mod telemetry;
#[cfg(test)]
mod tests;
mod tls;
mod tuning;
mod yaml;

use std::collections::HashSet;
use std::path::Path;

pub use address::Listen;
pub use aqueduct::wire::Signal;
pub use errors::{ConfigErrors, Finding};
pub use exporters::{Compression, ExportProtocol, Exporter, ExporterKind, FileExporter, OtlpExporter};
pub use periodic::Periodic;
pub use pipelines::Pipeline;
pub use position::{Given, Position, Setting};
pub use processors::Batch;
pub use queue::{Queue, Retry};
pub use receivers::{Acknowledge, Keepalive, Limits, Listener, Receiver};
pub use samplers::{AttributeSource, ProbabilisticSampler, SamplingMode};
pub use secret::Secret;
pub use tail::TailSampling;
pub use telemetry::{LogLevel, Telemetry};
pub use tls::{Tls, TlsVersion};
pub use tuning::Tuning;

use components::Defined;
use errors::Findings;
use pipelines::Components;
use read::{Field, Keys, Section};

/// A larger file is no configuration: refused before it is parsed.
const MAX_FILE_BYTES: usize = 1 << 20;

/// A configuration that is complete and consistent: every default is filled in, every reference resolved.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The file's name as given, for messages; `built-in defaults` without a file.
    pub source: String,
    /// The receivers that pipelines use.
    pub receivers: Vec<Receiver>,
    /// The exporters that pipelines use.
    pub exporters: Vec<Exporter>,
    /// The pipelines; at least one.
    pub pipelines: Vec<Pipeline>,
    /// Bytes that requests being received and inflated may hold, in the whole process. Default 128 MiB.
    pub receive_budget: u64,
    /// What the gateway tells about itself.
    pub telemetry: Telemetry,
    /// The tuner of the pipelines; `None`, the default, leaves settings as they are.
    pub tuning: Option<Tuning>,
    /// What is legal and probably not meant, such as a component that no pipeline uses.
    pub warnings: Vec<Finding>,
}

const ROOT: Keys = Keys {
    supported: &["receivers", "processors", "exporters", "service"],
    refused: &[
        ("extensions", "there are none: health checks are /livez and /readyz of the admin endpoint"),
        ("connectors", "pipelines cannot feed each other yet: remove the key"),
    ],
};

const SERVICE: Keys = Keys {
    supported: &["pipelines", "telemetry", "tuning"],
    refused: &[("extensions", "there are none: health checks are /livez and /readyz of the admin endpoint")],
};

impl Config {
    /// What runs without a file: OTLP/gRPC on 127.0.0.1:4317 and OTLP/HTTP on 127.0.0.1:4318, batches, the debug
    /// exporter for every signal, the admin endpoint on 127.0.0.1:8888.
    pub fn default_for_newcomers() -> Self {
        let mut receiver = Receiver::new("otlp");
        receiver.grpc = Some(Listener::grpc("receivers.otlp.protocols.grpc"));
        receiver.http = Some(Listener::http("receivers.otlp.protocols.http"));
        let pipeline = |signal: Signal| Pipeline {
            name: signal.as_str().to_owned(),
            signal,
            receivers: vec![0],
            samplers: Vec::new(),
            tail: None,
            batch: Some(Batch::default()),
            exporters: vec![0],
        };
        Self {
            source: "built-in defaults".to_owned(),
            receivers: vec![receiver],
            exporters: vec![Exporter { name: "debug".to_owned(), kind: ExporterKind::Debug }],
            pipelines: Signal::ALL.map(pipeline).into(),
            receive_budget: processors::DEFAULT_RECEIVE_BUDGET,
            telemetry: Telemetry::default(),
            tuning: None,
            warnings: Vec::new(),
        }
    }

    /// Reads a file, with the variables of this process's environment.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong in it.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let name = path.display().to_string();
        let failed = |message: String| ConfigErrors::one(&name, Finding::new(None, "", message));
        // A file that cannot be a configuration is not read whole: it may be a device or an endless pipe.
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| {
            std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_FILE_BYTES as u64 + 1), &mut bytes)
        });
        read.map_err(|error| failed(format!("cannot be read: {error}")))?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(&name, text, &|variable| std::env::var(variable).ok()),
            // A file cut at the limit may end inside a character; what is wrong with it is its size.
            Err(_) if bytes.len() > MAX_FILE_BYTES => Err(ConfigErrors::one(name, too_large())),
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                Err(failed(format!("line {line} is not UTF-8 text")))
            }
        }
    }

    /// Reads a configuration from text; `name` stands for the file in messages.
    ///
    /// # Errors
    /// Everything that is wrong in the text.
    pub fn parse(
        name: &str,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        if text.len() > MAX_FILE_BYTES {
            return Err(ConfigErrors::one(name, too_large()));
        }
        // A byte order mark is no part of the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut root = match yaml::parse(text) {
            Ok(Some(root)) if !root.is_null() => root,
            Ok(_) => {
                let finding = Finding::new(None, "", "the file is empty").with_help(format!(
                    "expected `receivers:`, `exporters:` and `service:`; supported: {}",
                    read::sorted(ROOT.supported)
                ));
                return Err(ConfigErrors::one(name, finding));
            }
            Err(finding) => return Err(ConfigErrors::one(name, finding)),
        };
        let findings = Findings::default();
        resolve::resolve(&mut root, "", environment, &findings);
        let field = Field { findings: &findings, path: String::new(), key_at: root.at, node: &root };
        let mut config = assemble(name, &Section::open(&field, &ROOT));
        config.warnings = findings.finish(name)?;
        Ok(config)
    }

    /// The warnings as lines, `file:line:column: path: message`.
    pub fn warning_lines(&self) -> impl Iterator<Item = String> {
        self.warnings.iter().map(|warning| {
            let mut line = String::new();
            // Writing to a String cannot fail.
            let _ = warning.write(&self.source, &mut line);
            line
        })
    }
}

fn too_large() -> Finding {
    Finding::new(None, "", format!("larger than {}: no configuration", size::format(MAX_FILE_BYTES as u64)))
}

/// Reads every section and resolves references. What comes out is only used if nothing was found wrong.
fn assemble(name: &str, root: &Section<'_>) -> Config {
    let mut components = Components {
        receivers: receivers::read(root.required("receivers", "where data comes from")),
        processors: processors::read(root.field("processors")),
        exporters: exporters::read(root.required("exporters", "where data goes to")),
    };
    let service =
        root.required("service", "it holds the pipelines").map(|field| Section::open(&field, &SERVICE));
    let (mut telemetry, mut tuning) = (Telemetry::default(), None);
    let (mut pipelines, mut budget) = (Vec::new(), None);
    if let Some(service) = service {
        telemetry = telemetry::read(service.field("telemetry"));
        tuning = service.field("tuning").map(|field| tuning::read(&field));
        if let Some(field) =
            service.required("pipelines", "what flows from which receivers to which exporters")
        {
            (pipelines, budget) = pipelines::read(&field, &components);
            warn_unused(root.findings, &field, &components);
        }
    }
    let receivers = keep_used(&mut components.receivers, pipelines.iter_mut().map(|p| &mut p.receivers));
    let exporters = keep_used(&mut components.exporters, pipelines.iter_mut().map(|p| &mut p.exporters));
    let listens = receivers.iter().flat_map(Receiver::listeners).map(|listener| &listener.listen);
    receivers::check_ports(listens.chain(&telemetry.admin), root.findings);
    exporters::check_files(&exporters, root.findings);
    let config = Config {
        source: name.to_owned(),
        receivers,
        exporters,
        pipelines,
        receive_budget: budget.unwrap_or(processors::DEFAULT_RECEIVE_BUDGET),
        telemetry,
        tuning,
        warnings: Vec::new(),
    };
    warn_too_small(root.findings, &config);
    config
}

/// Requests that one setting allows and another has no room for: each is legal, together they surprise.
fn warn_too_small(findings: &Findings, config: &Config) {
    let largest = |receiver: &Receiver| receiver.listeners().map(|listener| listener.max_request_bytes).max();
    for receiver in &config.receivers {
        for listener in
            receiver.listeners().filter(|listener| listener.max_request_bytes > config.receive_budget)
        {
            let setting = &listener.listen.setting;
            let path = setting.path.trim_end_matches(".endpoint");
            let (allowed, room) =
                (size::format(listener.max_request_bytes), size::format(config.receive_budget));
            let message =
                format!("allows requests of {allowed}, but memory_limiter sets a budget of {room} for all");
            findings.warning(Finding::new(setting.position, path, message));
        }
    }
    for pipeline in &config.pipelines {
        let largest = pipeline.receivers.iter().filter_map(|index| largest(&config.receivers[*index])).max();
        for exporter in pipeline.exporters.iter().map(|index| &config.exporters[*index]) {
            let (ExporterKind::Otlp(otlp), Some(largest)) = (&exporter.kind, largest) else { continue };
            if otlp.queue.max_bytes < largest {
                let (room, allowed) = (size::format(otlp.queue.max_bytes), size::format(largest));
                let message = format!(
                    "its queue holds {room}, but receivers of the pipeline `{}` allow requests of {allowed}",
                    pipeline.name
                );
                let path = format!("exporters.{}", exporter.name);
                findings.warning(Finding::new(otlp.setting.position, path, message));
            }
        }
    }
}

/// Takes the components that the lists refer to, in the file's order, and renumbers the lists.
fn keep_used<'p, T>(defined: &mut [Defined<T>], lists: impl Iterator<Item = &'p mut Vec<usize>>) -> Vec<T> {
    let lists: Vec<&mut Vec<usize>> = lists.collect();
    let mut used = vec![false; defined.len()];
    lists.iter().flat_map(|list| list.iter()).for_each(|index| used[*index] = true);
    let mut kept = Vec::new();
    let mut renumbered = vec![None; defined.len()];
    for (index, component) in defined.iter_mut().enumerate().filter(|(index, _)| used[*index]) {
        if let Some(component) = component.component.take() {
            renumbered[index] = Some(kept.len());
            kept.push(component);
        }
    }
    for list in lists {
        *list = list.iter().filter_map(|index| renumbered[*index]).collect();
    }
    kept
}

/// A component that no pipeline names does nothing, as in the collector; here that is said.
fn warn_unused(findings: &Findings, pipelines: &Field<'_>, components: &Components) {
    let mut named = HashSet::new();
    for (_, pipeline) in pipelines.members() {
        for (list, names) in pipeline.members() {
            let yaml::Value::List(items) = &names.node.value else { continue };
            named.extend(items.iter().filter_map(|item| Some((list, item.text()?))));
        }
    }
    let warn = |list: &str, name: &str, at: Position, path: &str| {
        if !named.contains(&(list, name)) {
            findings.warning(Finding::new(at, path, "defined, but no pipeline uses it: it does nothing"));
        }
    };
    components.receivers.iter().for_each(|c| warn("receivers", &c.name, c.at, &c.path));
    components.processors.iter().for_each(|c| warn("processors", &c.name, c.at, &c.path));
    components.exporters.iter().for_each(|c| warn("exporters", &c.name, c.at, &c.path));
}
