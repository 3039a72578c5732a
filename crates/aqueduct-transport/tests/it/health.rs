//! Health checks and watches, against servers that say how they are, servers that cannot, and those that are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aqueduct_transport::{
    Client, ClientConfig, FailureKind, HeaderFuture, HeaderProvider, HeaderSource, Health, HealthChecker,
    HealthConfig, HealthSource, HealthState, Outcome, Protocol, ProvidedHeaders,
};
use aqueduct_wire::Signal;
use aqueduct_wire::grpc::prefix;
use aqueduct_wire::rpc::Code;
use aqueduct_wire::rpc::health::{CHECK_PATH, ServingStatus, decode_request, encode_response};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::batches::{client, config, small};
use crate::grpc_server::{Call, GrpcServer, head, status};
use crate::http_server::{HttpServer, PROTOBUF, answer};
use crate::watch::Watcher;

pub(crate) fn framed(status: ServingStatus) -> Bytes {
    let message = encode_response(status);
    [&prefix(message.len() as u32, false)[..], &message].concat().into()
}

pub(crate) fn path(call: &Call) -> String {
    call.request.uri().path().to_owned()
}

/// Settings with which nothing takes long.
pub(crate) fn quick() -> HealthConfig {
    let mut config = HealthConfig::default();
    config.interval = Duration::from_millis(100);
    config.backoff.initial = Duration::from_millis(10);
    config
}

pub(crate) fn checker(config: ClientConfig, health: HealthConfig) -> HealthChecker {
    HealthChecker::with_config(Client::new(config).expect("valid"), health).expect("valid")
}

#[track_caller]
pub(crate) fn assert_is(health: &Health, state: HealthState, source: HealthSource) {
    assert_eq!((health.state, health.source), (state, source), "{health}");
}

fn kind(health: &Health) -> Option<FailureKind> {
    health.failure.as_ref().map(|failure| failure.kind)
}

/// A server whose checks are answered with this, in order; the last for ever.
async fn saying(codes: &'static [(u32, Option<ServingStatus>)]) -> GrpcServer {
    GrpcServer::start(move |mut call| async move {
        call.body().await;
        let (code, said) = codes[call.number.min(codes.len() - 1)];
        call.answer(&said.map(framed).unwrap_or_default(), status(code));
    })
    .await
}

/// Guards the protocol's answers, each as what it means, on one connection.
#[tokio::test]
async fn a_check_says_what_the_server_says() {
    use HealthState::{NotServing, Refused, ServiceUnknown, Serving, Unknown, WrongEndpoint};
    const CODES: &[(u32, Option<ServingStatus>)] = &[
        (0, Some(ServingStatus::Serving)),
        (0, Some(ServingStatus::NotServing)),
        (0, Some(ServingStatus::Unknown)),
        (0, Some(ServingStatus::ServiceUnknown)),
        (0, None),
        (5, None),
        (7, None),
        (14, None),
        (16, None),
        (3, None),
    ];
    let server = saying(CODES).await;
    let checker = checker(config(server.address, Protocol::Grpc), quick());
    for (state, code) in [
        (Serving, None),
        (NotServing, None),
        (Unknown, None),
        (ServiceUnknown, None),
        (WrongEndpoint, Some(FailureKind::Protocol)),
        (ServiceUnknown, Some(FailureKind::Status(Code::NotFound))),
        (Refused, Some(FailureKind::Status(Code::PermissionDenied))),
        (NotServing, Some(FailureKind::Status(Code::Unavailable))),
        (Refused, Some(FailureKind::Status(Code::Unauthenticated))),
        (Unknown, Some(FailureKind::Status(Code::InvalidArgument))),
    ] {
        let health = checker.check().await;
        assert_is(&health, state, HealthSource::Check);
        assert_eq!(kind(&health), code, "{health}");
        assert_eq!(health.is_serving(), state == Serving);
        assert!(health.latency > Duration::ZERO);
    }
    assert_eq!(server.connections(), 1);
}

/// Guards what a check sends: the call of the protocol, with the client's headers, about the service that was asked for,
/// beside the client's own requests on one connection, and in none of its counts.
#[tokio::test]
async fn a_check_goes_the_client_s_way() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = GrpcServer::start(move |mut call| {
        let tell = tell.clone();
        async move {
            let body = call.body().await;
            if path(&call) != CHECK_PATH {
                return call.ok();
            }
            let service = decode_request(&body[5..]).expect("a request");
            let headers = call.request.headers().clone();
            tell.send((call.request.method().clone(), headers, body.len(), service)).expect("heard");
            call.answer(&framed(ServingStatus::Serving), status(0));
        }
    })
    .await;
    let mut config = config(server.address, Protocol::Grpc);
    config.headers.push(("x-tenant".into(), "blue".into()));
    let client = Arc::new(Client::new(config).expect("valid"));
    assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
    for service in ["", "opentelemetry.proto.collector.logs.v1.LogsService"] {
        let mut health = quick();
        health.service = service.into();
        let checker = HealthChecker::with_config(client.clone(), health).expect("valid");
        assert_is(&checker.check().await, HealthState::Serving, HealthSource::Check);
        let (method, headers, len, asked) = told.recv().await.expect("a check");
        assert_eq!((method, asked.as_str()), (http::Method::POST, service));
        assert_eq!(len, 5 + if service.is_empty() { 0 } else { 2 + service.len() });
        assert_eq!(
            (&headers["x-tenant"], &headers["content-type"]),
            (&"blue".parse().unwrap(), &"application/grpc".parse().unwrap())
        );
        assert!(headers.contains_key("grpc-timeout"));
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(client.status().attempts(), 1, "a check is no attempt");
}

/// Guards against asking a server again that has said it cannot answer, and against taking that for an illness: a ping is
/// proof enough, and exports do not happen.
#[tokio::test]
async fn unimplemented_falls_back_to_a_ping() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let server = GrpcServer::start(move |call| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { call.trailers_only(status(12)) }
    })
    .await;
    let checker = checker(config(server.address, Protocol::Grpc), quick());
    for _ in 0..3 {
        let health = checker.check().await;
        assert_is(&health, HealthState::Serving, HealthSource::Connection);
        assert_eq!(health.failure, None);
    }
    assert_eq!(checker.clone().check().await.source, HealthSource::Connection);
    assert_eq!((calls.load(Ordering::Relaxed), server.connections()), (1, 1));
}

/// Guards the last way, for those who want no pings: an export of nothing, of the signal that was chosen.
#[tokio::test]
async fn without_pings_there_is_the_empty_export() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = GrpcServer::start(move |mut call| {
        let tell = tell.clone();
        async move {
            if path(&call) == CHECK_PATH {
                return call.trailers_only(status(12));
            }
            tell.send((path(&call), call.body().await)).expect("heard");
            match call.number {
                1 => call.ok(),
                2 => call.trailers_only(status(14)),
                // Not even exports.
                _ => call.trailers_only(status(12)),
            }
        }
    })
    .await;
    let mut config = config(server.address, Protocol::Grpc);
    config.keepalive_interval = None;
    let mut health = quick();
    health.signal = Signal::Logs;
    let checker = checker(config, health);
    for state in [HealthState::Serving, HealthState::NotServing, HealthState::WrongEndpoint] {
        assert_is(&checker.check().await, state, HealthSource::EmptyExport);
        let (path, body) = told.recv().await.expect("an export");
        assert_eq!((path.as_str(), &body[..]), (Signal::Logs.grpc_path(), &[0; 5][..]));
    }
}

/// Guards against a web server that has no such page and so would be taken for a gRPC server that has no such method, which
/// counts as healthy.
#[tokio::test]
async fn no_such_page_is_not_unimplemented() {
    let server = GrpcServer::start(|mut call| async move {
        let answer = http::Response::builder().status(404).body(()).expect("valid");
        let _ = call.respond.send_response(answer, true);
    })
    .await;
    let health = HealthChecker::new(client(server.address, Protocol::Grpc)).check().await;
    assert_is(&health, HealthState::WrongEndpoint, HealthSource::Check);
    assert_eq!(kind(&health), Some(FailureKind::Http(404)));
}

/// Guards what is no message and no gRPC.
#[tokio::test]
async fn garbage() {
    let server = GrpcServer::start(|mut call| async move {
        match call.number {
            0 => call.answer(&[7, 0, 0, 0, 0], status(0)),
            1 => call.answer(&[0, 0, 0, 0, 2, 255, 255], status(0)),
            2 => call.answer(&[0, 255, 255, 255, 255], status(0)),
            _ => {
                let _ = call.respond.send_response(http::Response::new(()), true);
            }
        }
    })
    .await;
    let checker = HealthChecker::new(client(server.address, Protocol::Grpc));
    for _ in 0..4 {
        let health = checker.check().await;
        assert_is(&health, HealthState::WrongEndpoint, HealthSource::Check);
        assert_eq!(kind(&health), Some(FailureKind::Protocol));
    }
}

/// Guards the word for a peer that is not there, whoever asks.
#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let checker = checker(config(address, protocol), quick());
        let mut watch = checker.watch();
        for health in [checker.check().await, watch.changed().await.expect("the runtime lives")] {
            assert_is(&health, HealthState::Unreachable, HealthSource::Connection);
            assert_eq!(kind(&health), Some(FailureKind::Connect));
            assert!(health.to_string().contains(&address.to_string()), "{health}");
        }
    }
}

/// Guards the time limit at a server that does not answer the call.
#[tokio::test]
async fn a_hanging_server() {
    let server = GrpcServer::start(|call| async move {
        let _kept = call;
        std::future::pending::<()>().await;
    })
    .await;
    let mut config = config(server.address, Protocol::Grpc);
    config.timeout = Duration::from_millis(200);
    let checker = checker(config, quick());
    let started = Instant::now();
    let mut watch = checker.watch();
    assert_is(&checker.check().await, HealthState::Unreachable, HealthSource::Check);
    let health = watch.changed().await.expect("the runtime lives");
    assert_is(&health, HealthState::Unreachable, HealthSource::Watch);
    assert_eq!(kind(&health), Some(FailureKind::Timeout));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

/// Guards against a server that has hung since it said that it cannot tell how it is: a ping that is not answered.
#[tokio::test]
async fn a_server_that_answers_no_ping() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // The preface, then frames, up to the head of the call.
                let mut read = [0; 24];
                stream.read_exact(&mut read).await.expect("the preface");
                loop {
                    let mut head = [0; 9];
                    stream.read_exact(&mut head).await.expect("a frame");
                    let len = usize::from(head[1]) << 8 | usize::from(head[2]);
                    stream.read_exact(&mut vec![0; len]).await.expect("its payload");
                    if head[3] == 1 {
                        break;
                    }
                }
                // SETTINGS, then the end of stream 1: status 200, grpc-status 12.
                let block = b"\x88\x00\x0bgrpc-status\x0212";
                let mut frames = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
                frames.extend([0, 0, block.len() as u8, 1, 5, 0, 0, 0, 1]);
                frames.extend(block);
                stream.write_all(&frames).await.expect("written");
                let mut ignored = vec![0; 1 << 10];
                while stream.read(&mut ignored).await.is_ok_and(|n| n > 0) {}
            });
        }
    });
    let mut config = config(address, Protocol::Grpc);
    config.timeout = Duration::from_millis(300);
    let health = checker(config, quick()).check().await;
    assert_is(&health, HealthState::Unreachable, HealthSource::Connection);
    assert_eq!(kind(&health), Some(FailureKind::Timeout));
}

/// Guards what each HTTP status means, what is sent for it, and that it does not count.
#[tokio::test]
async fn http_statuses() {
    use HealthState::{NotServing, Refused, Serving, Unknown, WrongEndpoint};
    let server = HttpServer::answering(|request| {
        assert_eq!((request.path(), request.header("content-length")), ("/v1/metrics", Some("0")));
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        let status = request.header("x-status").expect("sent").parse().expect("a number");
        answer(status, PROTOBUF, b"")
    })
    .await;
    for (status, state) in [
        (200, Serving),
        (202, Serving),
        (301, WrongEndpoint),
        (400, Unknown),
        (401, Refused),
        (403, Refused),
        (404, WrongEndpoint),
        (405, WrongEndpoint),
        (413, Unknown),
        (429, NotServing),
        (500, NotServing),
        (503, NotServing),
    ] {
        let mut config = config(server.address, Protocol::HttpProtobuf);
        config.headers.push(("x-status".into(), status.to_string()));
        let client = Arc::new(Client::new(config).expect("valid"));
        let mut health = quick();
        health.signal = Signal::Metrics;
        let checker = HealthChecker::with_config(client.clone(), health).expect("valid");
        let health = checker.check().await;
        assert_is(&health, state, HealthSource::EmptyExport);
        assert_eq!(kind(&health), (state != Serving).then_some(FailureKind::Http(status)));
        assert_eq!(client.status().attempts(), 0);
    }
}

/// Guards OTLP/JSON, whose empty message is not of no length.
#[cfg(feature = "json")]
#[tokio::test]
async fn an_empty_export_in_json() {
    let server = HttpServer::answering(|request| {
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.body, b"{}");
        answer(200, "content-type: application/json\r\n", b"{}")
    })
    .await;
    let health = HealthChecker::new(client(server.address, Protocol::HttpJson)).check().await;
    assert_is(&health, HealthState::Serving, HealthSource::EmptyExport);
}

/// Guards the promise never to panic and never to wait for ever: without a runtime both say so.
#[test]
fn outside_a_runtime() {
    let checker = HealthChecker::new(client("127.0.0.1:1".parse().expect("an address"), Protocol::Grpc));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let check = std::pin::pin!(checker.check());
    let std::task::Poll::Ready(health) = check.poll(&mut context) else { panic!("nothing to wait for") };
    assert!(health.to_string().contains("runtime"), "{health}");
    let mut watch = checker.watch();
    for expected in [Some(health), None] {
        let changed = std::pin::pin!(watch.changed());
        assert_eq!(changed.poll(&mut context), std::task::Poll::Ready(expected));
    }
}

/// Gives another token each time: `token 0`, `token 1`.
struct Tokens(AtomicUsize);

impl HeaderProvider for Tokens {
    fn fetch(&self) -> HeaderFuture<'_> {
        let token = format!("token {}", self.0.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move { Ok(ProvidedHeaders::new(vec![("authorization".to_owned(), token)])) })
    }
}

/// Guards credentials that have expired: they are renewed once, for checks and watches as for sends.
#[tokio::test]
async fn credentials_are_renewed() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let server = GrpcServer::start(move |mut call| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            if call.request.headers()["authorization"] == "token 0" {
                return call.trailers_only(status(16));
            }
            if path(&call) == CHECK_PATH {
                return call.answer(&framed(ServingStatus::Serving), status(0));
            }
            let stream = call.respond.send_response(head(), false).expect("open");
            let mut watcher = Watcher { call, stream };
            watcher.say(ServingStatus::Serving);
            watcher.reset().await;
        }
    })
    .await;
    for watch in [false, true] {
        calls.store(0, Ordering::Relaxed);
        let mut config = config(server.address, Protocol::Grpc);
        config.header_source = Some(HeaderSource::new(Tokens(AtomicUsize::new(0))));
        let checker = checker(config, HealthConfig::default());
        let health = match watch {
            false => checker.check().await,
            true => checker.watch().changed().await.expect("the runtime lives"),
        };
        let source = if watch { HealthSource::Watch } else { HealthSource::Check };
        assert_is(&health, HealthState::Serving, source);
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }
}

/// Guards servers that learn the protocol while we live: behind another connection they are asked once more.
#[tokio::test]
async fn another_connection_is_asked_again() {
    // A goodbye after each call.
    let server = GrpcServer::start_with(h2::server::Builder::new(), 1, |call| async move {
        match call.number {
            0 => call.trailers_only(status(12)),
            _ => call.answer(&framed(ServingStatus::NotServing), status(0)),
        }
    })
    .await;
    let checker = checker(config(server.address, Protocol::Grpc), quick());
    assert_is(&checker.check().await, HealthState::Serving, HealthSource::Connection);
    // Whenever the goodbye has arrived.
    let asked = async {
        loop {
            let health = checker.check().await;
            if health.source == HealthSource::Check {
                return health.state;
            }
            tokio::task::yield_now().await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(20), asked).await;
    assert_eq!(asked, Ok(HealthState::NotServing));
}
