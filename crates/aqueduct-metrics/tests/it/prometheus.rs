//! The text format: a golden page, and a strict reader of what the writer writes.

use std::collections::HashMap;
use std::time::Duration;

use aqueduct_metrics::{
    Desc, DropReason, Exposition, LatencyHistogram, Ledger, METRICS, Number, ResourceProbe,
};
use proptest::collection::vec;
use proptest::prelude::*;

const REQUESTS: Desc = Desc::counter("shop_requests_total", "{request}", "Requests \\ answered,\nby code.")
    .with_attributes(&["code", "path"]);
const OPEN: Desc = Desc::gauge("shop_open_connections", "{connection}", "Connections that are open now.");
const SECONDS: Desc = Desc::histogram("shop_request_seconds", "s", "Time to answer a request.");

/// Guards the format to the byte: the help and label escapes, the grouping, the cumulative buckets, the special numbers.
#[test]
fn golden() {
    let mut page = Exposition::new();
    page.family(&REQUESTS).sample(&[("code", "200"), ("path", "/a\"b\\c\nd")], u64::MAX);
    page.family(&OPEN).sample(&[], 2.5).sample(&[("é-1", "")], f64::NAN);
    page.family(&OPEN).sample(&[("9a", "x")], f64::NEG_INFINITY).sample(&[("le", "x")], 1e300);
    page.family(&SECONDS).histogram(
        &[("path", "/")],
        &[(0.005, 3), (0.1, 2), (2.5, 99), (f64::INFINITY, 7)],
        9,
        1.25,
    );
    // Again, after other families: the format wants all lines of a family in one group.
    page.family(&REQUESTS).sample(&[("code", "503")], 0_u64);
    let expected = r#"# HELP shop_requests_total Requests \\ answered,\nby code.
# TYPE shop_requests_total counter
shop_requests_total{code="200",path="/a\"b\\c\nd"} 18446744073709551615
shop_requests_total{code="503"} 0
# HELP shop_open_connections Connections that are open now.
# TYPE shop_open_connections gauge
shop_open_connections 2.5
shop_open_connections{___1=""} NaN
shop_open_connections{_a="x"} -Inf
shop_open_connections{le="x"} 1e300
# HELP shop_request_seconds Time to answer a request.
# TYPE shop_request_seconds histogram
shop_request_seconds_bucket{path="/",le="0.005"} 3
shop_request_seconds_bucket{path="/",le="0.1"} 3
shop_request_seconds_bucket{path="/",le="2.5"} 9
shop_request_seconds_bucket{path="/",le="+Inf"} 9
shop_request_seconds_sum{path="/"} 1.25
shop_request_seconds_count{path="/"} 9
"#;
    assert_eq!(page.prometheus_text(), expected);
}

/// One sample as a scraper understands it.
#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// Reads the format as strictly as a scraper: one group a family, each with one `HELP` and `TYPE` before its samples, legal names, known escapes.
fn read(text: &str) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut family = String::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap().to_owned();
            assert_eq!(seen.insert(family.clone(), 1), None, "{family} has two groups");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert_eq!(seen.insert(family.clone(), 2), Some(1), "TYPE follows HELP");
            assert!(["counter", "gauge", "histogram"].contains(&kind));
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        } else {
            let sample = read_sample(line);
            let base =
                ["_bucket", "_sum", "_count"].iter().find_map(|suffix| sample.name.strip_suffix(suffix));
            assert!(sample.name == family || base == Some(&family), "{} stands under {family}", sample.name);
            samples.push(sample);
        }
    }
    samples
}

fn read_sample(line: &str) -> Sample {
    let name_end = line.find(['{', ' ']).unwrap();
    let name = line[..name_end].to_owned();
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':'));
    let mut labels = Vec::new();
    let mut rest = &line[name_end..];
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inside.split_once("=\"").unwrap();
            assert!(!label.is_empty() && !label.starts_with(|c: char| c.is_ascii_digit()), "{label}");
            assert!(label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{label}");
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at + 1,
                    (_, '\\') => value.push(match chars.next().unwrap().1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        c => panic!("\\{c} is no escape of the format"),
                    }),
                    (_, c) => value.push(c),
                }
            };
            labels.push((label.to_owned(), value));
            if let Some(after) = after[end..].strip_prefix('}') {
                rest = after;
                break;
            }
            inside = after[end..].strip_prefix(',').unwrap();
        }
    }
    let value = match rest.strip_prefix(' ').unwrap() {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().unwrap(),
    };
    Sample { name, labels, value }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards against a value that breaks the page: whatever the labels hold, a strict reader gets it back.
    #[test]
    fn what_is_written_reads_back(
        rows in vec((vec(("[a-z_]{1,4}", any::<String>()), 0..4), any::<f64>()), 0..8)
    ) {
        let mut page = Exposition::new();
        for (labels, value) in &rows {
            let labels: Vec<_> = labels.iter().map(|(label, text)| (label.as_str(), text.as_str())).collect();
            page.family(&OPEN).sample(&labels, *value);
        }
        let back = read(&page.prometheus_text());
        prop_assert_eq!(back.len(), rows.len());
        for (sample, (labels, value)) in back.iter().zip(&rows) {
            prop_assert_eq!(&sample.labels, labels);
            prop_assert!(sample.value == *value || (sample.value.is_nan() && value.is_nan()));
        }
    }

    /// Guards the label names, which come from the program and not from the peer, but must never break the page either.
    #[test]
    fn any_label_name_becomes_a_legal_one(label in ".{1,8}") {
        let mut page = Exposition::new();
        page.family(&OPEN).sample(&[(&label, "x")], 1_u64);
        prop_assert_eq!(read(&page.prometheus_text()).len(), 1);
    }
}

/// Guards the histogram of latencies on the page: cumulative, in seconds, with an exact sum.
#[test]
fn latencies_are_written_in_seconds() {
    let mut latencies = LatencyHistogram::new();
    for ms in [1, 2, 20, 500] {
        latencies.record(Duration::from_millis(ms));
    }
    let bounds = [5, 50, 1000].map(Duration::from_millis);
    let mut page = Exposition::new();
    page.family(&SECONDS).latency(&[], &latencies, &bounds);
    let values: Vec<_> = read(&page.prometheus_text()).iter().map(|sample| sample.value).collect();
    assert_eq!(values, [2.0, 3.0, 4.0, 4.0, 0.523, 4.0]);
}

/// Guards the table against the writers: every metric in `METRICS` is written, and nothing else is.
#[test]
fn the_table_of_metrics_is_what_is_written() {
    let ledger = Ledger::new();
    ledger.accept(4).dropped(DropReason::QueueFull);
    let mut page = Exposition::new();
    let labels = [("signal", "logs"), ("destination", "a\"b")];
    page.ledgers(&[(&labels, ledger.snapshot()), (&[("signal", "traces")], ledger.snapshot())]);
    let mut resources = ResourceProbe::new().sample().unwrap_or_default();
    resources.memory_limit_bytes = Some(1);
    resources.cpu_limit = Some(0.5);
    page.resources(&resources);

    let samples = read(&page.prometheus_text());
    for desc in METRICS {
        let mine: Vec<_> = samples.iter().filter(|sample| sample.name == desc.name).collect();
        assert!(!mine.is_empty(), "{} is not written", desc.name);
        let names: Vec<_> = mine[0].labels.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, desc.attributes, "{}", desc.name);
        assert!(desc.name.starts_with("aqueduct_"), "{}", desc.name);
    }
    for sample in &samples {
        assert!(METRICS.iter().any(|desc| desc.name == sample.name), "{} is not in the table", sample.name);
    }
    let full = samples.iter().find(|sample| {
        sample.name == "aqueduct_dropped_items_total"
            && sample.labels.iter().any(|(_, value)| value == "queue_full")
    });
    assert_eq!(full.map(|sample| sample.value), Some(4.0));
    let reasons = samples.iter().filter(|sample| sample.name == "aqueduct_dropped_items_total").count();
    assert_eq!(reasons, 2 * DropReason::COUNT, "reasons that never occurred are written as zero");
}

/// Guards counters past 2^53, where a float would lose ones.
#[test]
fn integers_are_written_in_full() {
    assert_eq!(Number::from((1_u64 << 53) + 1).to_string(), "9007199254740993");
    assert_eq!(Number::from(0.1).to_string(), "0.1");
    assert_eq!(Number::from(1e-9).to_string(), "1e-9");
}
