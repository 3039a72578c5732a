//! `processors`: the probabilistic sampler.

use super::errors::Finding;
use super::read::{Field, Keys, Section};
use super::{Signal, yaml};

/// Keeps a share of spans or log records.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProbabilisticSampler {
    /// What it is called among the processors, as `probabilistic_sampler/logs`.
    pub name: String,
    /// How many of a hundred are kept, from 0 to 100, as a float of 32 bits.
    pub sampling_percentage: f32,
    /// How what was sampled before counts. `None`: see [`ProbabilisticSampler::mode_for`].
    pub mode: Option<SamplingMode>,
    /// What the hashes of [`SamplingMode::HashSeed`] begin with. Default 0.
    pub hash_seed: u32,
    /// Whether items are dropped that cannot be judged. Default true.
    pub fail_closed: bool,
    /// Significant hexadecimal digits of the thresholds that it writes, 1 to 14. Default 4.
    pub sampling_precision: u32,
    /// What tells log records apart. Default [`AttributeSource::TraceId`].
    pub attribute_source: AttributeSource,
    /// The attribute of log records that is hashed.
    pub from_attribute: Option<String>,
    /// The attribute of log records that holds a percentage of their own.
    pub sampling_priority: Option<String>,
}

/// How what was sampled before counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SamplingMode {
    /// By a hash of the trace's id, or of an attribute.
    HashSeed,
    /// The percentage of what arrives.
    Proportional,
    /// The percentage of all that there was.
    Equalizing,
}

/// What tells log records apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeSource {
    /// Their trace's id, and the attribute where there is none.
    TraceId,
    /// The attribute.
    Record,
}

pub(crate) const PROBABILISTIC_SAMPLER: Keys = Keys {
    supported: &[
        "sampling_percentage",
        "mode",
        "hash_seed",
        "fail_closed",
        "sampling_precision",
        "attribute_source",
        "from_attribute",
        "sampling_priority",
    ],
    refused: &[],
};

impl ProbabilisticSampler {
    /// The mode for a signal: as the collector has it, hash_seed where a seed or `attribute_source: record` is given, and else proportional.
    pub fn mode_for(&self, signal: Signal) -> SamplingMode {
        let by_record = signal == Signal::Logs && self.attribute_source == AttributeSource::Record;
        self.mode.unwrap_or(match self.hash_seed != 0 || by_record {
            true => SamplingMode::HashSeed,
            false => SamplingMode::Proportional,
        })
    }

    /// Whether something is set that only log records have.
    pub(crate) fn is_for_logs(&self) -> bool {
        self.attribute_source == AttributeSource::Record
            || self.from_attribute.is_some()
            || self.sampling_priority.is_some()
    }
}

impl SamplingMode {
    /// As the file has it.
    pub fn as_str(self) -> &'static str {
        match self {
            SamplingMode::HashSeed => "hash_seed",
            SamplingMode::Proportional => "proportional",
            SamplingMode::Equalizing => "equalizing",
        }
    }
}

const MODES: [(&str, SamplingMode); 3] = [
    ("hash_seed", SamplingMode::HashSeed),
    ("proportional", SamplingMode::Proportional),
    ("equalizing", SamplingMode::Equalizing),
];

/// The least percentage of which the hash, which has 14 bits, keeps something.
const LEAST_HASHED: f32 = 100.0 / 16_384.0;

pub(crate) fn probabilistic(called: &str, field: &Field<'_>) -> Option<ProbabilisticSampler> {
    let section = Section::open(field, &PROBABILISTIC_SAMPLER);
    let percentage = section
        .required("sampling_percentage", "how many of a hundred are kept; 0 keeps none")
        .and_then(|field| field.number(0.0..=100.0));
    let mode = section.field("mode").and_then(|field| field.choice(&MODES));
    let hash_seed = section.integer("hash_seed", 0, 0..=u32::MAX.into());
    let attribute_source = section.choice(
        "attribute_source",
        AttributeSource::TraceId,
        &[("traceID", AttributeSource::TraceId), ("record", AttributeSource::Record)],
    );
    let sampler = ProbabilisticSampler {
        name: called.to_owned(),
        sampling_percentage: percentage.unwrap_or_default() as f32,
        mode,
        hash_seed: u32::try_from(hash_seed).unwrap_or_default(),
        fail_closed: section.flag("fail_closed", true),
        sampling_precision: u32::try_from(section.integer("sampling_precision", 4, 1..=14)).unwrap_or(4),
        attribute_source,
        from_attribute: name(&section, "from_attribute"),
        sampling_priority: name(&section, "sampling_priority"),
    };
    if attribute_source == AttributeSource::Record
        && sampler.from_attribute.is_none()
        && let Some(field) = section.field("attribute_source")
    {
        let message = "`record` needs `from_attribute`, the attribute that tells log records apart";
        field.fail(Finding::new(field.node.at, field.path.clone(), message));
    }
    warn(&section, &sampler);
    percentage.is_some().then_some(sampler)
}

/// The name of an attribute; an empty one is none, as in the collector.
fn name(section: &Section<'_>, key: &str) -> Option<String> {
    let text = section.field(key)?.text("the key of an attribute")?;
    Some(text.to_owned()).filter(|name| !name.is_empty())
}

/// What is legal and has no effect, or one that surprises.
fn warn(section: &Section<'_>, sampler: &ProbabilisticSampler) {
    let tell = |key: &str, message: String| {
        if let Some(field) = section.field(key) {
            section.findings.warning(Finding::new(field.node.at, field.path.clone(), message));
        }
    };
    // The mode that the file names, or that a seed stands for.
    let hashes = match sampler.mode {
        Some(mode) => mode == SamplingMode::HashSeed,
        None => sampler.hash_seed != 0,
    };
    if let Some(mode) = sampler.mode.filter(|mode| *mode != SamplingMode::HashSeed) {
        tell("hash_seed", format!("has no effect in mode `{}`", mode.as_str()));
    }
    let percentage = sampler.sampling_percentage;
    if hashes && percentage > 0.0 && percentage < LEAST_HASHED {
        let shown = yaml::shorten(&percentage.to_string());
        tell(
            "sampling_percentage",
            format!("{shown} keeps nothing in mode `hash_seed`: the least is 0.0062"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{AttributeSource, SamplingMode, Signal};
    use crate::config::{Config, ConfigErrors};

    fn parse(text: &str) -> Result<Config, ConfigErrors> {
        Config::parse("test.yaml", text, &|_| None)
    }

    /// A file with these samplers, in a pipeline of this signal, before the batch.
    fn with_samplers(settings: &[&str], signal: &str) -> String {
        let named = (0..settings.len()).map(|n| format!("probabilistic_sampler/{n}")).collect::<Vec<_>>();
        let defined = named.iter().zip(settings).map(|(name, settings)| format!("  {name}: {settings}\n"));
        format!(
            "receivers: {{otlp: {{protocols: {{grpc: }}}}}}\nprocessors:\n  batch:\n{}exporters: {{debug: }}\nservice:\n  \
             pipelines:\n    {signal}: {{receivers: [otlp], processors: [{}, batch], exporters: [debug]}}\n",
            defined.collect::<String>(),
            named.join(", ")
        )
    }

    /// Guards the collector's keys and its defaults, those of the mode too.
    #[test]
    fn samplers_are_read_as_in_the_collector() {
        let settings = [
            "{sampling_percentage: 15}",
            "{sampling_percentage: 0.5, hash_seed: 22}",
            "{sampling_percentage: 100, mode: equalizing, fail_closed: false, sampling_precision: 14}",
            "{sampling_percentage: 1, attribute_source: record, from_attribute: pod, sampling_priority: p}",
        ];
        let config = parse(&with_samplers(&settings, "logs")).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.warning_lines().collect::<Vec<_>>(), Vec::<String>::new());
        let samplers = &config.pipelines[0].samplers;
        let modes = |signal| samplers.iter().map(|sampler| sampler.mode_for(signal)).collect::<Vec<_>>();
        use SamplingMode::{Equalizing, HashSeed, Proportional};
        assert_eq!(modes(Signal::Logs), [Proportional, HashSeed, Equalizing, HashSeed]);
        assert_eq!(modes(Signal::Traces), [Proportional, HashSeed, Equalizing, Proportional]);
        assert_eq!(
            samplers.iter().map(|s| s.sampling_percentage).collect::<Vec<_>>(),
            [15.0, 0.5, 100.0, 1.0]
        );
        assert_eq!(samplers.iter().map(|s| s.sampling_precision).collect::<Vec<_>>(), [4, 4, 14, 4]);
        assert_eq!(samplers.iter().map(|s| s.fail_closed).collect::<Vec<_>>(), [true, true, false, true]);
        let last = &samplers[3];
        assert_eq!(
            (last.attribute_source, last.from_attribute.as_deref()),
            (AttributeSource::Record, Some("pod"))
        );
        assert_eq!(
            (last.sampling_priority.as_deref(), samplers[0].sampling_priority.as_deref()),
            (Some("p"), None)
        );
        let summary = config.summary();
        let line = "logs: otlp -> sample 15 % (proportional) -> sample 0.5 % (hash_seed) -> sample 100 % (equalizing) -> \
                    sample 1 % (hash_seed) -> batch";
        assert!(summary.contains(line), "{summary}");
    }

    /// Guards the remarks about samplers that do less than they seem to.
    #[test]
    fn warnings_name_what_samplers_ignore() {
        let told = |settings: &str, signal: &str| -> Vec<String> {
            let config =
                parse(&with_samplers(&[settings], signal)).unwrap_or_else(|errors| panic!("{errors}"));
            config.warning_lines().collect()
        };
        let seed = "test.yaml:4:82: processors.probabilistic_sampler/0.hash_seed: has no effect in mode `equalizing`";
        assert_eq!(told("{sampling_percentage: 1, mode: equalizing, hash_seed: 7}", "traces"), [seed]);
        let little = "test.yaml:4:50: processors.probabilistic_sampler/0.sampling_percentage: 0.006 keeps nothing in mode \
                      `hash_seed`: the least is 0.0062";
        assert_eq!(told("{sampling_percentage: 0.006, mode: hash_seed}", "traces"), [little]);
        assert_eq!(told("{sampling_percentage: 0.0062, mode: hash_seed}", "traces"), [""; 0]);
        let of_logs = "test.yaml:8:46: service.pipelines.traces.processors[0]: `attribute_source`, `from_attribute` and \
                       `sampling_priority` are for log records: they have no effect on spans";
        assert_eq!(told("{sampling_percentage: 1, sampling_priority: p}", "traces"), [of_logs]);
        assert_eq!(told("{sampling_percentage: 1, sampling_priority: p}", "logs"), [""; 0]);
        let text = with_samplers(&["{sampling_percentage: 1}"], "logs")
            .replace("[probabilistic_sampler/0, batch]", "[batch, probabilistic_sampler/0]");
        let config = parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(
            config.warning_lines().collect::<Vec<_>>(),
            [
                "test.yaml:8:51: service.pipelines.logs.processors[1]: acts before the batch, whatever the order: batches \
              are made of what is kept"
            ]
        );
    }
}
