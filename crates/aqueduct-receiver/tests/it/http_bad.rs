//! OTLP/HTTP as it should not be: each wrong has its answer and its reason.

use crate::rig::{Http1, MIB, PROTOBUF, Rig, config, gzip, post, request, zstd};
use aqueduct_receiver::{Entry, RefuseReason};
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::{Code, Status};
use tokio::io::AsyncWriteExt;

/// Sends one wrong request on a connection that is used on afterwards, and returns status and body.
async fn refused(bytes: &[u8], reason: RefuseReason) -> (u16, Status, http::HeaderMap) {
    let rig = Rig::http().await;
    let mut client = Http1::connect(rig.addr).await;
    client.send(bytes).await;
    let answer = client.answer().await;
    assert_eq!(rig.refused(), [(reason, 1)]);
    client.send(post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1))).await;
    client.answer().await.is_http_success();
    drop(client);
    rig.finish().await;
    let (status, told) = answer.http();
    (status, told, answer.headers)
}

/// Guards 400 with a `google.rpc.Status` that says where.
#[tokio::test]
async fn bad_data_is_400() {
    let mut utf8 = request(Signal::Traces, 1, 1);
    let at = utf8.windows(4).position(|w| w == b"work").expect("has its name");
    utf8[at] = 0xff;
    let whole = request(Signal::Traces, 1, 1);
    for (body, says) in [
        (&[0xff; 100][..], "at byte 0"),
        (&whole[..whole.len() / 2], "at byte"),
        (&utf8, "invalid UTF-8 at byte"),
    ] {
        let (status, told, _) = refused(&post("/v1/traces", &[PROTOBUF], body), RefuseReason::Invalid).await;
        assert_eq!((status, told.code, told.retry_delay), (400, Code::InvalidArgument, None));
        assert!(told.message.contains(says), "{}", told.message);
    }
}

/// Guards 400 for what does not inflate.
#[tokio::test]
async fn bad_compression_is_400() {
    let good = gzip(&request(Signal::Traces, 1, 1));
    for body in [&good[..good.len() - 1], &[&good[..], b"x"].concat(), b"xxxx", b""] {
        let bytes = post("/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], body);
        let (status, told, _) = refused(&bytes, RefuseReason::Inflate).await;
        assert_eq!((status, told.code), (400, Code::InvalidArgument));
    }
}

/// Guards the table of wrong heads.
#[tokio::test]
async fn wrong_heads() {
    let body = request(Signal::Traces, 1, 1);
    let gzip = ("content-encoding", "gzip");
    let text = ("content-type", "text/plain");
    for (path, headers, reason, status) in [
        ("/", &[PROTOBUF][..], RefuseReason::NotFound, 404),
        ("/v1/traces/", &[PROTOBUF], RefuseReason::NotFound, 404),
        ("/v1development/profiles", &[PROTOBUF], RefuseReason::NotFound, 404),
        ("/v1/traces", &[], RefuseReason::ContentType, 415),
        ("/v1/traces", &[text], RefuseReason::ContentType, 415),
        ("/v1/traces", &[("content-type", "application/grpc")], RefuseReason::ContentType, 415),
        ("/v1/traces", &[PROTOBUF, PROTOBUF], RefuseReason::DuplicateHeader, 400),
        ("/v1/traces", &[PROTOBUF, ("content-encoding", "br")], RefuseReason::ContentEncoding, 415),
        ("/v1/traces", &[PROTOBUF, ("content-encoding", "gzip, gzip")], RefuseReason::ContentEncoding, 415),
        ("/v1/traces", &[PROTOBUF, gzip, gzip], RefuseReason::ContentEncoding, 415),
    ] {
        let (answered, told, headers) = refused(&post(path, headers, &body), reason).await;
        assert_eq!(answered, status, "{path} {}", told.message);
        assert!(!told.message.is_empty());
        let encodings = if cfg!(feature = "zstd") { "gzip, zstd" } else { "gzip" };
        let expected = (reason == RefuseReason::ContentEncoding).then_some(encodings);
        assert_eq!(headers.get("accept-encoding").map(|v| v.to_str().expect("ASCII")), expected);
    }
}

/// Guards 405 with Allow, and HEAD without a body.
#[tokio::test]
async fn wrong_methods_are_405() {
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let bytes = format!("{method} /v1/metrics HTTP/1.1\r\nhost: a\r\n\r\n");
        let (status, _, headers) = refused(bytes.as_bytes(), RefuseReason::Method).await;
        assert_eq!((status, headers["allow"].to_str().expect("ASCII")), (405, "POST"), "{method}");
    }
}

/// Guards 413 by the announced length, before a byte of the body, by the bytes that came, and after inflating.
#[tokio::test]
async fn too_large_is_413() {
    let rig = Rig::http().await;
    let told = format!("the request is larger than {} bytes", 4 * MIB);
    let mut client = Http1::connect(rig.addr).await;
    client.send(&post("/v1/traces", &[PROTOBUF], &vec![0; 4 * MIB + 1])[..200]).await;
    let answer = client.answer().await;
    assert_eq!(answer.http(), (413, Status::new(Code::ResourceExhausted, told.clone())));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.header("retry-after"), None);

    let mut client = Http1::connect(rig.addr).await;
    client.send("POST /v1/traces HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-type: application/x-protobuf\r\n\r\n").await;
    // The server need not read all of it, but the answer must arrive all the same.
    client.send("500000\r\n").await;
    client.send(vec![0; 0x50_0000]).await;
    assert_eq!(client.answer().await.http().1.message, told);

    let mut bombs = vec![("gzip", gzip(&vec![0; 64 * MIB]))];
    bombs.extend(zstd(&vec![0; 64 * MIB]).map(|body| ("zstd", body)));
    for (encoding, bomb) in bombs {
        let answer = rig.http1(post("/v1/logs", &[PROTOBUF, ("content-encoding", encoding)], &bomb)).await;
        assert_eq!(answer.http(), (413, Status::new(Code::ResourceExhausted, told.clone())));
    }
    let expected = if cfg!(feature = "zstd") { 4 } else { 3 };
    assert_eq!(rig.refused(), [(RefuseReason::TooLarge, expected)]);
    let peak = rig.server.budget().peak();
    assert!(peak <= 9 * MIB, "{peak}");
    drop(client);
    rig.finish().await;
}

/// Guards that a client which is still sending gets the answer to read, not a reset.
#[tokio::test]
async fn an_early_answer_survives_the_upload() {
    let mut config = config();
    config.max_request_bytes = 100_000;
    let rig = Rig::with(Entry::Http, config).await;
    let mut client = Http1::connect(rig.addr).await;
    // Far more than the socket's buffers hold, so the server has closed before it is all sent.
    client.send(post("/v1/traces", &[PROTOBUF], &vec![0; 32 * MIB])).await;
    assert_eq!(client.answer().await.http().0, 413);
    drop(client);
    rig.finish().await;
}

/// Guards 431, answered by hyper itself: too much in all, and too many.
#[tokio::test]
async fn too_many_headers_are_431() {
    let rig = Rig::http().await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    assert_eq!(rig.http1(long).await.status, 431);
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert_eq!(rig.http1(many).await.status, 431);
    rig.until("both are counted", |rig| rig.refused() == [(RefuseReason::HeaderTooLarge, 2)]).await;
    rig.finish().await;
}

/// Guards against what is no HTTP at all.
#[tokio::test]
async fn no_http_is_400_and_closed() {
    let rig = Rig::http().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n"[..],
        b"hello\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n",
    ] {
        let mut client = Http1::connect(rig.addr).await;
        client.send(bytes).await;
        assert_eq!(client.answer().await.status, 400, "{}", String::from_utf8_lossy(bytes));
        assert!(client.is_closed().await);
    }
    rig.until("all are counted", |rig| rig.refused() == [(RefuseReason::Protocol, 5)]).await;
    rig.finish().await;
}

/// Guards a body that breaks off: counted, no answer owed.
#[tokio::test]
async fn a_truncated_body_is_a_disconnection() {
    let rig = Rig::http().await;
    let whole = post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 10, 1));
    let mut client = Http1::connect(rig.addr).await;
    client.send(&whole[..whole.len() - 10]).await;
    client.stream.shutdown().await.expect("is open");
    rig.until("it is counted", |rig| rig.refused() == [(RefuseReason::Disconnected, 1)]).await;
    drop(client);
    assert_eq!(rig.received_items(), 0);
    rig.finish().await;
}
