//! What each environment variable does, and what is told of it.

use std::collections::HashMap;

use aqueduct_opentelemetry::{Aqueduct, PropagatorSetting, SamplerSetting};
use aqueduct_testkit::ScriptedPeer;
use aqueduct_transport::{EnvUse, Protocol};
use opentelemetry::Key;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::collector::{Collector, PATIENCE, SHORT};

fn with(variables: &[(&str, &str)]) -> Aqueduct {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Aqueduct::builder().variables(move |name| variables.get(name).cloned()).build().unwrap()
}

fn used(telemetry: &Aqueduct, variable: &str) -> EnvUse {
    let settings = &telemetry.settings().variables;
    settings.iter().find(|setting| setting.variable == variable).expect("it is set").used.clone()
}

/// Guards the table of samplers.
#[test]
fn samplers() {
    use SamplerSetting::{
        AlwaysOff, AlwaysOn, ParentBasedAlwaysOff, ParentBasedAlwaysOn, ParentBasedTraceIdRatio, TraceIdRatio,
    };
    for (name, argument, expected) in [
        ("", "", None),
        ("always_on", "", Some(AlwaysOn)),
        ("Always_OFF", "", Some(AlwaysOff)),
        ("parentbased_always_on", "", Some(ParentBasedAlwaysOn)),
        ("parentbased_always_off", "0.5", Some(ParentBasedAlwaysOff)),
        ("traceidratio", "0.25", Some(TraceIdRatio(0.25))),
        ("traceidratio", "", Some(TraceIdRatio(1.0))),
        ("traceidratio", "1.5", Some(TraceIdRatio(1.0))),
        ("traceidratio", "NaN", Some(TraceIdRatio(1.0))),
        ("parentbased_traceidratio", "0", Some(ParentBasedTraceIdRatio(0.0))),
        ("jaeger_remote", "endpoint=x", None),
        ("nonsense", "0.5", None),
    ] {
        let telemetry = with(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert_eq!(telemetry.sampler_setting(), expected, "{name} {argument}");
        let odd = matches!(argument, "1.5" | "NaN" | "endpoint=x") || (argument == "0.5");
        let told = telemetry.settings().warnings().any(|setting| setting.variable.ends_with("_ARG"));
        assert_eq!(told, odd, "{name} {argument}");
    }
}

/// Guards the table of propagators.
#[test]
fn propagators() {
    use PropagatorSetting::{Baggage, TraceContext};
    for (value, expected, warned) in [
        ("", vec![TraceContext, Baggage], false),
        ("tracecontext", vec![TraceContext], false),
        ("Baggage, tracecontext,baggage", vec![Baggage, TraceContext], false),
        ("tracecontext,b3", vec![TraceContext], true),
        ("b3", vec![TraceContext, Baggage], true),
        ("none", vec![], false),
        ("tracecontext,none", vec![], true),
    ] {
        let telemetry = with(&[("OTEL_PROPAGATORS", value)]);
        assert_eq!(telemetry.propagators(), expected, "{value}");
        assert_eq!(telemetry.settings().warnings().count() == 1, warned, "{value}");
    }
}

/// Guards the resource: decoded, or discarded as a whole, and the name of the service.
#[test]
fn resources() {
    let service = |variables: &[(&str, &str)]| {
        with(variables).resource().get(&Key::new("service.name")).expect("there always is one").to_string()
    };
    assert_eq!(service(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=a")]), "a");
    assert_eq!(service(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=a"), ("OTEL_SERVICE_NAME", "b")]), "b");
    assert!(service(&[("OTEL_SERVICE_NAME", " ")]).starts_with("unknown_service:"));
    for (value, key, expected) in [
        ("a=b%20c,%64=e", "a", Some("b c")),
        ("a=b%20c,%64=e", "d", Some("e")),
        (" a = b ,", "a", Some("b")),
        ("a=b=c", "a", Some("b=c")),
        ("a=", "a", Some("")),
        ("a=b,nonsense", "a", None),
        ("a=b,=c", "a", None),
        ("a=b,c=%FF", "a", None),
    ] {
        let telemetry = with(&[("OTEL_RESOURCE_ATTRIBUTES", value)]);
        let found = telemetry.resource().get(&Key::new(key)).map(|value| value.to_string());
        assert_eq!(found.as_deref(), expected, "{value}");
        assert_eq!(telemetry.settings().warnings().count() == 1, expected.is_none(), "{value}");
    }
}

/// Guards that nothing in the environment can make a program fail, and that all of it is told.
#[test]
fn nonsense_is_ignored_and_told() {
    let names = [
        "OTEL_SDK_DISABLED",
        "OTEL_TRACES_EXPORTER",
        "OTEL_METRICS_EXPORTER",
        "OTEL_LOGS_EXPORTER",
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_BSP_EXPORT_TIMEOUT",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        "OTEL_BLRP_SCHEDULE_DELAY",
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_SPAN_EVENT_COUNT_LIMIT",
        "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_TRACES_SAMPLER",
        "OTEL_PROPAGATORS",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "OTEL_CONFIG_FILE",
        "OTEL_METRIC_EXPORT_INTERVAL",
    ];
    for value in ["nonsense", "-1", "0.5", ",", "☃"] {
        let variables: Vec<_> = names.iter().map(|name| (*name, value)).collect();
        let telemetry = with(&variables);
        let warned: Vec<_> =
            telemetry.settings().warnings().map(|setting| setting.variable.as_str()).collect();
        for name in names {
            assert!(warned.contains(&name), "{name}={value}");
        }
    }
}

/// Guards against a false alarm: what the SDK reads by itself does what it says.
#[test]
fn what_the_sdk_reads_is_used() {
    let telemetry = with(&[("OTEL_METRIC_EXPORT_INTERVAL", "10000")]);
    assert_eq!(used(&telemetry, "OTEL_METRIC_EXPORT_INTERVAL"), EnvUse::Used);
    assert_eq!(telemetry.settings().warnings().count(), 0);
}

/// Guards numbers at both ends: they make a handle, and one that delivers.
#[test]
fn numbers_at_both_ends() {
    for value in ["0", "1", "18446744073709551615"] {
        let variables: Vec<_> = ["OTEL_BSP_", "OTEL_BLRP_"]
            .into_iter()
            .flat_map(|prefix| {
                let names = ["SCHEDULE_DELAY", "EXPORT_TIMEOUT", "MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE"];
                names.map(|name| format!("{prefix}{name}"))
            })
            .chain(["OTEL_BSP_MAX_CONCURRENT_EXPORTS", "OTEL_ATTRIBUTE_COUNT_LIMIT"].map(str::to_owned))
            .collect();
        let collector = Collector::healthy();
        let lookup = move |name: &str| variables.iter().any(|known| known == name).then(|| value.to_owned());
        let telemetry = collector.builder().variables(lookup).build().unwrap();
        let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
        provider.tracer("test").in_span("one", |_| ());
        let report = telemetry.shutdown(PATIENCE);
        assert_eq!((report.delivered(), report.lost()), (1, 0), "{value}: {report}");
    }
}

/// Guards what is shown: a line for each variable, and no secret.
#[test]
fn the_table() {
    let telemetry = with(&[
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=s3cret"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4096"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9999"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ]);
    let table = telemetry.settings().to_string();
    assert_eq!(table.lines().count(), 7, "{table}");
    assert!(!table.contains("s3cret"), "{table}");
    let line = |name: &str| table.lines().find(|line| line.starts_with(name)).expect("it is there");
    assert!(line("OTEL_SERVICE_NAME").ends_with("shop          used"), "{table}");
    assert!(line("OTEL_TRACES_EXPORTER").contains("ignored: the console is"), "{table}");
    assert!(line("OTEL_BSP_MAX_QUEUE_SIZE").contains("as 4096 KiB of encoded items"), "{table}");
    assert!(
        line("OTEL_BSP_MAX_EXPORT_BATCH_SIZE").contains("as 4096, which is the size of the queue"),
        "{table}"
    );
    // Metrics and logs use them.
    assert_eq!(used(&telemetry, "OTEL_EXPORTER_OTLP_HEADERS"), EnvUse::Used);
    assert_eq!(with(&[]).settings().to_string(), "no variable of OpenTelemetry's is set");
}

/// Guards logs against the secrets that an endpoint may hold, with a scheme and without, in its query as well; and that a builder shows none.
#[test]
fn no_secret_of_an_endpoint_is_shown() {
    for endpoint in ["https://u:s3cret@host:4317", "u:s3cret@host:4317", "https://host/v1/traces?key=s3cret"]
    {
        let variables = move |name: &str| match name {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" => Some(endpoint.to_owned()),
            "OTEL_EXPORTER_OTLP_PROTOCOL" if endpoint.contains("4317") => Some("grpc".to_owned()),
            // So that there is a handle.
            "OTEL_TRACES_EXPORTER" => Some("none".to_owned()),
            _ => None,
        };
        let builder = Aqueduct::builder().endpoint(endpoint);
        assert!(!format!("{builder:?}").contains("s3cret"), "{builder:?}");
        let settings = Aqueduct::builder().variables(variables).build().unwrap().settings().clone();
        let shown = format!("{settings}\n{settings:?}");
        assert!(shown.contains("host") && !shown.contains("s3cret"), "{shown}");
        let error = builder.variables(|_| None).build().map(drop).err();
        let mut cause = error.as_ref().map(|error| error as &dyn std::error::Error);
        while let Some(error) = cause {
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
            cause = error.source();
        }
    }
}

/// Guards logs against headers: whatever is made of the handle may be printed for debugging.
#[test]
fn no_debug_form_shows_a_header() {
    let telemetry = with(&[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret"), ("OTEL_SERVICE_NAME", "shop")]);
    let (spans, logs) = (telemetry.span_processor(), telemetry.log_processor());
    let exporters = (telemetry.span_exporter(), telemetry.log_exporter(), telemetry.metric_exporter());
    let shown = format!("{telemetry:?}{spans:?}{logs:?}{exporters:?}{:?}", telemetry.settings());
    assert!(shown.contains("shop") && !shown.contains("s3cret"), "{shown}");
}

/// Guards `OTEL_EXPORTER_OTLP_PROTOCOL`, of all signals and of one: the body and its kind are as it says.
#[test]
fn each_protocol_is_spoken() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for (all, traces, expected) in [
        ("http/json", "", "http/json"),
        ("HTTP/JSON", "", "http/json"),
        ("http/json", "http/protobuf", "http/protobuf"),
        ("grpc", "http/json", "http/json"),
        ("nonsense", "", "http/protobuf"),
    ] {
        let peer = runtime.block_on(ScriptedPeer::start()).unwrap();
        let endpoint = peer.http_endpoint();
        let variables = move |name: &str| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(all.to_owned()),
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" => Some(traces.to_owned()),
            _ => None,
        };
        let telemetry = Aqueduct::builder().variables(variables).build().unwrap();
        let provider = SdkTracerProvider::builder().with_span_processor(telemetry.span_processor()).build();
        provider.tracer("test").in_span("one", |_| ());
        let report = telemetry.shutdown(PATIENCE);
        assert_eq!((report.delivered(), report.lost()), (1, 0), "{all} {traces}: {report}");
        let captured = peer.captured();
        assert_eq!(captured[0].protocol.as_str(), expected, "{all} {traces}");
    }
}

/// Guards the order: what the program says comes first.
#[test]
fn the_program_comes_first() {
    let variables = |name: &str| {
        let value = match name {
            "OTEL_SERVICE_NAME" => "environment",
            "OTEL_EXPORTER_OTLP_ENDPOINT" => "http://environment:1",
            "OTEL_EXPORTER_OTLP_TIMEOUT" => "7",
            "OTEL_SPAN_EVENT_COUNT_LIMIT" => "7",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let telemetry = Aqueduct::builder()
        .variables(variables)
        .service_name("program")
        .endpoint("http://program:1")
        .limits(aqueduct_opentelemetry::Limits::default())
        .build()
        .unwrap();
    assert_eq!(telemetry.resource().get(&Key::new("service.name")), Some("program".into()));
    assert_eq!(telemetry.span_limits().max_events_per_span, 128);
    for name in ["OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SPAN_EVENT_COUNT_LIMIT"] {
        assert_eq!(used(&telemetry, name), EnvUse::Overridden { by: "the program".to_owned() });
    }
    assert_eq!(used(&telemetry, "OTEL_EXPORTER_OTLP_TIMEOUT"), EnvUse::Used);
}

/// Guards a protocol that the program says, with the rest of the environment read for it: the endpoint stays, and there is one for each protocol without.
#[test]
fn a_protocol_of_the_program() {
    for (endpoint, peer) in [(Some("http://127.0.0.1:1"), "127.0.0.1:1"), (None, "localhost:4317")] {
        let variables = move |name: &str| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => endpoint.map(str::to_owned),
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL" => Some("http/protobuf".to_owned()),
            _ => None,
        };
        let telemetry = Aqueduct::builder().variables(variables).protocol(Protocol::Grpc).build().unwrap();
        for check in telemetry.self_test(SHORT).checks {
            assert_eq!((check.peer.as_str(), check.protocol), (peer, Protocol::Grpc), "{check}");
        }
        let expected = EnvUse::Overridden { by: "the program".to_owned() };
        assert_eq!(used(&telemetry, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"), expected);
    }
}

/// Guards what only trying finds out: it is an error, and says where.
#[test]
fn an_endpoint_that_is_none() {
    let variables = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "ftp://x".to_owned());
    let error = Aqueduct::builder().variables(variables).build().unwrap_err();
    assert_eq!(error.to_string(), "the client for traces cannot be built");
    assert!(std::error::Error::source(&error).is_some());
}
