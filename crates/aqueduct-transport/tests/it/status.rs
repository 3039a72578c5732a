//! What a client tells about itself, and what it refuses to do.

use aqueduct_transport::{Client, ClientConfig, Compression, ConfigError, FailureKind, Outcome, Protocol};
use aqueduct_wire::Signal;

use crate::batches::{config, small, text};
use crate::http_server::{HttpServer, PROTOBUF, answer};

/// Guards the snapshot that health pages are made of.
#[tokio::test]
async fn counts_and_last_events() {
    let server = HttpServer::answering(|request| match &request.body[..] {
        b"bad" => answer(400, "content-type: text/plain\r\n", b"no thanks"),
        b"busy" => answer(503, "", b""),
        b"large" => answer(413, "", b""),
        _ => answer(200, PROTOBUF, b""),
    })
    .await;
    let client = crate::batches::client(server.address, Protocol::HttpProtobuf);
    let fresh = client.status();
    assert_eq!((fresh.attempts(), fresh.success_rate(), fresh.last_success), (0, 1.0, None));
    for order in ["good", "busy", "large", "bad", "good"] {
        let _ = client.send(&client.prepare(&small(order))).await;
    }
    let status = client.status();
    assert!(status.connected);
    assert_eq!((status.connections, status.connects, status.connect_failures), (1, 1, 0));
    let counts = (status.delivered, status.partial, status.retryable, status.permanent, status.too_large);
    assert_eq!(counts, (2, 0, 1, 1, 1));
    assert_eq!((status.attempts(), status.success_rate()), (5, 0.4));
    assert_eq!(status.delivered_bytes, 8);
    assert_eq!(status.last_error.as_deref(), Some("HTTP status 400: no thanks"));
    assert_eq!(status.last_error_kind, Some(FailureKind::Http(400)));
    assert!(status.last_success > status.last_error_at);
}

/// Guards the specification's limit on what a client sends, which counts before compression as well.
#[tokio::test]
async fn too_large_a_request_is_not_sent() {
    let server = HttpServer::answering(|_| answer(200, PROTOBUF, b"")).await;
    for compression in [Compression::None, Compression::Gzip(1)] {
        let mut config = config(server.address, Protocol::HttpProtobuf);
        config.max_request_bytes = 1000;
        config.compression = compression;
        let client = Client::new(config).expect("valid");
        assert_eq!(client.send(&client.prepare(&small(text(1000, 1)))).await, Outcome::Delivered);
        let outcome = client.send(&client.prepare(&small(vec![b'x'; 1001]))).await;
        let Outcome::TooLarge(failure) = outcome else { panic!("{outcome:?}") };
        assert_eq!(failure.kind, FailureKind::RequestTooLarge);
        assert_eq!(client.status().too_large, 1);
    }
}

/// Guards settings that make no sense against being found out in production.
#[test]
fn configurations_are_checked() {
    type Change = fn(&mut ClientConfig);
    let changes: [(&str, Change); 22] = [
        ("timeout", |config| config.timeout = std::time::Duration::ZERO),
        ("timeout", |config| config.timeout = std::time::Duration::MAX),
        ("connect_timeout", |config| config.connect_timeout = std::time::Duration::ZERO),
        ("keepalive_interval", |config| {
            config.keepalive_interval = Some(std::time::Duration::from_millis(1))
        }),
        // Sums of it with the time of day would overflow.
        ("keepalive_interval", |config| config.keepalive_interval = Some(std::time::Duration::MAX)),
        ("keepalive_timeout", |config| config.keepalive_timeout = std::time::Duration::MAX),
        // Which the kernel refuses, and with it the connection.
        ("tcp_keepalive", |config| config.tcp_keepalive = Some(std::time::Duration::from_millis(500))),
        ("tcp_keepalive", |config| config.tcp_keepalive = Some(std::time::Duration::from_secs(36_000))),
        ("connections", |config| config.connections = 0),
        ("max_connections", |config| {
            config.connections = 3;
            config.max_connections = Some(2);
        }),
        ("max_connection_age", |config| config.max_connection_age = Some(std::time::Duration::ZERO)),
        ("idle_timeout", |config| config.idle_timeout = std::time::Duration::ZERO),
        ("eject_after", |config| config.eject_after = Some(0)),
        ("max_ejection_time", |config| config.max_ejection_time = std::time::Duration::from_secs(1)),
        ("max_request_bytes", |config| config.max_request_bytes = 0),
        ("stream_window_bytes", |config| config.stream_window_bytes = u32::MAX),
        ("header \"a b\"", |config| config.headers.push(("a b".into(), "c".into()))),
        ("header \"Content-Type\"", |config| config.headers.push(("Content-Type".into(), "c".into()))),
        ("user agent", |config| config.user_agent = Some("a\nb".into())),
        ("signal_endpoints", |config| {
            config.signal_endpoints[Signal::Logs.index()] = Some("http://logs.example".into());
        }),
        #[cfg(not(feature = "tls"))]
        ("feature \"tls\"", |config| config.endpoint = "https://collector.example".into()),
        #[cfg(feature = "tls")]
        ("TLS setting server_name", |config| {
            config.endpoint = "https://collector.example".into();
            config.tls.server_name = Some("-".into());
        }),
        ("proxy \"..@p\"", |config| {
            config.endpoint = "http://collector.example".into();
            config.proxy.http = Some("socks5://me:secret@p".into());
        }),
    ];
    for (names, change) in changes {
        let mut config = ClientConfig::default();
        Client::new(config.clone()).expect("the default is valid");
        change(&mut config);
        let said = Client::new(config).expect_err(names).to_string();
        assert!(said.contains(names), "{names}: {said}");
    }
}

/// Guards secrets in headers against logs.
#[test]
fn header_values_stay_secret() {
    let mut config = ClientConfig::default();
    config.headers.push(("authorization".into(), "Bearer hunter2".into()));
    assert!(!format!("{config:?}").contains("hunter2"));
    let client = Client::new(config.clone()).expect("valid");
    assert!(!format!("{client:?}").contains("hunter2"));
    config.headers.push(("x-key".into(), "hunter2\n".repeat(2)));
    let error = Client::new(config).expect_err("line breaks");
    assert!(matches!(error, ConfigError::Header { .. }) && !format!("{error:?} {error}").contains("hunter2"));
}

/// Guards headers that make a request unsendable over HTTP/2, or its answer unreadable.
#[test]
fn headers_of_the_connection_are_refused() {
    for name in ["keep-alive", "proxy-connection", "http2-settings", "Accept-Encoding", "connection", "te"] {
        let mut config = ClientConfig::default();
        config.headers.push((name.into(), "1".into()));
        let error = Client::new(config).expect_err(name);
        assert!(error.to_string().contains("set by the client itself"), "{error}");
    }
}
