//! `processors.tail_sampling`: whole traces, by policies.

use std::iter;
use std::time::Duration;

use aqueduct::sampling::tail::{
    Composite, Policies, Policy, PolicyKind, StatusCode, TailConfig, TextMatching,
};

use super::duration::LONGEST;
use super::errors::Finding;
use super::read::{Field, Keys, Section};

const GIB: u64 = 1 << 30;

/// Decides on whole traces.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TailSampling {
    /// Bounds and times.
    pub config: TailConfig,
    /// What decides. At least one.
    pub policies: Vec<Policy>,
}

const HELD: &str = "traces are held within `max_bytes`: remove the key";

pub(crate) const TAIL_SAMPLING: Keys = Keys {
    supported: &[
        "decision_wait",
        "decision_wait_after_root_received",
        "num_traces",
        "expected_new_traces_per_sec",
        "decision_cache",
        "max_bytes",
        "pressure_sampling_percentage",
        "policies",
    ],
    refused: &[
        ("block_on_overflow", "what has no room is decided early, and nothing waits: remove the key"),
        ("sample_on_first_match", "a trace is decided once, when it is complete: remove the key"),
        ("drop_pending_traces_on_shutdown", "a shutdown decides what is held: remove the key"),
        ("maximum_trace_size_bytes", HELD),
        ("num_workers", "there is one table of traces, whoever receives: remove the key"),
    ],
};

pub(crate) const DECISION_CACHE: Keys =
    Keys { supported: &["sampled_cache_size", "non_sampled_cache_size"], refused: &[] };

pub(crate) const POLICY: Keys = Keys {
    supported: &[
        "name",
        "type",
        "latency",
        "numeric_attribute",
        "probabilistic",
        "status_code",
        "string_attribute",
        "trace_state",
        "rate_limiting",
        "bytes_limiting",
        "span_count",
        "boolean_attribute",
        "and",
        "not",
        "drop",
        "composite",
    ],
    refused: &[
        ("ottl_condition", "there is no OTTL here: use the policies of attributes, status and latency"),
        ("trace_flags", "flags say what was sampled before; `trace_state` and thresholds do, too"),
    ],
};

/// The types of policies: the one without settings, and those that have theirs under a key of the same name.
fn types() -> impl Iterator<Item = &'static str> {
    let named = POLICY.supported.iter().filter(|key| !["name", "type"].contains(key));
    iter::once("always_sample").chain(named.copied())
}

/// Policies in one another: more than this are refused before they are read.
const DEEPEST: usize = 16;

pub(crate) fn read(field: &Field<'_>) -> Option<TailSampling> {
    let section = Section::open(field, &TAIL_SAMPLING);
    let default = TailConfig::default();
    let second = Duration::from_secs(1);
    let grace = section.duration(
        "decision_wait_after_root_received",
        default.root_grace.unwrap_or_default(),
        Duration::ZERO..=LONGEST,
    );
    let count = |section: &Section<'_>, key: &str, default: usize, least: u64| {
        usize::try_from(section.integer(key, default as u64, least..=GIB)).unwrap_or(default)
    };
    let mut config = TailConfig::default()
        .with_decision_wait(section.duration("decision_wait", default.decision_wait, second / 1000..=LONGEST))
        .with_root_grace(Some(grace).filter(|grace| !grace.is_zero()))
        .with_num_traces(count(&section, "num_traces", default.num_traces, 1))
        .with_max_bytes(
            usize::try_from(section.size("max_bytes", default.max_bytes as u64, 1 << 20..=1024 * GIB))
                .unwrap_or(usize::MAX),
        );
    if let Some(field) = section.field("decision_cache") {
        let cache = Section::open(&field, &DECISION_CACHE);
        config = config.with_decision_cache(
            count(&cache, "sampled_cache_size", default.sampled_cache_size, 0),
            count(&cache, "non_sampled_cache_size", default.non_sampled_cache_size, 0),
        );
    }
    if let Some(share) =
        section.field("pressure_sampling_percentage").and_then(|field| field.number(0.0..=100.0))
    {
        config = config.with_pressure_sampling_percentage(share);
    }
    if let Some(field) = section.field("expected_new_traces_per_sec") {
        // Only its syntax can be wrong.
        field.integer(0..=u64::MAX);
        let message = "has no effect: memory for traces is reserved for `num_traces` of them";
        section.findings.warning(Finding::new(field.node.at, field.path.clone(), message));
    }
    let policies = section.required("policies", "what decides on a trace")?;
    let items = policies.items("policies")?;
    let read: Vec<_> = items.iter().map(|item| policy(item, 0)).collect();
    if let Err(error) = config.validate() {
        section.findings.error(Finding::new(section.at, section.path.clone(), error.to_string()));
        return None;
    }
    if items.is_empty() {
        policies.fail(Finding::new(
            policies.node.at,
            policies.path.clone(),
            "the list is empty: nothing would be kept",
        ));
        return None;
    }
    // What is wrong with one was said.
    let read = read.into_iter().collect::<Option<Vec<Policy>>>()?;
    if let Err(error) = Policies::new(&read) {
        let top = error.policy.split(" > ").next().unwrap_or_default();
        // Of two with one name it is the later one that is wrong.
        let at = read.iter().rposition(|policy| policy.name == top).and_then(|at| items.get(at));
        let at = at.unwrap_or(&policies);
        // What is wrong with a regular expression has several lines.
        let message = error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        at.fail(Finding::new(at.node.at, at.path.clone(), message));
        return None;
    }
    Some(TailSampling { config, policies: read })
}

/// One policy, within so many others. `None` after what is wrong was reported.
fn policy(field: &Field<'_>, depth: usize) -> Option<Policy> {
    if depth > DEEPEST {
        field.fail(Finding::new(
            field.node.at,
            field.path.clone(),
            "policies are nested more than 16 deep: flatten them",
        ));
        return None;
    }
    let section = Section::open(field, &POLICY);
    let name = section.required("name", "it stands in messages").and_then(|field| field.text("a name"));
    let kind = section.required("type", "what it looks at").and_then(|field| {
        let text = field.text("the type of a policy")?;
        if let Some((refused, instead)) = POLICY.refused.iter().find(|(refused, _)| *refused == text) {
            let message = format!("the policy type `{refused}` is not supported");
            field.fail(Finding::new(field.node.at, field.path.clone(), message).with_help(*instead));
            return None;
        }
        field.choice(&types().map(|name| (name, name)).collect::<Vec<_>>())
    });
    let (name, kind) = (name?, kind?);
    for other in types().skip(1).filter(|other| *other != kind) {
        if let Some(field) = section.field(other) {
            let message = format!("has no effect: the type of the policy is `{kind}`");
            field.fail(Finding::new(field.key_at, field.path.clone(), message));
        }
    }
    if kind == "always_sample" {
        return Some(Policy::new(name, PolicyKind::AlwaysSample));
    }
    let block = section.required(kind, "the settings of a policy of this type")?;
    Some(Policy::new(name, settings(kind, &block, depth)?))
}

fn settings(kind: &str, block: &Field<'_>, depth: usize) -> Option<PolicyKind> {
    Some(match kind {
        "latency" => {
            let section = open(block, &LATENCY);
            PolicyKind::Latency {
                threshold: millis(&section, "threshold_ms").unwrap_or_default(),
                upper_threshold: millis(&section, "upper_threshold_ms").filter(|upper| !upper.is_zero()),
            }
        }
        "numeric_attribute" => {
            let section = open(block, &NUMERIC);
            let bound = |key| section.field(key).map(|field| whole(&field));
            let (min, max) = (bound("min_value"), bound("max_value"));
            if min == Some(None) || max == Some(None) {
                return None;
            }
            PolicyKind::NumericAttribute {
                key: key(&section)?,
                min_value: min.flatten(),
                max_value: max.flatten(),
                invert_match: section.flag("invert_match", false),
            }
        }
        "probabilistic" => {
            let section = open(block, &PROBABILISTIC);
            let share = section.required("sampling_percentage", "how many of a hundred traces are kept");
            PolicyKind::Probabilistic {
                sampling_percentage: share?.number(0.0..=100.0)?,
                hash_salt: match section.field("hash_salt") {
                    Some(field) => Some(field.text("a salt")?.to_owned()).filter(|salt| !salt.is_empty()),
                    None => None,
                },
            }
        }
        "status_code" => {
            let section = open(block, &STATUS);
            let codes = section.required("status_codes", "the statuses that are kept")?;
            let choices =
                [("ERROR", StatusCode::Error), ("OK", StatusCode::Ok), ("UNSET", StatusCode::Unset)];
            let codes = codes.items("statuses")?.into_iter().map(|field| field.choice(&choices));
            PolicyKind::StatusCode { status_codes: codes.collect::<Option<_>>()? }
        }
        "string_attribute" => {
            let section = open(block, &STRING);
            // Matching takes linear time: there is nothing to keep.
            section.integer("cache_max_size", 0, 0..=u64::MAX);
            let regex = section.flag("enabled_regex_matching", false);
            PolicyKind::StringAttribute {
                key: key(&section)?,
                values: texts(&section, "values")?,
                matching: if regex { TextMatching::Regex } else { TextMatching::Exact },
                invert_match: section.flag("invert_match", false),
            }
        }
        "trace_state" => {
            let section = open(block, &TRACE_STATE);
            PolicyKind::TraceState { key: key(&section)?, values: texts(&section, "values")? }
        }
        "boolean_attribute" => {
            let section = open(block, &BOOLEAN);
            PolicyKind::BooleanAttribute {
                key: key(&section)?,
                value: section.flag("value", false),
                invert_match: section.flag("invert_match", false),
            }
        }
        "rate_limiting" => {
            let section = open(block, &RATE);
            let rate = section.required("spans_per_second", "how many spans a second are kept")?;
            PolicyKind::RateLimiting {
                spans_per_second: rate.integer(0..=u64::MAX)?,
                burst_capacity: burst(&section),
            }
        }
        "bytes_limiting" => {
            let section = open(block, &BYTES);
            let rate = section.required("bytes_per_second", "how many bytes a second are kept")?;
            PolicyKind::BytesLimiting {
                bytes_per_second: rate.integer(0..=u64::MAX)?,
                burst_capacity: burst(&section),
            }
        }
        "span_count" => {
            let section = open(block, &SPANS);
            let most = section.integer("max_spans", 0, 0..=u64::MAX);
            PolicyKind::SpanCount {
                min_spans: section.integer("min_spans", 0, 0..=u64::MAX),
                max_spans: Some(most).filter(|most| *most > 0),
            }
        }
        "and" => PolicyKind::And(within(&open(block, &AND), "and_sub_policy", depth)?),
        "drop" => PolicyKind::Drop(within(&open(block, &DROP), "drop_sub_policy", depth)?),
        "not" => {
            let section = open(block, &NOT);
            let inner = section.required("not_sub_policy", "the policy whose opposite is wanted")?;
            PolicyKind::Not(Box::new(policy(&inner, depth + 1)?))
        }
        _ => composite(block, depth)?,
    })
}

const LATENCY: Keys = Keys { supported: &["threshold_ms", "upper_threshold_ms"], refused: &[] };
const NUMERIC: Keys = Keys { supported: &["key", "min_value", "max_value", "invert_match"], refused: &[] };
const PROBABILISTIC: Keys = Keys { supported: &["sampling_percentage", "hash_salt"], refused: &[] };
const STATUS: Keys = Keys { supported: &["status_codes"], refused: &[] };
const STRING: Keys = Keys {
    supported: &["key", "values", "enabled_regex_matching", "cache_max_size", "invert_match"],
    refused: &[],
};
const TRACE_STATE: Keys = Keys { supported: &["key", "values"], refused: &[] };
const BOOLEAN: Keys = Keys { supported: &["key", "value", "invert_match"], refused: &[] };
const RATE: Keys = Keys { supported: &["spans_per_second", "burst_capacity"], refused: &[] };
const BYTES: Keys = Keys { supported: &["bytes_per_second", "burst_capacity"], refused: &[] };
const SPANS: Keys = Keys { supported: &["min_spans", "max_spans"], refused: &[] };
const AND: Keys = Keys { supported: &["and_sub_policy"], refused: &[] };
const DROP: Keys = Keys { supported: &["drop_sub_policy"], refused: &[] };
const NOT: Keys = Keys { supported: &["not_sub_policy"], refused: &[] };
const COMPOSITE: Keys = Keys {
    supported: &["max_total_spans_per_second", "policy_order", "composite_sub_policy", "rate_allocation"],
    refused: &[],
};
const ALLOCATION: Keys = Keys { supported: &["policy", "percent"], refused: &[] };

fn composite(block: &Field<'_>, depth: usize) -> Option<PolicyKind> {
    let section = open(block, &COMPOSITE);
    let most = section.required("max_total_spans_per_second", "how many spans a second are kept")?;
    let mut composite =
        Composite::new(most.integer(0..=u64::MAX)?, within(&section, "composite_sub_policy", depth)?);
    if section.field("policy_order").is_some() {
        composite = composite.with_policy_order(texts(&section, "policy_order")?);
    }
    let shares =
        section.field("rate_allocation").map(|field| field.items("shares")).unwrap_or(Some(Vec::new()))?;
    for share in shares {
        let share = open(&share, &ALLOCATION);
        let policy = share.required("policy", "whose share it is")?.text("the name of a policy")?;
        composite = composite.with_rate_allocation(policy, share.integer("percent", 0, 0..=100));
    }
    Some(PolicyKind::Composite(composite))
}

fn open<'a>(block: &Field<'a>, keys: &'static Keys) -> Section<'a> {
    Section::open(block, keys)
}

/// The policies in a policy.
fn within(section: &Section<'_>, key: &str, depth: usize) -> Option<Vec<Policy>> {
    let items = section.required(key, "the policies that it asks")?.items("policies")?;
    let read: Vec<_> = items.iter().map(|item| policy(item, depth + 1)).collect();
    read.into_iter().collect()
}

fn key(section: &Section<'_>) -> Option<String> {
    Some(section.required("key", "what it looks for")?.text("a key")?.to_owned())
}

fn texts(section: &Section<'_>, key: &str) -> Option<Vec<String>> {
    let items = section.required(key, "what it compares with")?.items("texts")?;
    items.into_iter().map(|item| Some(item.text("a text")?.to_owned())).collect()
}

fn millis(section: &Section<'_>, key: &str) -> Option<Duration> {
    section.field(key)?.integer(0..=u64::MAX).map(Duration::from_millis)
}

fn burst(section: &Section<'_>) -> Option<u64> {
    section.field("burst_capacity")?.integer(0..=u64::MAX).filter(|burst| *burst > 0)
}

/// A whole number, below zero too.
fn whole(field: &Field<'_>) -> Option<i64> {
    let expected = "a whole number";
    let number = field.text(expected)?.parse().ok();
    if number.is_none() {
        field.fail(field.wrong(expected));
    }
    number
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aqueduct::sampling::tail::{Composite, Policy, PolicyKind, StatusCode, TextMatching};

    use crate::config::Config;

    fn parse(tail: &str) -> Config {
        let text = format!(
            "receivers: {{otlp: {{protocols: {{grpc: }}}}}}\nexporters: {{debug: }}\nservice:\n  pipelines:\n    traces: \
             {{receivers: [otlp], processors: [tail_sampling], exporters: [debug]}}\nprocessors:\n  tail_sampling:\n{tail}"
        );
        Config::parse("test.yaml", &text, &|_| None).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// A configuration as they are written for the collector.
    const COLLECTOR: &str = "    decision_wait: 10s
    num_traces: 100
    expected_new_traces_per_sec: 10
    decision_cache: {sampled_cache_size: 1000, non_sampled_cache_size: 2000}
    policies:
      - {name: all, type: always_sample}
      - {name: slow, type: latency, latency: {threshold_ms: 5000, upper_threshold_ms: 10000}}
      - {name: number, type: numeric_attribute, numeric_attribute: {key: key1, min_value: -50, max_value: 100}}
      - {name: share, type: probabilistic, probabilistic: {sampling_percentage: 10}}
      - {name: status, type: status_code, status_code: {status_codes: [ERROR, UNSET]}}
      - {name: text, type: string_attribute, string_attribute: {key: key2, values: [value1, value2]}}
      - name: regex
        type: string_attribute
        string_attribute: {key: key2, values: ['value1', 'val*'], enabled_regex_matching: true, cache_max_size: 10}
      - {name: rate, type: rate_limiting, rate_limiting: {spans_per_second: 35}}
      - {name: bytes, type: bytes_limiting, bytes_limiting: {bytes_per_second: 1024, burst_capacity: 4096}}
      - {name: inverted, type: string_attribute, string_attribute: {key: url, values: [/health], invert_match: true}}
      - {name: spans, type: span_count, span_count: {min_spans: 2, max_spans: 20}}
      - {name: state, type: trace_state, trace_state: {key: key3, values: [value1]}}
      - {name: truth, type: boolean_attribute, boolean_attribute: {key: key4, value: true}}
      - name: both
        type: and
        and:
          and_sub_policy:
            - {name: one, type: always_sample}
            - {name: other, type: not, not: {not_sub_policy: {name: inner, type: latency, latency: {threshold_ms: 1}}}}
      - {name: away, type: drop, drop: {drop_sub_policy: [{name: health, type: span_count, span_count: {min_spans: 900}}]}}
      - name: many
        type: composite
        composite:
          max_total_spans_per_second: 1000
          policy_order: [b, a]
          composite_sub_policy: [{name: a, type: always_sample}, {name: b, type: always_sample}]
          rate_allocation: [{policy: b, percent: 50}]
";

    /// Guards every type of policy with the collector's keys.
    #[test]
    fn policies_are_read_as_in_the_collector() {
        let config = parse(COLLECTOR);
        let tail = config.pipelines[0].tail.as_ref().expect("it is used");
        assert_eq!(
            (tail.config.decision_wait, tail.config.num_traces, tail.config.root_grace),
            (Duration::from_secs(10), 100, Some(Duration::from_secs(2)))
        );
        assert_eq!((tail.config.sampled_cache_size, tail.config.non_sampled_cache_size), (1000, 2000));
        let text = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let string = |key: &str, values: &[&str], matching, invert_match| PolicyKind::StringAttribute {
            key: key.to_owned(),
            values: text(values),
            matching,
            invert_match,
        };
        let slow = |threshold, upper_threshold| PolicyKind::Latency { threshold, upper_threshold };
        let (second, all) = (Duration::from_secs(1), PolicyKind::AlwaysSample);
        let inner = Policy::new("inner", slow(Duration::from_millis(1), None));
        let many = Composite::new(1000, vec![Policy::new("a", all.clone()), Policy::new("b", all.clone())]);
        let expected = [
            ("all", all.clone()),
            ("slow", slow(5 * second, Some(10 * second))),
            (
                "number",
                PolicyKind::NumericAttribute {
                    key: "key1".to_owned(),
                    min_value: Some(-50),
                    max_value: Some(100),
                    invert_match: false,
                },
            ),
            ("share", PolicyKind::Probabilistic { sampling_percentage: 10.0, hash_salt: None }),
            ("status", PolicyKind::StatusCode { status_codes: vec![StatusCode::Error, StatusCode::Unset] }),
            ("text", string("key2", &["value1", "value2"], TextMatching::Exact, false)),
            ("regex", string("key2", &["value1", "val*"], TextMatching::Regex, false)),
            ("rate", PolicyKind::RateLimiting { spans_per_second: 35, burst_capacity: None }),
            ("bytes", PolicyKind::BytesLimiting { bytes_per_second: 1024, burst_capacity: Some(4096) }),
            ("inverted", string("url", &["/health"], TextMatching::Exact, true)),
            ("spans", PolicyKind::SpanCount { min_spans: 2, max_spans: Some(20) }),
            ("state", PolicyKind::TraceState { key: "key3".to_owned(), values: text(&["value1"]) }),
            (
                "truth",
                PolicyKind::BooleanAttribute { key: "key4".to_owned(), value: true, invert_match: false },
            ),
            (
                "both",
                PolicyKind::And(vec![
                    Policy::new("one", all),
                    Policy::new("other", PolicyKind::Not(Box::new(inner))),
                ]),
            ),
            (
                "away",
                PolicyKind::Drop(vec![Policy::new(
                    "health",
                    PolicyKind::SpanCount { min_spans: 900, max_spans: None },
                )]),
            ),
            ("many", PolicyKind::Composite(many.with_policy_order(["b", "a"]).with_rate_allocation("b", 50))),
        ];
        let expected = expected.map(|(name, kind)| Policy::new(name, kind));
        assert_eq!(tail.policies, expected);
        let warnings: Vec<_> = config.warning_lines().collect();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("expected_new_traces_per_sec: has no effect"), "{warnings:?}");
        let summary = config.summary();
        assert!(
            summary.contains("traces: otlp -> sample traces (16 policies, 10s, 256 MiB) -> no batching"),
            "{summary}"
        );
    }

    /// Guards the defaults, and how roots are ignored.
    #[test]
    fn a_short_one_has_defaults() {
        let short = "    policies: [{name: all, type: always_sample}]\n";
        let tail = |text: &str| parse(text).pipelines[0].tail.clone().expect("it is used");
        assert_eq!(tail(short).config, aqueduct::sampling::tail::TailConfig::default());
        let ignored =
            tail(&format!("{short}    decision_wait_after_root_received: 0s\n    max_bytes: 512MiB\n"));
        assert_eq!((ignored.config.root_grace, ignored.config.max_bytes), (None, 512 << 20));
    }
}
