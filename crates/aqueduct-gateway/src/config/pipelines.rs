//! `service.pipelines`: which receivers feed which exporters, and what stands between.

use std::collections::{BTreeMap, HashMap, HashSet};

use aqueduct::wire::Signal;

use super::components::Defined;
use super::errors::{Finding, Findings};
use super::exporters::{Exporter, ExporterKind};
use super::processors::{Batch, Processor};
use super::read::{Field, Keys, Section, nearest, sorted};
use super::receivers::{Acknowledge, Receiver};
use super::samplers::ProbabilisticSampler;
use super::tail::TailSampling;

/// One pipeline.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Pipeline {
    /// Its name in the file, such as `traces` or `traces/2`.
    pub name: String,
    /// What it carries.
    pub signal: Signal,
    /// Indices into [`Config::receivers`](super::Config::receivers); at least one. No receiver feeds two pipelines of
    /// one signal.
    pub receivers: Vec<usize>,
    /// What is left out before requests are joined: the samplers in their order.
    pub samplers: Vec<ProbabilisticSampler>,
    /// What decides on whole traces, after the samplers.
    pub tail: Option<TailSampling>,
    /// How requests are joined; `None` sends each on as it came.
    pub batch: Option<Batch>,
    /// Indices into [`Config::exporters`](super::Config::exporters); at least one. Each gets everything.
    pub exporters: Vec<usize>,
}

pub(crate) const PIPELINE: Keys = Keys { supported: &["receivers", "processors", "exporters"], refused: &[] };

/// The components of the file, all of them, used or not.
#[derive(Debug)]
pub(crate) struct Components {
    pub(crate) receivers: Vec<Defined<Receiver>>,
    pub(crate) processors: Vec<Defined<Processor>>,
    pub(crate) exporters: Vec<Defined<Exporter>>,
}

/// The pipelines, whose indices refer to [`Components`], and the receive budget if a memory_limiter is used.
pub(crate) fn read(section: &Field<'_>, components: &Components) -> (Vec<Pipeline>, Option<u64>) {
    let mut pipelines: Vec<Pipeline> = Vec::new();
    let mut budget = Budget::default();
    let mut for_logs = LogsOnly::default();
    // (signal, receiver) -> the pipeline it feeds.
    let mut fed: HashMap<(Signal, usize), String> = HashMap::new();
    let (receiver_names, processor_names, exporter_names) =
        (names(&components.receivers), names(&components.processors), names(&components.exporters));
    for (name, field) in section.members() {
        let signal = signal(name, &field);
        let section = Section::open(&field, &PIPELINE);
        let receivers = references(&section, "receivers", &receiver_names, true);
        let processors = references(&section, "processors", &processor_names, false);
        let exporters = references(&section, "exporters", &exporter_names, true);
        let batch = self::processors(&processors, &components.processors, &mut budget);
        let Some(signal) = signal else { continue };
        let tail = tail(signal, &processors, components, &receivers);
        let samplers = samplers(signal, &processors, &components.processors, &mut for_logs);
        for (index, reference) in &receivers {
            if let Some(other) = fed.insert((signal, *index), name.to_owned()) {
                let receiver = &components.receivers[*index].name;
                let message = format!("the receiver `{receiver}` already feeds the pipeline `{other}`");
                let finding = Finding::new(reference.node.at, reference.path.clone(), message);
                reference.fail(
                    finding.with_help("a receiver feeds one pipeline per signal: list all exporters there"),
                );
            }
        }
        for (index, reference) in &exporters {
            check_address(signal, &components.exporters[*index], reference);
        }
        pipelines.push(Pipeline {
            name: name.to_owned(),
            signal,
            receivers: receivers.iter().map(|(index, _)| *index).collect(),
            samplers,
            tail,
            batch,
            exporters: exporters.iter().map(|(index, _)| *index).collect(),
        });
    }
    if section.entries().is_some() && section.is_empty() {
        section.fail(
            Finding::new(section.key_at, section.path.clone(), "no pipeline is defined")
                .with_help("write at least one of `traces:`, `metrics:` and `logs:` under it"),
        );
    }
    budget.check(section.findings);
    for_logs.check(section.findings);
    (pipelines, budget.found.map(|(bytes, ..)| bytes))
}

fn signal(name: &str, field: &Field<'_>) -> Option<Signal> {
    let kind = name.split_once('/').map_or(name, |(kind, _)| kind);
    let found = Signal::ALL.into_iter().find(|signal| signal.as_str() == kind);
    if found.is_none() {
        let names = Signal::ALL.map(Signal::as_str);
        let message = format!("`{}` is no signal that pipelines can carry", super::yaml::shorten(kind));
        let mut finding = Finding::new(field.key_at, field.path.clone(), message);
        if let Some(near) = nearest(kind, names.into_iter()) {
            finding = finding.with_help(format!("did you mean `{near}`?"));
        }
        field.findings.error(
            finding.with_help("supported: traces, metrics, logs, each with a /name if there are several"),
        );
    }
    found
}

/// The components of a section by name, in alphabetical order so that advice does not depend on chance.
type Names<'a> = BTreeMap<&'a str, usize>;

fn names<T>(defined: &[Defined<T>]) -> Names<'_> {
    defined.iter().enumerate().map(|(index, component)| (component.name.as_str(), index)).collect()
}

/// The components that a list of a pipeline names, as indices into `defined`.
fn references<'a>(
    section: &Section<'a>,
    key: &str,
    defined: &Names<'_>,
    required: bool,
) -> Vec<(usize, Field<'a>)> {
    let noun = key.trim_end_matches('s');
    let field = match required {
        true => section.required(key, &format!("a pipeline needs at least one {noun}")),
        false => section.field(key),
    };
    let Some(field) = field.filter(|field| required || !field.node.is_null()) else { return Vec::new() };
    let Some(items) = field.items(&format!("{noun} names")) else { return Vec::new() };
    if items.is_empty() && required {
        let message = format!("the list is empty: a pipeline needs at least one {noun}");
        field.fail(Finding::new(field.node.at, field.path.clone(), message));
    }
    let mut seen = HashSet::new();
    let mut found: Vec<(usize, Field<'a>)> = Vec::new();
    for item in items {
        let Some(name) = item.text(&format!("one of the names under `{key}:`")) else { continue };
        match defined.get(name).copied() {
            None => item.fail(undefined(&item, name, key, defined)),
            Some(index) if !seen.insert(index) => {
                let message = format!("`{name}` is already in this list");
                item.fail(Finding::new(item.node.at, item.path.clone(), message));
            }
            Some(index) => found.push((index, item)),
        }
    }
    found
}

fn undefined(item: &Field<'_>, name: &str, section: &str, defined: &Names<'_>) -> Finding {
    let message = format!("`{}` is not defined under `{section}:`", super::yaml::shorten(name));
    let mut finding = Finding::new(item.node.at, item.path.clone(), message);
    if item.findings.is_full() {
        return finding;
    }
    let names: Vec<&str> = defined.keys().copied().collect();
    if let Some(near) = nearest(name, names.iter().copied()) {
        finding = finding.with_help(format!("did you mean `{near}`?"));
    }
    match names.is_empty() {
        true => finding.with_help(format!("nothing is defined under `{section}:`")),
        false => finding.with_help(format!("defined there: {}", sorted(&names))),
    }
}

/// The batch settings among a pipeline's processors; memory limiters are noted in `budget`.
fn processors(
    references: &[(usize, Field<'_>)],
    defined: &[Defined<Processor>],
    budget: &mut Budget,
) -> Option<Batch> {
    let mut batch: Option<Option<Batch>> = None;
    let mut limited = false;
    for (index, reference) in references {
        match &defined[*index].component {
            Some(Processor::Batch(_)) if batch.is_some() => {
                let message = "a second batch processor in one pipeline: keep one";
                reference.fail(Finding::new(reference.node.at, reference.path.clone(), message));
            }
            Some(Processor::Batch(settings)) => batch = Some(settings.clone()),
            Some(Processor::MemoryLimiter(bytes)) => {
                limited = true;
                budget.note(*bytes, &defined[*index].name, reference);
            }
            Some(Processor::ProbabilisticSampler(_) | Processor::TailSampling(_)) if batch.is_some() => {
                let message = "acts before the batch, whatever the order: batches are made of what is kept";
                let warning = Finding::new(reference.node.at, reference.path.clone(), message);
                reference.findings.warning(warning);
            }
            Some(Processor::ProbabilisticSampler(_) | Processor::TailSampling(_)) | None => {}
        }
    }
    budget.unlimited |= !limited;
    batch.flatten()
}

/// The samplers among a pipeline's processors.
fn samplers(
    signal: Signal,
    references: &[(usize, Field<'_>)],
    defined: &[Defined<Processor>],
    for_logs: &mut LogsOnly,
) -> Vec<ProbabilisticSampler> {
    let mut samplers = Vec::new();
    for (index, reference) in references {
        let Some(Processor::ProbabilisticSampler(sampler)) = &defined[*index].component else { continue };
        if signal == Signal::Metrics {
            let message = "samples traces and logs: data points that lack would make their sums wrong";
            let finding = Finding::new(reference.node.at, reference.path.clone(), message);
            reference.fail(finding.with_help("remove it from this list"));
            continue;
        }
        if sampler.is_for_logs() {
            for_logs.note(*index, signal, reference);
        }
        samplers.push(sampler.clone());
    }
    samplers
}

/// The tail sampler among a pipeline's processors.
fn tail(
    signal: Signal,
    references: &[(usize, Field<'_>)],
    components: &Components,
    receivers: &[(usize, Field<'_>)],
) -> Option<TailSampling> {
    let mut found: Option<TailSampling> = None;
    for (index, reference) in references {
        let fail = |message: String, help: &str| {
            let finding = Finding::new(reference.node.at, reference.path.clone(), message);
            reference.fail(finding.with_help(help));
        };
        let sampling = match &components.processors[*index].component {
            Some(Processor::TailSampling(sampling)) => sampling,
            Some(Processor::ProbabilisticSampler(_)) if found.is_some() => {
                fail(
                    "stands after `tail_sampling`, but acts before it".to_owned(),
                    "name it before, or use the policy `probabilistic`",
                );
                continue;
            }
            _ => continue,
        };
        if signal != Signal::Traces {
            fail(format!("samples traces, not {}", signal.as_str()), "remove it from this list");
        } else if found.is_some() {
            fail("a second tail sampler in one pipeline".to_owned(), "write all policies into one");
        }
        let exported = receivers.iter().find_map(|(index, _)| {
            let receiver = components.receivers[*index].component.as_ref()?;
            (receiver.acknowledge == Acknowledge::Exported).then_some(&receiver.name)
        });
        if let Some(name) = exported {
            fail(
                format!(
                    "holds spans until their trace is complete, so the receiver `{name}` cannot answer after the export"
                ),
                "set `acknowledge: enqueued` there",
            );
        }
        found = Some(sampling.clone());
    }
    found
}

/// Samplers with settings that only log records have: which of them no logs pipeline uses, and where one of traces does.
#[derive(Debug, Default)]
struct LogsOnly(BTreeMap<usize, Option<Finding>>);

impl LogsOnly {
    fn note(&mut self, index: usize, signal: Signal, reference: &Field<'_>) {
        let message = "`attribute_source`, `from_attribute` and `sampling_priority` are for log records: they have no effect on spans";
        let warning = || Finding::new(reference.node.at, reference.path.clone(), message);
        match signal {
            Signal::Logs => drop(self.0.insert(index, None)),
            _ => drop(self.0.entry(index).or_insert_with(|| Some(warning()))),
        }
    }

    fn check(self, findings: &Findings) {
        self.0.into_values().flatten().for_each(|warning| findings.warning(warning));
    }
}

/// The receive budget as the pipelines state it. It is one per process, however many pipelines name it.
#[derive(Debug, Default)]
struct Budget {
    /// Bytes, the processor's name, where it was first named.
    found: Option<(u64, String, Finding)>,
    /// A pipeline without a memory_limiter exists.
    unlimited: bool,
}

impl Budget {
    fn note(&mut self, bytes: u64, name: &str, reference: &Field<'_>) {
        match &self.found {
            Some((known, first, _)) if *known != bytes => {
                let message =
                    format!("`{name}` and `{first}` set different limits, but there is one per process");
                reference.fail(Finding::new(reference.node.at, reference.path.clone(), message));
            }
            Some(_) => {}
            None => {
                let message =
                    "limits what the whole process is receiving, not only the pipelines that name it";
                let warning = Finding::new(reference.node.at, reference.path.clone(), message);
                self.found = Some((bytes, name.to_owned(), warning));
            }
        }
    }

    fn check(&self, findings: &Findings) {
        if let (Some((.., warning)), true) = (&self.found, self.unlimited) {
            findings.warning(warning.clone());
        }
    }
}

/// An exporter with addresses for some signals only must have one for this pipeline's.
fn check_address(signal: Signal, exporter: &Defined<Exporter>, reference: &Field<'_>) {
    let Some(ExporterKind::Otlp(otlp)) = exporter.component.as_ref().map(|exporter| &exporter.kind) else {
        return;
    };
    // Without any address it was reported where it is defined.
    let has_any = otlp.signal_endpoints.iter().any(Option::is_some);
    if has_any && otlp.endpoint.is_none() && otlp.signal_endpoints[signal.index()].is_none() {
        let message = format!("`{}` has no address for {}", exporter.name, signal.as_str());
        reference.fail(
            Finding::new(reference.node.at, reference.path.clone(), message)
                .with_help(format!("set `{}_endpoint` or `endpoint` there", signal.as_str())),
        );
    }
}
