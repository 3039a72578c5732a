//! Limits of connections, streams, headers and time.

use crate::rig::{Call, Http1, PATIENCE, PROTOBUF, Rig, answered, config, framed, post, request};
use aqueduct_receiver::{Entry, RefuseReason};
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::Code;
use bytes::Bytes;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(100);

/// Guards the number of connections: one more is closed, and one less makes room.
#[tokio::test]
async fn connections_are_limited() {
    let mut config = config();
    config.max_connections = 2;
    let rig = Rig::with(Entry::Http, config).await;
    let good = post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1));
    let (mut first, mut second) = (Http1::connect(rig.addr).await, Http1::connect(rig.addr).await);
    for client in [&mut first, &mut second] {
        client.send(&good).await;
        client.answer().await.is_http_success();
    }
    assert!(Http1::connect(rig.addr).await.is_closed().await);
    assert_eq!(rig.refused(), [(RefuseReason::Connections, 1)]);
    drop(second);
    rig.until("room is made", |rig| rig.stats().open_connections == 1).await;
    rig.http1(&good).await.is_http_success();
    assert_eq!(rig.stats().connections, 4);
    drop(first);
    rig.finish().await;
}

/// Guards the number of streams: what is beyond is refused by HTTP/2 itself, and the connection lives.
#[tokio::test]
async fn streams_are_limited() {
    let mut config = config();
    config.max_streams_per_connection = 3;
    let rig = Rig::with(Entry::Grpc, config).await;
    let client = rig.h2().await;
    // The client has to know the limit before it keeps to it.
    Call::export(Signal::Traces, b"").send(&client).await.is_grpc_success();
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(Call::raw(Signal::Traces.grpc_path(), b"\0\0").open(&client).await);
    }
    let fourth = client.clone();
    let fourth = tokio::spawn(async move { Call::export(Signal::Traces, b"").send(&fourth).await });
    tokio::time::sleep(SHORT).await;
    assert!(!fourth.is_finished(), "the client holds the fourth back");
    for (_, stream) in &mut open {
        stream.send_reset(h2::Reason::CANCEL);
    }
    fourth.await.expect("no panic").is_grpc_success();
    drop((open, client));
    rig.finish().await;
}

/// Guards the size of headers in HTTP/2: 431 from h2 for what is moderately too much, the end for what is absurd; never memory.
#[tokio::test]
async fn header_lists_are_limited() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    Call::export(Signal::Traces, b"").send(&client).await.is_grpc_success();
    let path: &str = &"x".repeat(17 * 1024);
    let answer = Call::raw(&format!("/{path}"), b"").try_send(&client).await;
    match answer {
        Ok(answer) => assert_eq!(answer.status, 431),
        // A client may know the limit and refuse to send.
        Err(error) => assert!(error.is_reset() || error.is_go_away() || error.get_io().is_none(), "{error}"),
    }
    drop(client);
    rig.finish().await;
}

/// Guards against clients that say nothing, or stop within their first words.
#[tokio::test]
async fn slow_beginnings_are_cut_off() {
    let mut config = config();
    config.header_timeout = SHORT;
    for (entry, bytes) in [
        (Entry::Grpc, &b""[..]),
        (Entry::Grpc, b"PRI * HT"),
        (Entry::Http, b""),
        (Entry::Http, b"PRI * HTTP/2.0\r\n"),
        (Entry::Http, b"POST /v1/traces HTTP/1.1\r\nhost: a\r\n"),
    ] {
        let rig = Rig::with(entry, config.clone()).await;
        let mut client = Http1::connect(rig.addr).await;
        client.send(bytes).await;
        assert!(client.is_closed().await);
        rig.until("it is counted", |rig| rig.refused() == [(RefuseReason::Timeout, 1)]).await;
        rig.finish().await;
    }
}

/// Guards a later head on a kept connection: idle it may be for long, but not slow.
#[tokio::test]
async fn a_slow_second_head_is_cut_off() {
    let mut config = config();
    config.header_timeout = SHORT;
    let rig = Rig::with(Entry::Http, config).await;
    let mut client = Http1::connect(rig.addr).await;
    let good = post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1));
    client.send(&good).await;
    client.answer().await.is_http_success();
    tokio::time::sleep(3 * SHORT).await;
    client.send(&good).await;
    client.answer().await.is_http_success();
    client.send(&good[..20]).await;
    assert!(client.is_closed().await);
    assert_eq!(rig.refused(), [(RefuseReason::Timeout, 1)]);
    rig.finish().await;
}

/// Guards bodies that stop: answered as too slow, and what they held is free.
#[tokio::test]
async fn slow_bodies_are_refused() {
    let mut config = config();
    config.body_timeout = SHORT;
    let rig = Rig::with(Entry::Http, config).await;
    let client = rig.h2().await;
    let (response, stream) = Call::raw(Signal::Traces.grpc_path(), b"\0\0\0\x01\0...").open(&client).await;
    let answer = answered(response).await.expect("is answered");
    assert_eq!(answer.grpc(), (Code::DeadlineExceeded, "the body came too slowly".into()));
    drop(stream);
    let good = request(Signal::Traces, 1, 1);
    Call::export(Signal::Traces, &good).send(&client).await.is_grpc_success();

    let mut http1 = Http1::connect(rig.addr).await;
    let bytes = post("/v1/traces", &[PROTOBUF], &good);
    http1.send(&bytes[..bytes.len() - 5]).await;
    let answer = http1.answer().await;
    assert_eq!(answer.http().0, 408);
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(rig.refused(), [(RefuseReason::Timeout, 2)]);
    drop((client, http1));
    rig.finish().await;
}

/// Guards slow bodies against being cut off while they make progress, and dribbles against passing for progress.
#[tokio::test]
async fn progress_is_what_counts() {
    let mut config = config();
    config.body_timeout = 3 * SHORT;
    let rig = Rig::with(Entry::Grpc, config).await;
    let client = rig.h2().await;
    let body = framed(&request(Signal::Traces, 2_000, 1), false);
    assert!(body.len() > 150_000);
    let (response, mut stream) = Call::raw(Signal::Traces.grpc_path(), &[]).open(&client).await;
    // Five spans of the timeout in all, with more than enough in each.
    let pieces: Vec<_> = body.chunks(body.len() / 15 + 1).collect();
    for (n, piece) in pieces.iter().enumerate() {
        tokio::time::sleep(SHORT).await;
        stream.send_data(Bytes::copy_from_slice(piece), n + 1 == pieces.len()).expect("is open");
    }
    answered(response).await.expect("is answered").is_grpc_success();

    let (response, mut stream) = Call::raw(Signal::Traces.grpc_path(), &body[..5]).open(&client).await;
    let dribble = tokio::spawn(async move {
        while stream.send_data(Bytes::from_static(b"."), false).is_ok() {
            tokio::time::sleep(SHORT / 4).await;
        }
    });
    let answer = answered(response).await.expect("is answered");
    assert_eq!(answer.grpc().0, Code::DeadlineExceeded);
    dribble.await.expect("ends with the stream");
    drop(client);
    rig.finish().await;
}

/// Guards idle connections of both protocols: closed after their time, not before, and HTTP/2 with a GOAWAY.
#[tokio::test]
async fn idle_connections_are_closed() {
    let mut config = config();
    config.idle_timeout = 3 * SHORT;
    let rig = Rig::with(Entry::Http, config).await;
    let good = request(Signal::Traces, 1, 1);
    let mut http1 = Http1::connect(rig.addr).await;
    let stream = TcpStream::connect(rig.addr).await.expect("connects");
    let (client, connection) = h2::client::handshake(stream).await.expect("is HTTP/2");
    let connection = tokio::spawn(connection);
    let start = std::time::Instant::now();
    for _ in 0..3 {
        tokio::time::sleep(SHORT).await;
        Call::export(Signal::Traces, &good).send(&client).await.is_grpc_success();
        http1.send(post("/v1/traces", &[PROTOBUF], &good)).await;
        http1.answer().await.is_http_success();
    }
    let end = tokio::time::timeout(PATIENCE, connection).await.expect("ends").expect("no panic");
    assert!(end.is_ok(), "a graceful end is no error: {end:?}");
    assert!(start.elapsed() >= 6 * SHORT, "{:?}", start.elapsed());
    assert!(http1.is_closed().await);
    assert_eq!(rig.refused(), [], "an idle connection is no refusal");
    rig.finish().await;
}

/// Guards against clients that are gone without a word: a PING finds out.
#[tokio::test]
async fn dead_clients_are_found() {
    let mut config = config();
    config.keepalive_interval = Some(Duration::from_secs(1));
    config.keepalive_timeout = SHORT;
    let rig = Rig::with(Entry::Grpc, config).await;
    let mut mute = TcpStream::connect(rig.addr).await.expect("connects");
    // The preface, empty SETTINGS, and never an answer to anything.
    mute.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("is open");
    let alive = rig.h2().await;
    let mut heard = Vec::new();
    let end = tokio::time::timeout(PATIENCE, mute.read_to_end(&mut heard)).await.expect("is cut off");
    assert!(end.is_ok());
    assert!(heard.windows(9).any(|frame| frame[..5] == [0, 0, 8, 6, 0]), "was asked by a PING");
    Call::export(Signal::Traces, b"").send(&alive).await.is_grpc_success();
    drop(alive);
    rig.finish().await;
}

/// Guards against floods of resets: the connection is ended by h2's limits, and others go on.
#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let rig = Rig::grpc().await;
    let other = rig.h2().await;
    let mut stream = TcpStream::connect(rig.addr).await.expect("connects");
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for id in (1..20_001u32).step_by(2) {
        // HEADERS of a POST / by static table indices, END_HEADERS; then RST_STREAM(CANCEL).
        flood.extend_from_slice(&[0, 0, 3, 1, 4]);
        flood.extend_from_slice(&id.to_be_bytes());
        flood.extend_from_slice(&[0x83, 0x86, 0x84]);
        flood.extend_from_slice(&[0, 0, 4, 3, 0]);
        flood.extend_from_slice(&id.to_be_bytes());
        flood.extend_from_slice(&[0, 0, 0, 8]);
    }
    let _ = stream.write_all(&flood).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("is ended");
    Call::export(Signal::Traces, &request(Signal::Traces, 1, 1)).send(&other).await.is_grpc_success();
    drop(other);
    rig.finish().await;
}
