//! Configuration files: what good ones mean, and what bad ones are told, word for word.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aqueduct_gateway::config::{
    Acknowledge, Compression, Config, ConfigErrors, ExportProtocol, ExporterKind, LogLevel, OtlpExporter,
    Signal, TlsVersion,
};
use aqueduct_testkit::Folder;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

/// Parses a fixture under its bare name, so that messages do not depend on where the project is.
fn parse(name: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let text = std::fs::read_to_string(folder().join(name)).expect("the fixture exists");
    Config::parse(name, &text, &|variable| {
        variables.iter().find(|(name, _)| *name == variable).map(|(_, value)| (*value).to_owned())
    })
}

fn otlp(config: &Config, name: &str) -> OtlpExporter {
    let exporter =
        config.exporters.iter().find(|exporter| exporter.name == name).expect("the exporter is used");
    match &exporter.kind {
        ExporterKind::Otlp(otlp) => (**otlp).clone(),
        other => panic!("{name} is {other:?}"),
    }
}

/// Guards the wording of every message: each `bad-*.yaml` has its report in the `.txt` beside it. After a deliberate
/// change, run with `AQUEDUCT_BLESS=1` and read the difference.
#[test]
fn bad_files_are_told_what_is_wrong() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).expect("the folder of fixtures") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a text name").to_owned();
        if !name.starts_with("bad-") || !name.ends_with(".yaml") {
            continue;
        }
        seen += 1;
        let report = format!("{}\n", parse(&name, &[("TIMEOUT", "soon")]).expect_err(&name));
        let golden = path.with_extension("txt");
        if std::env::var_os("AQUEDUCT_BLESS").is_some() {
            std::fs::write(&golden, &report).expect("the golden file can be written");
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(report, expected, "\n{name} is now told:\n{report}");
    }
    assert!(seen >= 14, "only {seen} fixtures found");
}

/// Guards that no message repeats a header's value or a password.
#[test]
fn messages_keep_secrets() {
    for name in ["bad-types.yaml", "bad-tls.yaml"] {
        let report = parse(name, &[]).expect_err("it is bad").to_string();
        assert!(!report.contains("secret") && !report.contains("hunter2"), "{report}");
    }
}

/// Guards that a file as collectors have it means here what it means there.
#[test]
fn a_collectors_file_is_understood() {
    let variables = [("MY_POD_IP", "10.0.0.7"), ("TOKEN", "s3cr3t")];
    let config = parse("collector.yaml", &variables).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.warning_lines().collect::<Vec<_>>(), Vec::<String>::new());

    let [main, edge] = config.receivers.as_slice() else { panic!("{:?}", config.receivers) };
    assert_eq!((main.name.as_str(), main.acknowledge), ("otlp", Acknowledge::Enqueued));
    let grpc = main.grpc.as_ref().expect("grpc");
    assert_eq!(grpc.listen.to_string(), "10.0.0.7:4317");
    assert_eq!(grpc.listen.setting.to_string(), "receivers.otlp.protocols.grpc.endpoint (line 6, column 19)");
    assert_eq!((grpc.max_request_bytes, grpc.max_concurrent_streams), (32 << 20, 128));
    assert_eq!(
        (grpc.keepalive.time, grpc.keepalive.timeout),
        (Duration::from_secs(30), Duration::from_secs(5))
    );
    assert_eq!(grpc.idle_timeout, Duration::from_secs(120));
    let http = main.http.as_ref().expect("http");
    assert_eq!((http.listen.to_string().as_str(), http.max_request_bytes), ("[::1]:4318", 20 << 20));
    assert_eq!(
        (http.read_header_timeout, http.idle_timeout),
        (Duration::from_secs(20), Duration::from_secs(90))
    );
    assert_eq!(http.read_timeout, Duration::from_secs(30));
    assert_eq!(
        (edge.name.as_str(), edge.acknowledge, &edge.grpc),
        ("otlp/edge", Acknowledge::Exported, &None)
    );
    assert_eq!(edge.http.as_ref().map(|http| http.listen.to_string()).as_deref(), Some("0.0.0.0:4319"));
    let limits = &edge.limits;
    assert_eq!((limits.max_connections, limits.max_header_list_size), (16, 32 << 10));
    assert_eq!((limits.max_items, limits.max_depth, limits.max_attributes), (5000, 32, 128));
    assert_eq!(limits.max_envelopes, 2000);

    let names: Vec<&str> = config.exporters.iter().map(|exporter| exporter.name.as_str()).collect();
    assert_eq!(names, ["debug", "file/copy", "otlp", "otlphttp/backup"]);
    assert_eq!(config.exporters[0].kind, ExporterKind::Debug);
    let ExporterKind::File(file) = &config.exporters[1].kind else { panic!("no file") };
    assert_eq!((file.path.as_path(), file.append), (Path::new("/var/lib/aqueduct/traces.jsonl"), true));

    let primary = otlp(&config, "otlp");
    assert_eq!(primary.protocol, ExportProtocol::Grpc);
    assert_eq!(primary.endpoint.as_deref(), Some("http://gateway.internal:4317"));
    assert_eq!((primary.compression, primary.timeout), (Compression::Zstd(3), Duration::from_secs(10)));
    assert_eq!(primary.keepalive.time, Duration::from_secs(20));
    let headers: Vec<(&str, &str)> =
        primary.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
    assert_eq!(headers, [("authorization", "Bearer s3cr3t"), ("x-scope-orgid", "42")]);
    assert_eq!(
        (primary.retry.initial_interval, primary.retry.max_interval),
        (Duration::from_millis(500), Duration::from_secs(30))
    );
    assert_eq!((primary.retry.multiplier, primary.retry.randomization_factor), (1.5, Some(0.5)));
    assert_eq!((primary.retry.enabled, primary.retry.max_elapsed_time), (true, None));
    assert_eq!((primary.queue.num_consumers, primary.queue.max_bytes), (4, 128 << 20));

    let backup = otlp(&config, "otlphttp/backup");
    assert_eq!(backup.protocol, ExportProtocol::HttpJson);
    assert_eq!(backup.endpoint.as_deref(), Some("http://backup.internal:4318/otlp"));
    assert_eq!(
        backup.signal_endpoints,
        [None, None, Some("http://loki.internal:3100/otlp/v1/logs".to_owned())]
    );
    assert_eq!((backup.compression, backup.timeout), (Compression::None, Duration::from_secs(5)));
    assert_eq!(backup.retry.max_elapsed_time, Some(Duration::from_secs(300)));
    assert_eq!((backup.queue.num_consumers, backup.queue.max_bytes), (8, 96 << 20));
    let tenant = backup.headers.iter().find(|(name, _)| name == "x-scope-orgid").expect("its own value wins");
    assert_eq!(tenant.1.reveal(), "43");
    assert_eq!(backup.headers.len(), 2);

    let [traces, metrics, logs] = config.pipelines.as_slice() else { panic!("{:?}", config.pipelines) };
    assert_eq!((traces.signal, metrics.signal, logs.signal), (Signal::Traces, Signal::Metrics, Signal::Logs));
    assert_eq!((&traces.receivers, &traces.exporters), (&vec![0, 1], &vec![2, 1]));
    assert_eq!((logs.name.as_str(), &logs.exporters, &logs.batch), ("logs/app", &vec![3, 0], &None));
    let batch = traces.batch.as_ref().expect("traces are batched");
    assert_eq!((batch.timeout, batch.send_batch_size), (Duration::from_millis(200), Some(8192)));
    let small = metrics.batch.as_ref().expect("metrics are batched");
    assert_eq!((small.timeout, small.send_batch_size), (Duration::from_millis(1500), Some(1024)));
    assert_eq!(small.send_batch_max_bytes, 1 << 20);

    assert_eq!(config.receive_budget, 384 << 20);
    assert_eq!(config.telemetry.log_level, LogLevel::Warn);
    let admin = config.telemetry.admin.as_ref().expect("an admin endpoint");
    assert_eq!(admin.to_string(), "0.0.0.0:9888");
    assert!(!config.summary().contains("s3cr3t"), "{}", config.summary());
    assert!(!format!("{config:?}").contains("s3cr3t"));
}

/// Guards the keys of TLS and of the proxy, by their names in the collector.
#[test]
fn exporters_to_the_outside_are_understood() {
    let config = parse("secure.yaml", &[("TOKEN", "s3cr3t")]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.warning_lines().collect::<Vec<_>>(), Vec::<String>::new());
    let grpc = otlp(&config, "otlp");
    assert_eq!(grpc.endpoint.as_deref(), Some("https://gateway.example:4317"));
    let tls = &grpc.tls;
    for (file, path) in [
        (&tls.ca_file, "/etc/otel/ca.pem"),
        (&tls.cert_file, "/etc/otel/client.pem"),
        (&tls.key_file, "/etc/otel/client.key"),
    ] {
        assert_eq!(file.as_ref().map(|file| file.value.as_path()), Some(Path::new(path)));
    }
    let name = tls.server_name_override.as_ref().expect("set");
    assert_eq!(name.value, "collector.internal");
    assert_eq!(name.setting.to_string(), "exporters.otlp.tls.server_name_override (line 14, column 29)");
    assert_eq!(tls.min_version, TlsVersion::V1_3);
    let proxy = grpc.proxy_url.as_ref().expect("set");
    assert_eq!(proxy.value.reveal(), "http://me:s3cr3t@proxy.internal:3128");
    let http = otlp(&config, "otlphttp");
    assert_eq!(http.endpoint.as_deref(), Some("https://api.example/otlp"));
    assert_eq!((&http.tls.ca_file, http.tls.min_version), (&None, TlsVersion::V1_2));
    assert_eq!((&http.proxy_url, http.queue.num_consumers), (&None, 64));
    let agent = otlp(&config, "otlp/agent");
    assert_eq!(agent.endpoint.as_deref(), Some("unix:/run/otel/agent.sock"));
}

/// Guards `aqueduct validate`'s output, defaults included.
#[test]
fn summaries_show_what_is_in_effect() {
    let variables = [("MY_POD_IP", "10.0.0.7"), ("TOKEN", "s3cr3t")];
    let config = parse("collector.yaml", &variables).unwrap_or_else(|errors| panic!("{errors}"));
    let secure = parse("secure.yaml", &variables).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(!format!("{secure:?}").contains("s3cr3t"));
    let summaries = [Config::default_for_newcomers().summary(), config.summary(), secure.summary()];
    let all = summaries.join("---\n");
    let golden = folder().join("summary.txt");
    if std::env::var_os("AQUEDUCT_BLESS").is_some() {
        std::fs::write(&golden, &all).expect("the golden file can be written");
    }
    assert_eq!(all, std::fs::read_to_string(&golden).unwrap_or_default(), "\n{all}");
}

/// Guards the way from a file on disk: errors of the system, and bytes that are no text.
#[test]
fn files_are_loaded_from_disk() {
    assert!(Config::load(&folder().join("minimal.yaml")).is_ok());
    let missing = Config::load(Path::new("no/such/file.yaml")).expect_err("there is none").to_string();
    assert!(missing.starts_with("no/such/file.yaml: cannot be read: "), "{missing}");
    let place = Folder::create();
    let file = place.write("aqueduct.yaml", b"receivers:\n  otlp: \xff\n");
    let error = Config::load(&file).expect_err("it is no text").to_string();
    assert!(error.contains("line 2 is not UTF-8 text"), "{error}");
}
