//! How connections come, are shared, and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_transport::{Client, FailureKind, Outcome, Protocol};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::batches::{client, config, of, retry, small, text};
use crate::grpc_server::GrpcServer;
use crate::http_server::{HttpServer, PROTOBUF, answer};

async fn good_grpc_server() -> GrpcServer {
    GrpcServer::start(|mut call| async move {
        call.body().await;
        call.ok();
    })
    .await
}

/// Guards laziness: building a client needs no runtime, and touches no network.
#[test]
fn a_client_is_built_without_a_runtime() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let client = client("127.0.0.1:1".parse().expect("an address"), protocol);
        assert!(!client.status().connected);
    }
}

/// Guards the promise never to panic: outside a runtime a send fails in words.
#[test]
fn a_send_outside_a_runtime_fails() {
    let client = client("127.0.0.1:1".parse().expect("an address"), Protocol::Grpc);
    let request = client.prepare(&small("x"));
    let send = std::pin::pin!(client.send(&request));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(outcome) = send.poll(&mut context) else { panic!("nothing to wait for") };
    assert!(retry(outcome).message.contains("runtime"));
}

/// Guards the classification of a peer that is not there, and its recovery.
#[tokio::test]
async fn connection_refused_then_there() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let client = client(address, protocol);
        let request = client.prepare(&small("x"));
        for _ in 0..2 {
            let failure = retry(client.send(&request).await);
            assert_eq!(failure.kind, FailureKind::Connect);
            assert!(!failure.outcome_unknown);
            assert!(failure.message.contains(&address.to_string()), "{failure}");
        }
        let status = client.status();
        assert!(!status.connected && status.connect_failures == 2);
    }
}

/// Guards names: looked up when connecting, an unknown one is a failure to connect, `localhost` finds the address that
/// listens.
#[tokio::test]
async fn names_are_looked_up() {
    let server = good_grpc_server().await;
    let mut config = config(server.address, Protocol::Grpc);
    config.endpoint = format!("localhost:{}", server.address.port());
    let client = Client::new(config.clone()).expect("valid");
    assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);

    config.endpoint = "http://no-such-host.invalid:4317".into();
    let client = Client::new(config).expect("valid");
    assert_eq!(retry(client.send(&client.prepare(&small("x"))).await).kind, FailureKind::Connect);
}

/// Guards the spread over several HTTP/2 connections.
#[tokio::test]
async fn connections_are_used_in_turn() {
    let server = good_grpc_server().await;
    let mut config = config(server.address, Protocol::Grpc);
    config.connections = 3;
    let client = Client::new(config).expect("valid");
    let request = client.prepare(&small("x"));
    for _ in 0..9 {
        assert_eq!(client.send(&request).await, Outcome::Delivered);
    }
    assert_eq!(server.connections(), 3);
    assert_eq!(client.status().connections, 3);
}

/// Guards against a connection that outlives its client.
#[tokio::test]
async fn connections_end_with_their_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let mut config = config(listener.local_addr().expect("bound"), protocol);
        config.timeout = Duration::from_millis(100);
        let client = Client::new(config).expect("valid");
        let request = client.prepare(&small("x"));
        let (_, accepted) = tokio::join!(client.send(&request), listener.accept());
        let (mut stream, _) = accepted.expect("a connection");
        drop(client);
        let mut all = Vec::new();
        // Long before a keepalive ping could have ended it.
        let end = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut all)).await;
        assert!(end.is_ok(), "{protocol:?}: the connection is still open");
        assert!(!all.is_empty());
    }
}

/// Guards a server that closes its connections in an orderly way (GOAWAY), as load balancers make them: no send fails.
#[tokio::test]
async fn graceful_goaway_costs_nothing() {
    let server = GrpcServer::start_with(h2::server::Builder::new(), 5, |mut call| async move {
        call.body().await;
        call.ok();
    })
    .await;
    let client = client(server.address, Protocol::Grpc);
    let request = client.prepare(&small("x"));
    let mut refused = 0;
    for _ in 0..50 {
        match client.send(&request).await {
            Outcome::Delivered => {}
            // A stream opened in the moment in which the goodbye is on its way.
            Outcome::Retry { failure, .. } if failure.kind == FailureKind::Refused => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(refused <= 10, "{refused}");
    assert!(server.connections() >= 9, "{server:?}");
}

/// Guards a connection that the server is closing while a long call is still on it: new calls go elsewhere, and the long
/// one ends in peace.
#[tokio::test]
async fn a_draining_connection_gets_no_new_calls() {
    let (arrived, release) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (tell, wait) = (arrived.clone(), release.clone());
    let server = GrpcServer::start_with(h2::server::Builder::new(), 1, move |mut call| {
        let (tell, wait) = (tell.clone(), wait.clone());
        async move {
            call.body().await;
            if call.number == 0 {
                tell.notify_one();
                wait.notified().await;
            }
            call.ok();
        }
    })
    .await;
    let client = Arc::new(client(server.address, Protocol::Grpc));
    let request = client.prepare(&small("x"));
    let long = tokio::spawn({
        let (client, request) = (client.clone(), request.clone());
        async move { client.send(&request).await }
    });
    arrived.notified().await;
    // The goodbye may still be on its way; then a send is refused, and the next is not.
    let mut outcomes = Vec::new();
    while outcomes.last() != Some(&Outcome::Delivered) {
        outcomes.push(client.send(&request).await);
        assert!(outcomes.len() < 5, "{outcomes:?}");
    }
    assert_eq!(server.connections(), 2);
    release.notify_one();
    assert_eq!(long.await.expect("no panic"), Outcome::Delivered);
}

/// Guards keep-alive connections against servers that close them between requests: the next send opens a new one.
#[tokio::test]
async fn http_connections_closed_while_idle() {
    let server = HttpServer::start(|mut peer| async move {
        let _ = peer.request().await;
        peer.write(&answer(200, PROTOBUF, b"")).await;
        // Closed without a word.
    })
    .await;
    let client = client(server.address, Protocol::HttpProtobuf);
    let request = client.prepare(&small("x"));
    for n in 0..20 {
        let outcome = client.send(&request).await;
        assert_eq!(outcome, Outcome::Delivered, "request {n}");
        // The close is on its way already; this lets the connection's task see it.
        while client.status().connected {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.connections(), 20);
}

/// Guards the second try: a kept connection that ends while a large body is under way cannot have delivered it, so the
/// same goes over a fresh one at once. After a complete body it is the caller who decides.
#[tokio::test]
async fn stale_http_connections() {
    let server = HttpServer::start(|mut peer| async move {
        if peer.number > 0 {
            while peer.request().await.is_some() {
                peer.write(&answer(200, PROTOBUF, b"")).await;
            }
            return;
        }
        let _ = peer.request().await;
        peer.write(&answer(200, PROTOBUF, b"")).await;
        // Takes the head of the second request and goes.
        let _ = peer.head().await;
    })
    .await;
    let client = client(server.address, Protocol::HttpProtobuf);
    assert_eq!(client.send(&client.prepare(&small("x"))).await, Outcome::Delivered);
    let large = client.prepare(&of((0..1000).map(|n| text(20_000, n))));
    assert_eq!(client.send(&large).await, Outcome::Delivered);
    assert_eq!(server.connections(), 2);

    let server = HttpServer::start(|mut peer| async move {
        let _ = peer.request().await;
        peer.write(&answer(200, PROTOBUF, b"")).await;
        let _ = peer.request().await;
    })
    .await;
    let client = self::client(server.address, Protocol::HttpProtobuf);
    let request = client.prepare(&small("x"));
    assert_eq!(client.send(&request).await, Outcome::Delivered);
    let failure = retry(client.send(&request).await);
    assert_eq!(failure.kind, FailureKind::Reset);
    assert!(failure.outcome_unknown);
    assert_eq!(server.connections(), 1);
}

/// Guards the number of HTTP/1.1 connections: one per concurrent send, used again, closed when idle for too long.
#[tokio::test]
async fn http_connections_are_kept_and_age() {
    let server = HttpServer::answering(|_| answer(200, PROTOBUF, b"")).await;
    let mut config = config(server.address, Protocol::HttpProtobuf);
    config.idle_timeout = Duration::from_millis(50);
    let client = Arc::new(Client::new(config).expect("valid"));
    let request = client.prepare(&small(text(10_000, 1)));
    for round in 0..5 {
        let sends: Vec<_> = (0..8)
            .map(|_| {
                let (client, request) = (client.clone(), request.clone());
                tokio::spawn(async move { client.send(&request).await })
            })
            .collect();
        for send in sends {
            assert_eq!(send.await.expect("no panic"), Outcome::Delivered);
        }
        assert!(server.connections() <= 8, "round {round}: {}", server.connections());
    }
    let before = server.connections();
    // Real time, because what ages is real connections.
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(client.send(&request).await, Outcome::Delivered);
    assert_eq!(server.connections(), before + 1);
}

/// Guards against a connection that died without a word: the ping finds out long before the attempt's time is up.
#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut config = config(listener.local_addr().expect("bound"), Protocol::Grpc);
    config.keepalive_interval = Some(Duration::from_millis(100));
    config.keepalive_timeout = Duration::from_millis(100);
    let client = Client::new(config).expect("valid");
    let started = Instant::now();
    let failure = retry(client.send(&client.prepare(&small("x"))).await);
    assert_eq!(failure.kind, FailureKind::Reset);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // The task ends right after it has failed the call.
    while client.status().connected {
        tokio::task::yield_now().await;
    }
}

/// Guards a good connection against its own pings.
#[tokio::test]
async fn an_idle_connection_is_kept() {
    let server = good_grpc_server().await;
    let mut config = config(server.address, Protocol::Grpc);
    config.keepalive_interval = Some(Duration::from_millis(100));
    config.keepalive_timeout = Duration::from_secs(5);
    let client = Client::new(config).expect("valid");
    let request = client.prepare(&small("x"));
    for _ in 0..3 {
        assert_eq!(client.send(&request).await, Outcome::Delivered);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(server.connections(), 1);
    assert!(client.status().connected);
}

/// Guards a client that outlives the runtime it was first used on.
#[test]
fn a_client_moves_to_another_runtime() {
    let servers =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let grpc = servers.block_on(good_grpc_server());
    let http = servers.block_on(HttpServer::answering(|_| answer(200, PROTOBUF, b"")));
    for (address, protocol) in [(grpc.address, Protocol::Grpc), (http.address, Protocol::HttpProtobuf)] {
        let client = client(address, protocol);
        let request = client.prepare(&small("x"));
        for _ in 0..3 {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("descriptors");
            assert_eq!(runtime.block_on(client.send(&request)), Outcome::Delivered, "{protocol:?}");
        }
    }
}

/// Guards the settings that are promised on the wire: windows and header list.
#[tokio::test]
async fn http2_settings_are_on_the_wire() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut config = config(listener.local_addr().expect("bound"), Protocol::Grpc);
    config.timeout = Duration::from_millis(200);
    let client = Client::new(config).expect("valid");
    let request = client.prepare(&small("x"));
    let (_, accepted) = tokio::join!(client.send(&request), listener.accept());
    drop(client);
    let (mut stream, _) = accepted.expect("a connection");
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    let settings = all.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("the preface");
    let len = usize::from(settings[2]);
    let (frame, rest) = settings[9..].split_at(len);
    let has = |id: u16, value: u32| {
        let entry = [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        frame.chunks(6).any(|chunk| chunk == entry)
    };
    assert!(has(2, 0), "no push: {frame:?}");
    assert!(has(4, 512 << 10), "stream window: {frame:?}");
    assert!(has(6, 16 << 10), "header list: {frame:?}");
    let window = ((1_u32 << 20) - 65_535).to_be_bytes();
    assert!(rest.windows(13).any(|frame| frame[3] == 8 && frame[5..9] == [0; 4] && frame[9..] == window));
}
