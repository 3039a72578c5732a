//! Tests of the small parsers, of hostile input, and of the documentation.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::read::Keys;
use super::{Config, ConfigErrors, duration, env, size};

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse("test.yaml", text, &|_| None)
}

/// Guards Go's syntax, its units and its refusals.
#[test]
fn durations_are_gos() {
    let good = [
        ("0", 0),
        ("0s", 0),
        ("1ns", 1),
        ("1us", 1_000),
        ("1\u{b5}s", 1_000),
        ("1\u{3bc}s", 1_000),
        ("200ms", 200_000_000),
        ("5s", 5_000_000_000),
        ("+5s", 5_000_000_000),
        ("1.5s", 1_500_000_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("1m30s", 90_000_000_000),
        ("1h2m3.004s", 3_723_004_000_000),
        ("0.0000000001s", 0),
        ("1.999999999999999999999s", 1_999_999_999),
        ("8760h", 31_536_000_000_000_000),
    ];
    for (text, nanos) in good {
        assert_eq!(duration::parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
    }
    let bad = [
        ("", "it is empty"),
        ("+", "it is empty"),
        ("5", "the unit is missing: write 5s for seconds or 5ms for milliseconds"),
        ("1.5", "the unit is missing: write 1.5s for seconds or 1.5ms for milliseconds"),
        ("-5s", "a negative duration has no meaning here"),
        ("5x", "`x` is no unit (there are ns, us, ms, s, m, h)"),
        ("5 s", "` s` is no unit (there are ns, us, ms, s, m, h)"),
        ("1m30", "the unit after 30 is missing"),
        ("s", "`` is no number"),
        (".s", "`.` is no number"),
        ("1.2.3s", "`1.2.3` is no number"),
        ("8761h", "it is longer than a year (8760h)"),
        ("99999999999999999999999999h", "it is longer than a year (8760h)"),
    ];
    for (text, why) in bad {
        assert_eq!(duration::parse(text), Err(why.to_owned()), "{text}");
    }
}

/// Guards sizes and the advice for units that mean two things.
#[test]
fn sizes_have_binary_units() {
    for (text, bytes, with_unit) in [
        ("0", 0, false),
        ("67108864", 64 << 20, false),
        ("64MiB", 64 << 20, true),
        ("1 GiB", 1 << 30, true),
        ("7B", 7, true),
    ] {
        assert_eq!(size::parse(text), Ok(size::Size { bytes, with_unit }), "{text}");
    }
    for (text, why) in [
        ("", "it does not start with a whole number"),
        ("MiB", "it does not start with a whole number"),
        ("64MB", "write MiB (1024 KiB)"),
        ("1.5MiB", "`.5MiB` is no unit (there are B, KiB, MiB, GiB)"),
        ("99999999999999999999", "it is too large"),
        ("18446744073709551615KiB", "it is too large"),
    ] {
        assert_eq!(size::parse(text), Err(why.to_owned()), "{text}");
    }
}

/// Guards the collector's rules of expansion, and that nothing unset passes.
#[test]
fn variables_are_expanded_as_in_the_collector() {
    let variables = |name: &str| match name {
        "A" => Some("alpha".to_owned()),
        "EMPTY" => Some(String::new()),
        "DOLLAR" => Some("${env:A}".to_owned()),
        _ => None,
    };
    let good = [
        ("plain", "plain", false),
        ("${env:A}", "alpha", true),
        ("${A}", "alpha", true),
        ("x${env:A}y${A}", "xalphayalpha", false),
        ("${A}${A}", "alphaalpha", false),
        ("${env:B:-beta}", "beta", true),
        ("${B:-beta}", "beta", true),
        ("${env:B:-}", "", true),
        ("${env:B:-http://x:1/}", "http://x:1/", true),
        // The default is for unset variables only, unlike the shell's.
        ("${env:EMPTY:-beta}", "", true),
        // What a variable holds is not expanded again.
        ("${env:DOLLAR}", "${env:A}", true),
        ("$$", "$", false),
        ("$${env:A}", "${env:A}", false),
        ("$$${env:A}", "$alpha", false),
        ("$A costs 5$", "$A costs 5$", false),
    ];
    for (text, expected, whole) in good {
        let expanded = env::expand(text, &variables).unwrap_or_else(|bad| panic!("{text}: {bad:?}"));
        assert_eq!((expanded.text.as_str(), expanded.whole), (expected, whole), "{text}");
    }
    for (text, message) in [
        ("${env:B}", "the environment variable B is not set"),
        ("${env:}", "found `${env:}`: that is no name of an environment variable"),
        ("${}", "found `${}`: that is no name of an environment variable"),
        ("${env:1A}", "found `${env:1A}`: that is no name of an environment variable"),
        ("${file:/etc/x}", "found `${file:/etc/x}`: only environment variables can be expanded"),
        ("a${env:A", "found `${` without a closing `}`"),
    ] {
        let bad = env::expand(text, &variables).expect_err(text);
        assert_eq!(bad.iter().map(|bad| bad.message.as_str()).collect::<Vec<_>>(), [message], "{text}");
    }
    assert_eq!(env::expand("${env:X} ${env:Y}", &variables).map_err(|bad| bad.len()), Err(2));
}

/// A file with this line as the endpoint of an otlphttp exporter.
fn with_endpoint(endpoint: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: }}}}}}\nexporters:\n  otlphttp:\n    endpoint: '{endpoint}'\n\
         service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [otlphttp]}}}}}}\n"
    )
}

/// Guards what counts as an address to send to, and its normal form.
#[test]
fn http_endpoints_are_urls() {
    for (text, url) in [
        ("http://collector:4318", "http://collector:4318"),
        ("http://collector:4318/", "http://collector:4318"),
        ("http://collector", "http://collector"),
        ("http://[::1]:4318/a/b/", "http://[::1]:4318/a/b"),
        ("http://[::1]", "http://[::1]"),
        ("https://collector:4318", "https://collector:4318"),
        ("https://collector/otlp/", "https://collector/otlp"),
        ("unix:/run/otel.sock", "unix:/run/otel.sock"),
        ("unix:///run/otel.sock", "unix:/run/otel.sock"),
    ] {
        let config = parse(&with_endpoint(text)).unwrap_or_else(|errors| panic!("{errors}"));
        let super::ExporterKind::Otlp(otlp) = &config.exporters[0].kind else { panic!("no OTLP") };
        assert_eq!(otlp.endpoint.as_deref(), Some(url), "{text}");
    }
    for text in [
        "collector:4318",
        "HTTPS",
        "https://",
        "https://collector:0",
        "https://u:p@collector",
        "unix:",
        "unix:run/x",
        "unix://run/x",
        "dns:///collector:4318",
        "http://",
        "http://:4318",
        "http://a b:1",
        "http://collector:0",
        "http://collector:99999",
        "http://collector:+1",
        "http://::1:4318",
        "http://[::g]:4318",
        "http://u:p@collector:4318",
        "http://collector:4318/?a=b",
        "http://collector:4318/v1/traces",
    ] {
        assert!(parse(&with_endpoint(text)).is_err(), "{text}");
    }
}

/// A file with these settings of an exporter of this type.
fn with_exporter(kind: &str, settings: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: }}}}}}\nexporters:\n  {kind}: {settings}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [{kind}]}}}}}}\n"
    )
}

/// Guards when TLS is spoken: the scheme says it, and where there is none the collector's `insecure`.
#[test]
fn clear_text_is_only_spoken_where_the_file_says_so() {
    for (endpoint, insecure, url) in [
        ("collector:4317", "", "https://collector:4317"),
        ("collector:4317", "insecure: false", "https://collector:4317"),
        ("collector:4317", "insecure: true", "http://collector:4317"),
        ("[::1]:4317", "", "https://[::1]:4317"),
        ("http://collector:4317", "", "http://collector:4317"),
        ("http://collector:4317", "insecure: false", "http://collector:4317"),
        ("https://collector:4317", "", "https://collector:4317"),
        ("https://collector:4317", "insecure: true", "https://collector:4317"),
        ("unix:///run/otel.sock", "", "unix:/run/otel.sock"),
        ("unix:/run/otel.sock", "insecure: true", "unix:/run/otel.sock"),
    ] {
        let text = with_exporter("otlp", &format!("{{endpoint: '{endpoint}', tls: {{{insecure}}}}}"));
        let config = parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
        let super::ExporterKind::Otlp(otlp) = &config.exporters[0].kind else { panic!("no OTLP") };
        assert_eq!(otlp.endpoint.as_deref(), Some(url), "{endpoint} {insecure}");
        let told: Vec<String> = config.warning_lines().collect();
        let contradiction = endpoint.starts_with("https") && insecure.ends_with("true");
        assert_eq!(told.len(), usize::from(contradiction), "{endpoint} {insecure}: {told:?}");
        assert!(
            told.iter().all(|line| line.contains("exporters.otlp.tls.insecure: has no effect")),
            "{told:?}"
        );
    }
}

/// Guards the settings of TLS where one signal goes one way and another the other: they have an effect.
#[test]
fn tls_settings_are_for_whichever_address_has_tls() {
    let settings =
        "{endpoint: 'http://a', logs_endpoint: 'https://b/v1/logs', tls: {insecure: true, ca_file: /ca.pem}}";
    let config = parse(&with_exporter("otlphttp", settings)).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.warning_lines().collect::<Vec<_>>(), Vec::<String>::new());
    let super::ExporterKind::Otlp(otlp) = &config.exporters[0].kind else { panic!("no OTLP") };
    let file = otlp.tls.ca_file.as_ref().expect("named");
    assert_eq!(file.value, std::path::Path::new("/ca.pem"));
    assert_eq!(file.setting.to_string(), "exporters.otlphttp.tls.ca_file (line 3, column 103)");
}

/// Guards the proxy's password, in every form of output, and the forms of its URL.
#[test]
fn a_proxy_is_read_and_its_password_kept() {
    for url in ["http://me:hunter2@proxy:3128", "http://me:hunter2@[::1]/", "http://me:hun/@ter2@proxy"] {
        for kind in ["otlp", "otlphttp"] {
            let settings = format!("{{endpoint: 'https://c:1', proxy_url: '{url}'}}");
            let config = parse(&with_exporter(kind, &settings)).unwrap_or_else(|errors| panic!("{errors}"));
            let super::ExporterKind::Otlp(otlp) = &config.exporters[0].kind else { panic!("no OTLP") };
            assert_eq!(otlp.proxy_url.as_ref().map(|given| given.value.reveal()), Some(url));
            let shown = format!("{config:?} {}", config.summary());
            assert!(!shown.contains("ter2") && shown.contains("through the proxy http://***@"), "{shown}");
        }
    }
    let none = parse(&with_exporter("otlphttp", "{endpoint: 'http://c', proxy_url: ''}"));
    let config = none.unwrap_or_else(|errors| panic!("{errors}"));
    let super::ExporterKind::Otlp(otlp) = &config.exporters[0].kind else { panic!("no OTLP") };
    assert_eq!(otlp.proxy_url, None, "empty is none, as in the collector");
}

/// Guards against a proxy that is named for nothing, and what is on this machine.
#[test]
fn a_proxy_for_this_machine_is_an_error() {
    for (endpoint, local) in [
        ("http://localhost:1", true),
        ("http://LocalHost:1", true),
        ("https://127.8.0.1:1", true),
        ("http://[::1]:1", true),
        ("http://[::ffff:127.0.0.1]:1", true),
        ("unix:/run/otel.sock", true),
        ("http://10.0.0.1:1", false),
        ("https://localhost.example:1", false),
        ("http://[fd00::1]:1", false),
    ] {
        for kind in ["otlp", "otlphttp"] {
            let settings = format!("{{endpoint: '{endpoint}', proxy_url: 'http://proxy'}}");
            let told = parse(&with_exporter(kind, &settings)).map(drop).map_err(|errors| errors.to_string());
            let expected = "proxy_url: has no effect: addresses on this machine";
            assert_eq!(told.is_err_and(|told| told.contains(expected)), local, "{kind} {endpoint}");
        }
    }
}

/// Guards the newcomer's defaults: what the README promises without a file.
#[test]
fn newcomers_get_loopback_addresses_and_the_debug_exporter() {
    let config = Config::default_for_newcomers();
    let listens: Vec<String> = config
        .receivers
        .iter()
        .flat_map(|receiver| receiver.listeners())
        .map(|l| l.listen.to_string())
        .collect();
    assert_eq!(listens, ["127.0.0.1:4317", "127.0.0.1:4318"]);
    assert_eq!(config.telemetry.admin.map(|admin| admin.to_string()).as_deref(), Some("127.0.0.1:8888"));
    assert_eq!(config.pipelines.len(), 3);
    assert!(config.pipelines.iter().all(|pipeline| pipeline.batch.is_some()));
    assert_eq!(config.exporters.len(), 1);
}

/// Guards that what a file does not say is what runs without a file.
#[test]
fn a_minimal_file_has_the_same_defaults() {
    let text = "receivers: {otlp: {protocols: {grpc: , http: }}}\nprocessors: {batch: }\nexporters: {debug: }\n\
                service:\n  pipelines:\n    traces: &p {receivers: [otlp], processors: [batch], exporters: [debug]}\n    \
                metrics: *p\n    logs: *p\n";
    let mut config = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    let defaults = Config::default_for_newcomers();
    for receiver in &mut config.receivers {
        for listener in [&mut receiver.grpc, &mut receiver.http].into_iter().flatten() {
            listener.listen.setting.position = None;
        }
    }
    config.source.clone_from(&defaults.source);
    assert_eq!(config, defaults);
}

/// Guards the remarks about legal files that probably mean something else.
#[test]
fn warnings_name_what_has_no_effect() {
    let text = "receivers: {otlp: {protocols: {grpc: }}}\nprocessors: {batch: , memory_limiter: {limit_mib: 64}}\n\
                exporters: {debug: , file: {path: x}}\nservice:\n  pipelines:\n    \
                traces: {receivers: [otlp], processors: [memory_limiter], exporters: [debug]}\n    \
                logs: {receivers: [otlp], exporters: [debug]}\n";
    let config = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        config.warning_lines().collect::<Vec<_>>(),
        [
            "test.yaml:2:14: processors.batch: defined, but no pipeline uses it: it does nothing",
            "test.yaml:3:22: exporters.file: defined, but no pipeline uses it: it does nothing",
            "test.yaml:6:46: service.pipelines.traces.processors[0]: limits what the whole process is receiving, \
             not only the pipelines that name it",
        ]
    );
    assert_eq!(config.receive_budget, 64 << 20);
    assert_eq!(config.exporters.len(), 1, "what is unused is not started");
}

/// Guards the remarks about limits that do not fit each other.
#[test]
fn warnings_name_requests_that_never_fit() {
    let text = "receivers: {otlp: {protocols: {grpc: }}}\nprocessors: {memory_limiter: {limit_mib: 32}}\n\
                exporters: {otlphttp: {endpoint: 'http://a', sending_queue: {queue_size: 16MiB}}}\nservice:\n  \
                pipelines:\n    logs: {receivers: [otlp], processors: [memory_limiter], exporters: [otlphttp]}\n";
    let config = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        config.warning_lines().collect::<Vec<_>>(),
        [
            "test.yaml:1:32: receivers.otlp.protocols.grpc: allows requests of 64 MiB, but memory_limiter sets a \
             budget of 32 MiB for all",
            "test.yaml:3:34: exporters.otlphttp: its queue holds 16 MiB, but receivers of the pipeline `logs` allow \
             requests of 64 MiB",
        ]
    );
}

/// Guards `batch: {timeout: 0s}`, which switches batching off in the collector, too.
#[test]
fn a_batch_timeout_of_zero_means_no_batching() {
    let text = "receivers: {otlp: {protocols: {grpc: }}}\nprocessors: {batch: {timeout: 0s}}\nexporters: {debug: }\n\
                service: {pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [debug]}}}\n";
    let config = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.pipelines[0].batch, None);
}

/// Guards memory and time against hostile files: nesting, alias bombs, self-reference, long lines, many errors.
#[test]
fn hostile_files_cost_little() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let previous = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{previous}]\n"));
    }
    let hostile = [
        "[".repeat(500_000),
        "{a: ".repeat(200_000),
        "- ".repeat(400_000),
        "? ".repeat(400_000),
        "a: &a [*a]".to_owned(),
        "a: &a {<<: *a}".to_owned(),
        bomb,
        "a".repeat(1_000_000),
        "\"".repeat(999_999),
        "k: v\n".repeat(150_000),
        "&a ".repeat(300_000),
        "!".repeat(1_000_000),
        "# ".repeat(500_000),
        "${".repeat(400_000),
        format!("receivers: \"{}\"", "${env:X}".repeat(10_000)),
        (0..80_000).map(|n| format!("k{n}: v\n")).collect(),
        crowd(),
        "a: 1\n".repeat(300_000),
    ];
    for text in hostile {
        let start = Instant::now();
        let report = parse(&text).expect_err("nothing of this is a configuration").to_string();
        // Generous: debug builds on a busy machine. Quadratic behaviour would take minutes.
        assert!(start.elapsed() < Duration::from_secs(20), "{:?} for {:.40}", start.elapsed(), text);
        assert!(report.len() < 64 * 1024, "a report of {} bytes for {text:.40}", report.len());
    }
}

/// Many components and pipelines that refer to what there is not.
fn crowd() -> String {
    let receivers: String = (0..20_000).map(|n| format!("  otlp/{n}: \n")).collect();
    let lists: String =
        (0..300).map(|n| format!("    logs/{n}: {{receivers: [{}]}}\n", "otpl, ".repeat(300))).collect();
    format!("receivers:\n{receivers}exporters: {{debug: }}\nservice:\n  pipelines:\n{lists}")
}

/// Good files, to be damaged.
const VALID: [&str; 2] =
    [include_str!("../../tests/config/collector.yaml"), include_str!("../../tests/config/secure.yaml")];

/// Reads, and if it is good summarizes, whatever it is.
fn exercise(text: &str) {
    match Config::parse("fuzz.yaml", text, &|name| (name.len() % 2 == 0).then(|| name.to_owned())) {
        Ok(config) => {
            assert!(!config.pipelines.is_empty());
            for pipeline in &config.pipelines {
                assert!(pipeline.receivers.iter().all(|index| *index < config.receivers.len()));
                assert!(pipeline.exporters.iter().all(|index| *index < config.exporters.len()));
                assert!(!pipeline.receivers.is_empty() && !pipeline.exporters.is_empty());
            }
            assert!(!config.summary().is_empty());
        }
        Err(errors) => {
            assert!(!errors.errors.is_empty());
            assert!(errors.errors.is_sorted_by_key(|error| error.position));
            assert!(!errors.to_string().is_empty());
        }
    }
}

/// One change to a file: cut a range, put something in, or repeat a range elsewhere.
fn mutate(text: &str, edits: &[(u16, u16, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, len, insert) in edits {
        let at = usize::from(*at) % (chars.len() + 1);
        let end = (at + usize::from(len % 40)).min(chars.len());
        chars.splice(at..end, insert.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    /// Guards against panics on any text.
    #[test]
    fn any_text_gets_an_answer(text in any::<String>()) {
        exercise(&text);
    }

    /// As above, with what YAML is made of.
    #[test]
    fn any_yaml_like_text_gets_an_answer(
        text in "([a-c]|receivers|otlp|[-:?&*!|>%@`\"'#{}\\[\\],~<$ \n\t.]|: |\n  |- |<<: \\*a|&a |\\*a|---|\\.\\.\\.|\\$\\{A\\}){0,60}",
    ) {
        exercise(&text);
    }

    /// As above, close to good files, where the typed readers are reached.
    #[test]
    fn damaged_files_get_an_answer(
        edits in prop::collection::vec((any::<u16>(), any::<u16>(), "[a-z0-9:\\-{}\\[\\]&*!\"'\n ,.$#%@é]{0,12}"), 1..4),
    ) {
        VALID.iter().for_each(|valid| exercise(&mutate(valid, &edits)));
    }

    /// Guards that durations survive being printed, which summaries rely on.
    #[test]
    fn durations_survive_printing(micros in 0u64..31_536_000_000_000) {
        let duration = Duration::from_micros(micros);
        prop_assert_eq!(duration::parse(&duration::format(duration)), Ok(duration));
    }

    /// Guards that sizes survive being printed.
    #[test]
    fn sizes_survive_printing(bytes in any::<u64>()) {
        prop_assert_eq!(size::parse(&size::format(bytes)).map(|size| size.bytes), Ok(bytes));
    }
}

fn documentation() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    std::fs::read_to_string(path).expect("docs/configuration.md is there")
}

/// Guards the file that docs/configuration.md begins with, which people copy.
#[test]
fn the_documented_example_is_good() {
    let text = documentation();
    let example =
        text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let config = Config::parse("example.yaml", example, &|name| (name == "TOKEN").then(|| "t".to_owned()))
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.warning_lines().collect::<Vec<_>>(), Vec::<String>::new());
}

/// Guards docs/configuration.md: under the heading of each section, a row for each key, and no row for anything else.
#[test]
fn every_key_is_documented() {
    use super::{
        ROOT, SERVICE, exporters, periodic, pipelines, processors, queue, receivers, samplers, tail,
        telemetry, tls, tuning,
    };
    let sections: [(&str, &Keys); 33] = [
        ("The file", &ROOT),
        ("`receivers.otlp`", &receivers::OTLP),
        ("`receivers.otlp.protocols`", &receivers::PROTOCOLS),
        ("`receivers.otlp.protocols.grpc`", &receivers::GRPC),
        ("`receivers.otlp.protocols.grpc.keepalive`", &receivers::KEEPALIVE),
        ("`receivers.otlp.protocols.grpc.keepalive.server_parameters`", &receivers::SERVER_PARAMETERS),
        ("`receivers.otlp.protocols.http`", &receivers::HTTP),
        ("`receivers.otlp.limits`", &receivers::LIMITS),
        ("`processors.batch`", &processors::BATCH),
        ("`processors.memory_limiter`", &processors::MEMORY_LIMITER),
        ("`processors.probabilistic_sampler`", &samplers::PROBABILISTIC_SAMPLER),
        ("`processors.tail_sampling`", &tail::TAIL_SAMPLING),
        ("`processors.tail_sampling.decision_cache`", &tail::DECISION_CACHE),
        ("`processors.tail_sampling.policies`", &tail::POLICY),
        ("`exporters.otlp`", &exporters::GRPC),
        ("`exporters.otlphttp`", &exporters::HTTP),
        ("`tls`", &tls::TLS),
        ("`keepalive`", &exporters::KEEPALIVE),
        ("`compression_params`", &exporters::COMPRESSION_PARAMS),
        ("`sending_queue`", &queue::QUEUE),
        ("`retry_on_failure`", &queue::RETRY),
        ("`exporters.debug`", &exporters::DEBUG),
        ("`exporters.file`", &exporters::FILE),
        ("`service`", &SERVICE),
        ("`service.pipelines.<signal>`", &pipelines::PIPELINE),
        ("`service.tuning`", &tuning::TUNING),
        ("`service.tuning.bounds`", &tuning::BOUNDS),
        ("`service.telemetry`", &telemetry::TELEMETRY),
        ("`service.telemetry.metrics`", &telemetry::METRICS),
        ("`service.telemetry.metrics.readers[0].pull.exporter.prometheus`", &telemetry::PROMETHEUS),
        ("`service.telemetry.metrics.readers[0].periodic`", &periodic::PERIODIC),
        ("`service.telemetry.metrics.readers[0].periodic.exporter.otlp`", &periodic::OTLP),
        ("`service.telemetry.logs`", &telemetry::LOGS),
    ];
    let text = documentation();
    for (section, keys) in sections {
        let mut rows: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.starts_with('#') || line.trim_start_matches('#').trim() != section)
            .skip(1)
            .take_while(|line| !line.starts_with('#'))
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(key, _)| key)
            .collect();
        let mut supported = keys.supported.to_vec();
        rows.sort_unstable();
        supported.sort_unstable();
        assert_eq!(rows, supported, "keys documented under {section}, and keys there are");
    }
}
