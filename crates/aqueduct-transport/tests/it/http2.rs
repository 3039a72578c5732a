//! OTLP/HTTP over HTTP/2 with prior knowledge.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_transport::{Client, Compression, FailureKind, HttpVersion, Outcome, Protocol};
use bytes::Bytes;
use http::Response;

use crate::batches::{config, of, permanent, retry, small, text};
use crate::grpc_server::{Call, GrpcServer};

fn client(address: std::net::SocketAddr) -> Client {
    let mut config = config(address, Protocol::HttpProtobuf);
    config.http_version = HttpVersion::Http2;
    Client::new(config).expect("valid")
}

/// Answers with this status, these headers and this body.
fn answer(mut call: Call, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = Response::builder().status(status);
    for (name, value) in headers {
        head = head.header(*name, *value);
    }
    let Ok(mut stream) = call.respond.send_response(head.body(()).expect("valid"), body.is_empty()) else {
        return;
    };
    if !body.is_empty() {
        let _ = stream.send_data(Bytes::copy_from_slice(body), true);
    }
}

/// Guards bodies of every shape byte by byte, and the heads that go with them.
#[tokio::test]
async fn bytes_received_are_bytes_sent() {
    let received = Arc::new(Mutex::new(Vec::new()));
    let seen = received.clone();
    let server = GrpcServer::start(move |mut call| {
        let seen = seen.clone();
        async move {
            let body = call.body().await;
            let head = call.request.headers().clone();
            let uri = call.request.uri().to_string();
            seen.lock().expect("no panic").push((uri, head, body));
            answer(call, 200, &[("content-type", "application/x-protobuf")], b"");
        }
    })
    .await;
    let client = client(server.address);
    let shapes: Vec<Vec<Vec<u8>>> = vec![
        vec![],
        vec![b"x".to_vec()],
        vec![text(5, 1), text(70_000, 2), text(1, 3)],
        (0..300).map(|n| text(10_000, n)).collect(),
    ];
    for pieces in shapes {
        let whole = pieces.concat();
        let request = client.prepare(&of(pieces));
        assert_eq!(client.send(&request).await, Outcome::Delivered);
        let (uri, head, body) = received.lock().expect("no panic").pop().expect("arrived");
        assert!(body == whole, "{} bytes of {}", body.len(), whole.len());
        assert_eq!(uri, format!("http://{}/v1/traces", server.address));
        assert_eq!(head["content-length"], whole.len().to_string());
        assert_eq!(head["content-type"], "application/x-protobuf");
        assert!(!head.contains_key("host") && !head.contains_key("te"), "{head:?}");
    }
    assert_eq!(server.connections(), 1);

    let mut config = config(server.address, Protocol::HttpProtobuf);
    config.http_version = HttpVersion::Http2;
    config.compression = Compression::Zstd(1);
    let client = Client::new(config).expect("valid");
    let plain = text(100_000, 7);
    assert_eq!(client.send(&client.prepare(&small(plain.clone()))).await, Outcome::Delivered);
    let (_, head, body) = received.lock().expect("no panic").pop().expect("arrived");
    assert_eq!(head["content-encoding"], "zstd");
    assert_eq!(zstd::decode_all(&body[..]).expect("a frame"), plain);
}

/// Guards the specification's table: over HTTP/2 a status means what it means over HTTP/1.1.
#[tokio::test]
async fn statuses_are_classified() {
    let server = GrpcServer::start(|mut call| async move {
        let body = call.body().await;
        match &body[..] {
            b"busy" => answer(call, 503, &[("retry-after", "7")], b""),
            b"bad" => answer(call, 400, &[("content-type", "text/plain")], b"no thanks"),
            b"large" => answer(call, 413, &[], b""),
            b"page" => answer(call, 200, &[("content-type", "text/html")], b"<html>"),
            b"partial" => {
                // ExportTracePartialSuccess { rejected_spans: 3 }.
                answer(call, 200, &[("content-type", "application/x-protobuf")], &[0x0a, 2, 0x08, 3]);
            }
            b"endless" => answer(call, 200, &[], &vec![0; 5 << 20]),
            b"cut off" => {
                let head = Response::builder().status(503).body(()).expect("valid");
                let mut stream = call.respond.send_response(head, false).expect("open");
                // A reset overtakes what the connection's task has not written yet.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                stream.send_reset(h2::Reason::INTERNAL_ERROR);
            }
            b"refused" => call.respond.send_reset(h2::Reason::REFUSED_STREAM),
            _ => call.respond.send_reset(h2::Reason::INTERNAL_ERROR),
        }
    })
    .await;
    let client = client(server.address);
    let send = async |order: &str| client.send(&client.prepare(&small(order))).await;
    let Outcome::Retry { after, failure } = send("busy").await else { panic!("busy") };
    assert_eq!((after, failure.kind), (Some(Duration::from_secs(7)), FailureKind::Http(503)));
    let failure = permanent(send("bad").await);
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Http(400), "no thanks"));
    assert!(matches!(send("large").await, Outcome::TooLarge(_)));
    assert_eq!(permanent(send("page").await).kind, FailureKind::Protocol);
    assert!(matches!(send("partial").await, Outcome::Partial { rejected: 3, .. }));
    assert_eq!(permanent(send("endless").await).kind, FailureKind::ResponseTooLarge);
    assert_eq!(retry(send("cut off").await).kind, FailureKind::Http(503));
    let failure = retry(send("refused").await);
    assert_eq!((failure.kind, failure.outcome_unknown), (FailureKind::Refused, false));
    let failure = retry(send("reset").await);
    assert_eq!((failure.kind, failure.outcome_unknown), (FailureKind::Reset, true));
    assert_eq!(server.connections(), 1);
}

/// Guards the point of HTTP/2: many requests at once on one connection.
#[tokio::test]
async fn sixty_four_sends_on_one_connection() {
    let together = Arc::new(tokio::sync::Barrier::new(64));
    let server = GrpcServer::start(move |mut call| {
        let together = together.clone();
        async move {
            call.body().await;
            // Nobody is answered before all are there.
            together.wait().await;
            answer(call, 200, &[], b"");
        }
    })
    .await;
    let client = Arc::new(client(server.address));
    let sends: Vec<_> = (0..64)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.send(&client.prepare(&small(text(10_000, n)))).await })
        })
        .collect();
    for send in sends {
        assert_eq!(send.await.expect("no panic"), Outcome::Delivered);
    }
    assert_eq!(server.connections(), 1);
}

/// Guards the limit that a server sets: sends beyond it go over more connections, up to the maximum, and wait there.
#[tokio::test]
async fn used_up_streams_open_more_connections() {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(2);
    let now = Arc::new(AtomicUsize::new(0));
    let (release, released) = tokio::sync::watch::channel(false);
    let arrived = now.clone();
    let server = GrpcServer::start_with(builder, usize::MAX, move |mut call| {
        let (arrived, mut released) = (arrived.clone(), released.clone());
        async move {
            call.body().await;
            arrived.fetch_add(1, Ordering::Relaxed);
            let _ = released.wait_for(|released| *released).await;
            answer(call, 200, &[], b"");
        }
    })
    .await;
    let mut config = config(server.address, Protocol::HttpProtobuf);
    config.http_version = HttpVersion::Http2;
    config.max_connections = Some(3);
    let client = Arc::new(Client::new(config).expect("valid"));
    let send = || {
        let client = client.clone();
        tokio::spawn(async move { client.send(&client.prepare(&small("x"))).await })
    };
    // One after the other, so that the server's limit is known by then.
    let mut sends = Vec::new();
    for count in 1..=6 {
        sends.push(send());
        while now.load(Ordering::Relaxed) < count {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.connections(), 3);
    sends.extend((0..4).map(|_| send()));
    release.send_replace(true);
    for send in sends {
        assert_eq!(send.await.expect("no panic"), Outcome::Delivered);
    }
    assert_eq!(server.connections(), 3);
}

/// Guards a peer that speaks HTTP/1.1 only: said in time, and as what it is.
#[tokio::test]
async fn a_peer_without_http2() {
    let server = crate::http_server::HttpServer::start(|mut peer| async move {
        let _ = peer.head().await;
        peer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await;
    })
    .await;
    let failure = retry(client(server.address).send(&client(server.address).prepare(&small("x"))).await);
    assert!(matches!(failure.kind, FailureKind::Protocol | FailureKind::Reset), "{failure:?}");
}
