//! gRPC servers that misbehave: every send ends in time, with bounded memory, and is classified.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aqueduct_transport::{Client, FailureKind, Outcome, Protocol};
use bytes::Bytes;
use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::batches::{client, config, of, permanent, retry, small, text};
use crate::grpc_server::{GrpcServer, head, status};

/// Guards memory against an answer without an end.
#[tokio::test]
async fn endless_response() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let server = GrpcServer::start(move |mut call| {
        let sent = counted.clone();
        async move {
            let mut stream = call.respond.send_response(head(), false).expect("open");
            loop {
                stream.reserve_capacity(64 << 10);
                match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
                    Some(Ok(room)) => {
                        sent.fetch_add(room, Ordering::Relaxed);
                        if stream.send_data(Bytes::from(vec![0; room]), false).is_err() {
                            return;
                        }
                    }
                    _ => return,
                }
            }
        }
    })
    .await;
    let client = client(server.address, Protocol::Grpc);
    let failure = permanent(client.send(&client.prepare(&small("x"))).await);
    assert_eq!(failure.kind, FailureKind::ResponseTooLarge);
    // The limit of 4 MiB and what was in the windows.
    assert!(sent.load(Ordering::Relaxed) < 6 << 20, "{sent:?}");
}

/// Guards memory against trailers without measure.
#[tokio::test]
async fn giant_trailers() {
    let server = GrpcServer::start(|mut call| async move {
        let body = call.body().await;
        let order = String::from_utf8_lossy(&body[5..]).into_owned();
        let (place, size) = order.split_once(' ').expect("two words");
        let mut trailers = status(14);
        let details = "x".repeat(size.parse().expect("a size"));
        trailers.insert("grpc-status-details-bin", details.parse().expect("valid"));
        match place {
            "head" => call.trailers_only(trailers),
            _ => call.answer(&[], trailers),
        }
    })
    .await;
    let client = client(server.address, Protocol::Grpc);
    let send = async |order: &str| client.send(&client.prepare(&small(order))).await;
    // Within the limit, and no valid details: the status still counts.
    let unavailable = FailureKind::Status(aqueduct_wire::rpc::Code::Unavailable);
    assert_eq!(retry(send("trailers 10000").await).kind, unavailable);
    // Of trailers beyond it h2 keeps what came before the limit, which is the status.
    assert_eq!(retry(send("trailers 20000").await).kind, unavailable);
    // For a head beyond it h2 gives up the stream, and would again.
    assert_eq!(permanent(send("head 20000").await).kind, FailureKind::Protocol);
    // Far beyond it h2 gives up the connection, and with it calls that can do nothing for it.
    let failure = retry(send("trailers 200000").await);
    assert_eq!(failure.kind, FailureKind::Protocol);
    assert!(failure.message.len() <= aqueduct_transport::Failure::MAX_MESSAGE);
}

/// Guards the deadline against an answer that comes one byte at a time.
#[tokio::test]
async fn slow_bytes() {
    let server = GrpcServer::start(|mut call| async move {
        let mut stream = call.respond.send_response(head(), false).expect("open");
        while stream.send_data(Bytes::from_static(&[0]), false).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let mut config = config(server.address, Protocol::Grpc);
    config.timeout = Duration::from_millis(300);
    let client = Client::new(config).expect("valid");
    let started = Instant::now();
    let failure = retry(client.send(&client.prepare(&small("x"))).await);
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.outcome_unknown);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

/// Guards the deadline against a server that reads the request, or not even that, and never answers.
#[tokio::test]
async fn accepts_and_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut config = config(listener.local_addr().expect("bound"), Protocol::Grpc);
    config.timeout = Duration::from_millis(200);
    let client = Client::new(config).expect("valid");
    for batch in [small("x"), of((0..100).map(|n| text(100_000, n)))] {
        let started = Instant::now();
        let failure = retry(client.send(&client.prepare(&batch)).await);
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert!(failure.outcome_unknown);
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
}

/// Guards the streams of other calls, and the server's work, when a caller gives up: the stream is reset, the connection
/// stays.
#[tokio::test]
async fn a_dropped_send_resets_its_stream_only() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = GrpcServer::start(move |mut call| {
        let tell = tell.clone();
        async move {
            if call.number > 0 {
                call.body().await;
                return call.ok();
            }
            let reason = std::future::poll_fn(|cx| call.respond.poll_reset(cx)).await;
            tell.send(reason.expect("a reset")).expect("the test waits");
        }
    })
    .await;
    let client = client(server.address, Protocol::Grpc);
    let request = client.prepare(&small(text(1 << 20, 1)));
    let sent = tokio::time::timeout(Duration::from_millis(200), client.send(&request)).await;
    assert!(sent.is_err(), "dropped before its end");
    assert_eq!(told.recv().await, Some(Reason::CANCEL));
    assert_eq!(client.send(&request).await, Outcome::Delivered);
    assert_eq!(server.connections(), 1);
}

/// Guards the classification of resets: a refusal is known not to have been processed, anything else is unknown.
#[tokio::test]
async fn reset_streams() {
    let server = GrpcServer::start(|mut call| async move {
        let reason =
            call.request.headers()["x-reason"].to_str().expect("ASCII").parse::<u32>().expect("a number");
        // In the middle of the body.
        let _ = call.request.body_mut().data().await;
        call.respond.send_reset(Reason::from(reason));
    })
    .await;
    for (reason, kind, unknown) in [
        (Reason::REFUSED_STREAM, FailureKind::Refused, false),
        (Reason::INTERNAL_ERROR, FailureKind::Reset, true),
        (Reason::CANCEL, FailureKind::Reset, true),
        (Reason::ENHANCE_YOUR_CALM, FailureKind::Reset, true),
        (Reason::PROTOCOL_ERROR, FailureKind::Reset, true),
    ] {
        let mut config = config(server.address, Protocol::Grpc);
        config.headers.push(("x-reason".into(), u32::from(reason).to_string()));
        let client = Client::new(config).expect("valid");
        let failure = retry(client.send(&client.prepare(&small(text(5 << 20, 1)))).await);
        assert_eq!((failure.kind, failure.outcome_unknown), (kind, unknown), "{reason:?}");
    }
}

/// Guards an answer that comes before the body was read: it is the answer.
#[tokio::test]
async fn an_early_answer_counts() {
    let server = GrpcServer::start(|call| async move {
        let mut headers = status(8);
        headers.insert("grpc-message", "message larger than max".parse().expect("valid"));
        call.trailers_only(headers);
    })
    .await;
    let client = client(server.address, Protocol::Grpc);
    let outcome = client.send(&client.prepare(&small(text(20 << 20, 1)))).await;
    assert!(matches!(outcome, Outcome::TooLarge(_)), "{outcome:?}");
}

/// Guards against following a redirect, which would take data and credentials elsewhere.
#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = GrpcServer::start(|call| async move { call.ok() }).await;
    for code in [301, 302, 303, 307, 308] {
        let location = format!("http://{}/", elsewhere.address);
        let server = GrpcServer::start(move |mut call| {
            let answer = http::Response::builder().status(code).header("location", &location).body(());
            async move {
                let _ = call.respond.send_response(answer.expect("valid"), true);
            }
        })
        .await;
        let client = client(server.address, Protocol::Grpc);
        let failure = permanent(client.send(&client.prepare(&small("x"))).await);
        assert_eq!(failure.kind, FailureKind::Status(aqueduct_wire::rpc::Code::Unknown));
        assert!(failure.message.contains(&code.to_string()), "{failure}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

/// Guards what is no message, no status, no gRPC: decided as documented, never a hang or a panic.
#[tokio::test]
async fn garbage_in_good_form() {
    let server = GrpcServer::start(|mut call| async move {
        let body = call.body().await;
        match &body[5..] {
            b"no trailers" => {
                let mut stream = call.respond.send_response(head(), false).expect("open");
                let _ = stream.send_data(Bytes::from_static(&[0; 5]), true);
            }
            b"no content type" => {
                let _ = call.respond.send_response(http::Response::new(()), true);
            }
            b"bad flag" => call.answer(&[7, 0, 0, 0, 0], status(0)),
            b"compressed" => call.answer(&[1, 0, 0, 0, 1, 0], status(0)),
            b"short" => call.answer(&[0, 0], status(0)),
            b"wrong length" => call.answer(&[0, 0, 0, 0, 9, 1], status(0)),
            b"no protobuf" => call.answer(&[0, 0, 0, 0, 3, 255, 255, 255], status(0)),
            _ => {
                let mut trailers = status(0);
                trailers.insert("grpc-status", "zero".parse().expect("valid"));
                trailers.insert("grpc-status-details-bin", "!!".parse().expect("valid"));
                call.answer(&[], trailers);
            }
        }
    })
    .await;
    let client = client(server.address, Protocol::Grpc);
    let send = async |order: &str| client.send(&client.prepare(&small(order))).await;
    assert_eq!(permanent(send("no trailers").await).kind, FailureKind::Protocol);
    assert_eq!(permanent(send("no content type").await).kind, FailureKind::Protocol);
    assert!(matches!(permanent(send("bad status").await).kind, FailureKind::Status(_)));
    // The status said OK: the data is there, and the oddity is on record.
    for order in ["bad flag", "compressed", "short", "wrong length", "no protobuf"] {
        assert_eq!(send(order).await, Outcome::Delivered, "{order}");
        assert!(client.status().last_warning.is_some_and(|warning| warning.contains("no sense")), "{order}");
    }
}

/// A bare server that writes these bytes to every connection once it has read something, then holds it.
async fn writing(bytes: Vec<u8>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut read = vec![0; 64 << 10];
                // The preface and the first frames.
                let _ = stream.read(&mut read).await;
                let _ = stream.write_all(&bytes).await;
                while stream.read(&mut read).await.is_ok_and(|n| n > 0) {}
            });
        }
    });
    address
}

const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

fn goaway(last_stream: u32, reason: Reason) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend(last_stream.to_be_bytes());
    frame.extend(u32::from(reason).to_be_bytes());
    frame
}

/// Guards a server's orderly goodbye: a stream it says it did not look at is refused, not lost.
#[tokio::test]
async fn goaway_refuses_streams() {
    for reason in [Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM] {
        let address = writing([&SETTINGS[..], &goaway(0, reason)].concat()).await;
        let client = client(address, Protocol::Grpc);
        let failure = retry(client.send(&client.prepare(&small("x"))).await);
        assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
        assert!(!failure.outcome_unknown);
    }
}

/// Guards a peer that is no HTTP/2 server at all.
#[tokio::test]
async fn another_protocol() {
    for answer in ["HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n", "SSH-2.0-OpenSSH_9.9\r\n"] {
        let address = writing(answer.repeat(10).into_bytes()).await;
        let mut config = config(address, Protocol::Grpc);
        config.timeout = Duration::from_secs(3);
        let client = Client::new(config).expect("valid");
        let failure = retry(client.send(&client.prepare(&small("x"))).await);
        assert!(matches!(failure.kind, FailureKind::Protocol | FailureKind::Reset), "{failure:?}");
    }
}
