//! The environment variables of the specification.

use std::collections::HashMap;
use std::time::Duration;

use aqueduct_transport::{Client, ClientConfig, Compression, EnvNote, EnvUse, Outcome, Pem, Protocol};
use aqueduct_wire::{Chunk, Merged, Signal};
use proptest::prelude::*;

use crate::batches::small;
use crate::grpc_server::GrpcServer;
use crate::http_server::{HttpServer, PROTOBUF, answer};

fn read(signal: Signal, vars: &[(&str, &str)]) -> (ClientConfig, Vec<EnvNote>) {
    let vars: HashMap<&str, &str> = vars.iter().copied().collect();
    ClientConfig::from_vars(signal, |name| vars.get(name).map(|&value| value.to_owned()))
}

fn variable(signal: Option<Signal>, name: &str) -> String {
    match signal {
        None => format!("OTEL_EXPORTER_OTLP_{name}"),
        Some(signal) => format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.as_str().to_uppercase()),
    }
}

fn file(path: &str) -> Option<Pem> {
    Some(Pem::File(path.into()))
}

/// Guards the defaults of the specification, which are not all those of a client.
#[test]
fn nothing_set() {
    for vars in [&[][..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", " "), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "")]]
    {
        let (config, notes) = read(Signal::Traces, vars);
        let mut expected = ClientConfig::new("http://localhost:4318", Protocol::HttpProtobuf);
        expected.timeout = Duration::from_secs(10);
        assert_eq!(config, expected);
        assert_eq!(notes, []);
    }
    let (config, _) = read(Signal::Traces, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert_eq!((config.endpoint.as_str(), config.protocol), ("http://localhost:4317", Protocol::Grpc));
}

/// Whether this value of a variable has come to count.
type Check = fn(&ClientConfig, Signal, &str) -> bool;

/// Each of the nine variables, with a value for one signal and another for all, and what both do.
const ROWS: [(&str, &str, &str, Check); 9] = [
    ("ENDPOINT", "https://one.example:1/in", "http://all.example/otlp", |config, signal, url| {
        let own = &config.signal_endpoints;
        match url {
            "https://one.example:1/in" => {
                own[signal.index()].as_deref() == Some(url) && config.endpoint == "http://localhost:4318"
            }
            _ => own.iter().all(Option::is_none) && config.endpoint == url,
        }
    }),
    ("INSECURE", "true", "false", |_, _, _| true),
    ("CERTIFICATE", "/one.pem", "/all.pem", |config, _, path| config.tls.ca == file(path)),
    ("CLIENT_KEY", "/one.key", "/all.key", |config, _, path| config.tls.client_key == file(path)),
    ("CLIENT_CERTIFICATE", "/one.crt", "/all.crt", |config, _, path| {
        config.tls.client_certificate == file(path)
    }),
    ("HEADERS", "one=1", "all=2", |config, _, text| {
        let (name, value) = text.split_once('=').expect("a header");
        config.headers == [(name.to_owned(), value.to_owned())]
    }),
    ("COMPRESSION", "gzip", "zstd", |config, _, name| {
        config.compression == if name == "gzip" { Compression::Gzip(1) } else { Compression::Zstd(1) }
    }),
    ("TIMEOUT", "1500", "2500", |config, _, milliseconds| {
        config.timeout == Duration::from_millis(milliseconds.parse().expect("a number"))
    }),
    ("PROTOCOL", "http/json", "GRPC", |config, _, name| {
        config.protocol == if name == "GRPC" { Protocol::Grpc } else { Protocol::HttpJson }
    }),
];

/// Guards every one of the 36 variables: it counts for its signal, before the one for all, and for no other.
#[test]
fn every_variable() {
    for signal in Signal::ALL {
        for (name, one, all, holds) in ROWS {
            let (own, base) = (variable(Some(signal), name), variable(None, name));
            let (nothing, _) = read(signal, &[]);
            let used = if name == "INSECURE" {
                EnvUse::Ignored("it is for gRPC; for HTTP the endpoint's scheme decides".into())
            } else {
                EnvUse::Used
            };

            let (config, notes) = read(signal, &[(&own, one)]);
            assert!(holds(&config, signal, one), "{own}");
            assert_eq!(notes, [note(&own, used.clone())]);
            assert!(name == "INSECURE" || config != nothing, "{own}");

            let (config, notes) = read(signal, &[(&base, all)]);
            assert!(holds(&config, signal, all), "{base}");
            assert_eq!(notes, [note(&base, used)]);

            let (config, notes) = read(signal, &[(&own, one), (&base, all)]);
            assert!(holds(&config, signal, one), "{own} and {base}");
            if name != "INSECURE" {
                assert_eq!(notes[1], note(&base, EnvUse::Overridden { by: own.clone() }));
            }
            for other in Signal::ALL.into_iter().filter(|&other| other != signal) {
                assert_eq!(read(other, &[(&own, one)]), (read(other, &[]).0, vec![]), "{own} for {other}");
            }
        }
    }
}

fn note(variable: &str, used: EnvUse) -> EnvNote {
    // Compared by what it shows and what it is; it cannot be built outside of its crate.
    let (_, notes) = read(Signal::Traces, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "1")]);
    let mut note = notes[0].clone();
    note.variable = variable.to_owned();
    note.used = used;
    note
}

/// Guards gRPC endpoints without a scheme: TLS, unless somebody says otherwise.
#[test]
fn insecure() {
    const GRPC: (&str, &str) = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    const INSECURE: &str = "OTEL_EXPORTER_OTLP_INSECURE";
    const OWN: &str = "OTEL_EXPORTER_OTLP_LOGS_INSECURE";
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    for (vars, endpoint, last) in [
        (&[(ENDPOINT, "c:4317")][..], "https://c:4317", "ENDPOINT: used"),
        (&[(ENDPOINT, "c:4317"), (INSECURE, "True")], "http://c:4317", "INSECURE: used"),
        (&[(ENDPOINT, "c:4317"), (INSECURE, "false")], "https://c:4317", "INSECURE: used"),
        (&[(ENDPOINT, "c:4317"), (INSECURE, "yes")], "https://c:4317", "ignored, expected true or false"),
        (
            &[(ENDPOINT, "c"), (INSECURE, "true"), (OWN, "false")],
            "https://c",
            "overridden by OTEL_EXPORTER_OTLP_LOGS_INSECURE",
        ),
        (&[(ENDPOINT, "c"), (INSECURE, "true"), (OWN, "no")], "http://c", "INSECURE: used"),
        (&[(ENDPOINT, "https://c"), (INSECURE, "true")], "https://c", "the endpoint's scheme decides"),
        (&[(ENDPOINT, "unix:/s"), (INSECURE, "true")], "unix:/s", "the endpoint's scheme decides"),
        (&[(INSECURE, "false")], "http://localhost:4317", "none is set"),
    ] {
        let vars: Vec<_> = vars.iter().copied().chain([GRPC]).collect();
        let (config, notes) = read(Signal::Logs, &vars);
        assert_eq!(config.endpoint, endpoint, "{vars:?}");
        let last_note = notes.last().expect("a note").to_string();
        assert!(last_note.contains(last), "{vars:?}: {last_note}");
    }
}

/// Guards the rule for what makes no sense: a warning, and the next best value.
#[test]
fn nonsense_is_ignored() {
    const DAY: Duration = Duration::from_secs(86_400);
    let (config, notes) = read(
        Signal::Metrics,
        &[
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "smoke signals"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "Http/Json"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "lzma"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "-1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ],
    );
    assert_eq!(config.protocol, Protocol::HttpJson);
    assert_eq!(config.compression, Compression::None);
    assert_eq!(config.timeout, DAY);
    let said: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: ignored, expected grpc, http/protobuf or http/json",
            "OTEL_EXPORTER_OTLP_PROTOCOL: used",
            "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: ignored, expected none, gzip or zstd",
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: ignored, expected a whole number of milliseconds",
            "OTEL_EXPORTER_OTLP_TIMEOUT: the time limit is one day, the longest there is",
        ]
    );
    assert_eq!(notes.iter().map(EnvNote::is_warning).collect::<Vec<_>>(), [true, false, true, true, true]);
    for (text, timeout) in [("10s", 10_000), ("1.5", 10_000), ("99999999999999999999", 10_000), ("7", 7)] {
        let (config, _) = read(Signal::Metrics, &[("OTEL_EXPORTER_OTLP_TIMEOUT", text)]);
        assert_eq!(config.timeout, Duration::from_millis(timeout), "{text}");
    }
    let (config, _) = read(Signal::Metrics, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "18446744073709551615")]);
    assert_eq!(config.timeout, DAY);
}

/// Guards the list of headers, and the secrets in it.
#[test]
fn headers() {
    let text = " api-key = hunter2%2C%3d , authorization=Basic%20aHVudGVyMg==,,x-percent=50%,\
                hunter2, content-type=hunter2, bad name=hunter2, x-new=a%0Ahunter2, x-bin=%ff, empty=";
    let (config, notes) = read(Signal::Logs, &[("OTEL_EXPORTER_OTLP_HEADERS", text)]);
    let headers: Vec<_> =
        config.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers,
        [
            ("api-key", "hunter2,="),
            ("authorization", "Basic aHVudGVyMg=="),
            ("x-percent", "50%"),
            ("empty", "")
        ]
    );
    let said = notes[0].to_string();
    for entry in [5, 6, 7, 8, 9] {
        assert!(said.contains(&format!("entry {entry} is left out")), "{said}");
    }
    assert!(notes[0].is_warning() && !said.contains("hunter2") && !format!("{config:?}").contains("hunter2"));
    Client::new(config).expect("what is left can be sent");
}

/// Guards the paths that servers see.
#[tokio::test]
async fn paths_over_http() {
    let server = HttpServer::answering(|request| {
        let good = request.path() == String::from_utf8_lossy(&request.body);
        answer(if good { 200 } else { 404 }, PROTOBUF, b"")
    })
    .await;
    for (name, url, path) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "", "/v1/logs"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "/", "/v1/logs"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "/base/", "/base/v1/logs"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "", "/"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "/in?key=1", "/in?key=1"),
    ] {
        let url = format!("http://{}{url}", server.address);
        let (config, _) = read(Signal::Logs, &[(name, &url)]);
        let client = Client::new(config).expect("valid");
        let batch = Merged::from_chunk(Chunk::from_valid(Signal::Logs, 1, path.to_owned().into()));
        assert_eq!(client.send(&client.prepare(&batch)).await, Outcome::Delivered, "{name}={url}");
    }
}

/// Guards all of it together: to a gRPC server that wants a header.
#[tokio::test]
async fn to_a_grpc_server() {
    let server = GrpcServer::start(|mut call| async move {
        let headers = call.request.headers().clone();
        call.body().await;
        assert_eq!(headers["api-key"], "a b");
        let timeout = aqueduct_wire::grpc::parse_timeout(headers["grpc-timeout"].as_bytes());
        assert_eq!(timeout, Some(Duration::from_secs(9)));
        call.ok();
    })
    .await;
    let (config, notes) = read(
        Signal::Traces,
        &[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &server.address.to_string()),
            ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "9000"),
            ("HTTP_PROXY", "http://proxy.invalid:1"),
        ],
    );
    assert!(notes.iter().all(|note| note.used == EnvUse::Used), "{notes:?}");
    assert_eq!(config.proxy.http.as_deref(), Some("http://proxy.invalid:1"));
    let client = Client::new(config).expect("valid");
    assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
}

/// Guards what can only be found out by trying: named when the client is built.
#[test]
fn errors_name_what_was_set() {
    for (vars, says) in [
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")][..], "collector:4318"),
        #[cfg(feature = "tls")]
        (
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c"),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/ca.pem"),
            ],
            "/no/such/ca.pem: No such file",
        ),
        #[cfg(not(feature = "tls"))]
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c")], "\"tls\""),
    ] {
        let said = Client::new(read(Signal::Traces, vars).0).expect_err(says).to_string();
        assert!(said.contains(says), "{said}");
    }
}

/// Guards against a default that depends on the environment, and that the environment is read at all.
#[test]
fn the_environment_is_read_only_when_asked() {
    assert_eq!(ClientConfig::default().proxy, aqueduct_transport::ProxyConfig::default());
    let here = ClientConfig::from_vars(Signal::Traces, |name| std::env::var(name).ok());
    assert_eq!(ClientConfig::from_env(Signal::Traces), here);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guards against a panic on what somebody has in their environment, against secrets in notes, and against headers
    /// that cannot be sent.
    #[test]
    fn anything(values in proptest::collection::vec("(hunter2|[ -~é\n]){0,12}", 9)) {
        const NAMES: [&str; 9] = [
            "ENDPOINT", "INSECURE", "CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE", "HEADERS", "COMPRESSION",
            "TIMEOUT", "PROTOCOL",
        ];
        let (mut config, notes) = ClientConfig::from_vars(Signal::Logs, |name| {
            let at = NAMES.iter().position(|known| name == format!("OTEL_EXPORTER_OTLP_{known}"))?;
            Some(values[at].clone())
        });
        prop_assert!(notes.iter().all(|note| !note.to_string().contains("hunter2")));
        config.endpoint = "http://localhost:1".into();
        config.signal_endpoints = Default::default();
        prop_assert!(Client::new(config).is_ok());
    }

    /// Guards values of headers: any text comes back as it was encoded.
    #[test]
    fn encoded_values(value in "[ -~é]{1,30}") {
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let (config, _) = read(Signal::Logs, &[("OTEL_EXPORTER_OTLP_HEADERS", &format!("k={encoded}"))]);
        prop_assert_eq!(config.headers, [("k".to_owned(), value)]);
    }
}

/// Guards the headers for all against a slip in those for one signal: what makes no sense is as if it were not set. What makes some counts.
#[test]
fn headers_without_a_valid_entry_are_ignored() {
    let base = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=token");
    let own = "OTEL_EXPORTER_OTLP_TRACES_HEADERS";
    let (config, notes) = read(Signal::Traces, &[base, (own, "nonsense")]);
    assert_eq!(config.headers, [("authorization".to_owned(), "token".to_owned())]);
    assert!(notes.iter().any(|note| note.to_string().contains(own)), "{notes:?}");
    let (config, _) = read(Signal::Traces, &[base, (own, "nonsense,x-tenant=blue")]);
    assert_eq!(config.headers, [("x-tenant".to_owned(), "blue".to_owned())]);
}
