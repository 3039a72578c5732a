//! HTTP servers that misbehave: every send ends in time, with bounded memory, and is classified.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aqueduct_transport::{Client, FailureKind, Outcome, Protocol};

use crate::batches::{client, config, of, permanent, retry, small, text};
use crate::http_server::{HttpServer, PROTOBUF, answer};

/// Guards memory against bodies and heads without an end.
#[tokio::test]
async fn endless_response() {
    let sent = Arc::new(AtomicUsize::new(0));
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\r\n",
        "HTTP/1.1 503 Busy\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-endless: ",
    ] {
        sent.store(0, Ordering::Relaxed);
        let counted = sent.clone();
        let server = HttpServer::start(move |mut peer| {
            let sent = counted.clone();
            async move {
                let _ = peer.request().await;
                peer.write(head.as_bytes()).await;
                let block = [b'x'; 16 << 10];
                while tokio::io::AsyncWriteExt::write_all(&mut peer.stream, &block).await.is_ok() {
                    sent.fetch_add(block.len(), Ordering::Relaxed);
                }
            }
        })
        .await;
        let client = client(server.address, Protocol::HttpProtobuf);
        let failure = permanent(client.send(&client.prepare(&small("x"))).await);
        assert_eq!(failure.kind, FailureKind::ResponseTooLarge, "{head}");
        // The limit of 4 MiB and what the sockets hold: by default Linux lets them grow to 4 and 32 MiB.
        assert!(sent.load(Ordering::Relaxed) < 48 << 20, "{sent:?}");
    }
}

/// Guards the deadline against answers that come one byte at a time; what the head said counts.
#[tokio::test]
async fn slow_bytes() {
    for (head, kind) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", FailureKind::Timeout),
        ("HTTP/1.1 400 Bad\r\ncontent-length: 1000\r\n\r\n", FailureKind::Http(400)),
        ("HTTP/1.1 2", FailureKind::Timeout),
    ] {
        let server = HttpServer::start(move |mut peer| async move {
            let _ = peer.request().await;
            peer.write(head.as_bytes()).await;
            for _ in 0..500 {
                peer.write(b"0").await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let mut config = config(server.address, Protocol::HttpProtobuf);
        config.timeout = Duration::from_millis(300);
        let client = Client::new(config).expect("valid");
        let started = Instant::now();
        let outcome = client.send(&client.prepare(&small("x"))).await;
        // A "200000.." is no status; that may be seen before the time is out.
        let seen = outcome.failure().expect("failed").kind;
        assert!(
            seen == kind || (head.ends_with('2') && seen == FailureKind::Protocol),
            "{head}: {outcome:?}"
        );
        assert_eq!(matches!(outcome, Outcome::Permanent(_)), kind == FailureKind::Http(400), "{head}");
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
}

/// Guards the deadline against a server that reads nothing and never answers.
#[tokio::test]
async fn accepts_and_never_answers() {
    let server = HttpServer::start(|peer| async move {
        let _peer = peer;
        std::future::pending::<()>().await;
    })
    .await;
    let mut config = config(server.address, Protocol::HttpProtobuf);
    config.timeout = Duration::from_millis(200);
    let client = Client::new(config).expect("valid");
    for batch in [small("x"), of((0..200).map(|n| text(100_000, n)))] {
        let started = Instant::now();
        let failure = retry(client.send(&client.prepare(&batch)).await);
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert!(failure.outcome_unknown);
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
}

/// Guards a connection that ends in the middle of things: retried by the caller, and never counted as delivered.
#[tokio::test]
async fn connection_lost() {
    for (half_answer, unknown) in [
        ("", true),
        ("HTTP/1.1 20", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", true),
        ("HTTP/1.1 503 Busy\r\ncontent-length: 1000\r\n\r\nhalf", false),
    ] {
        let server = HttpServer::start(move |mut peer| async move {
            let _ = peer.request().await;
            peer.write(half_answer.as_bytes()).await;
        })
        .await;
        let client = client(server.address, Protocol::HttpProtobuf);
        let failure = retry(client.send(&client.prepare(&small("x"))).await);
        let kind = if unknown { FailureKind::Reset } else { FailureKind::Http(503) };
        assert_eq!((failure.kind, failure.outcome_unknown), (kind, unknown), "{half_answer:?}: {failure}");
    }
}

/// Guards the choice documented for a 200 that says nothing sensible: delivered with a warning, except for a web page.
#[tokio::test]
async fn success_with_garbage() {
    let server = HttpServer::answering(|request| match &request.body[..] {
        b"garbage" => answer(200, PROTOBUF, &[255, 255, 255]),
        b"text" => answer(202, "content-type: text/plain\r\n", b"thank you"),
        b"untyped" => answer(200, "", b"\xff"),
        b"empty text" => answer(200, "content-type: text/plain\r\n", b""),
        b"empty json" => answer(200, "content-type: application/json; charset=utf-8\r\n", b"{}"),
        _ => answer(200, "content-type: Text/HTML; charset=utf-8\r\n", b"<html>please log in</html>"),
    })
    .await;
    let client = client(server.address, Protocol::HttpProtobuf);
    let send = async |order: &str| client.send(&client.prepare(&small(order))).await;
    for order in ["empty text", "empty json"] {
        assert_eq!(send(order).await, Outcome::Delivered, "{order}");
        assert_eq!(client.status().last_warning, None, "{order}");
    }
    for order in ["garbage", "text", "untyped"] {
        assert_eq!(send(order).await, Outcome::Delivered, "{order}");
        assert!(client.status().last_warning.is_some_and(|warning| warning.contains("no sense")), "{order}");
    }
    assert_eq!(permanent(send("page").await).kind, FailureKind::Protocol);
}

/// Guards against following a redirect, which would take data and credentials elsewhere.
#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = HttpServer::answering(|_| answer(200, PROTOBUF, b"")).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: http://{}/\r\n", elsewhere.address);
        let server = HttpServer::answering(move |_| answer(status, &location, b"")).await;
        let client = client(server.address, Protocol::HttpProtobuf);
        let failure = permanent(client.send(&client.prepare(&small("x"))).await);
        assert_eq!(failure.kind, FailureKind::Http(status));
    }
    assert_eq!(elsewhere.connections(), 0);
}

/// Guards an answer that comes before the body was read.
#[tokio::test]
async fn an_early_answer_counts() {
    let server = HttpServer::start(|mut peer| async move {
        let _ = peer.head().await;
        peer.write(&answer(413, "connection: close\r\n", b"")).await;
        // Reads on, or the kernel would reset the connection with the answer still in it.
        let mut rest = vec![0; 1 << 20];
        while tokio::io::AsyncReadExt::read(&mut peer.stream, &mut rest).await.is_ok_and(|n| n > 0) {}
    })
    .await;
    let client = client(server.address, Protocol::HttpProtobuf);
    let outcome = client.send(&client.prepare(&of((0..200).map(|n| text(100_000, n))))).await;
    assert!(matches!(outcome, Outcome::TooLarge(_)), "{outcome:?}");
}

/// Guards the next send after an early answer: it must not get the connection whose server reads no more.
#[tokio::test]
async fn an_early_answer_does_not_block_the_next_send() {
    let server = HttpServer::start(|mut peer| async move {
        if peer.number == 0 {
            let _ = peer.head().await;
            peer.write(&answer(200, PROTOBUF, b"")).await;
            std::future::pending::<()>().await;
        }
        while peer.request().await.is_some() {
            peer.write(&answer(200, PROTOBUF, b"")).await;
        }
    })
    .await;
    let client = client(server.address, Protocol::HttpProtobuf);
    let large = client.prepare(&of((0..200).map(|n| text(100_000, n))));
    for _ in 0..2 {
        assert_eq!(client.send(&large).await, Outcome::Delivered);
    }
    assert_eq!(server.connections(), 2);
}

/// Guards a peer that speaks something else.
#[tokio::test]
async fn another_protocol() {
    let server = HttpServer::start(|mut peer| async move {
        peer.write(b"SSH-2.0-OpenSSH_9.9\r\n").await;
        let _ = peer.request().await;
    })
    .await;
    let client = client(server.address, Protocol::HttpProtobuf);
    let failure = retry(client.send(&client.prepare(&small("x"))).await);
    assert!(matches!(failure.kind, FailureKind::Protocol | FailureKind::Reset), "{failure:?}");
}
