//! OTLP/HTTP as it should be, over HTTP/1.1.

use crate::rig::{Http1, MIB, PROTOBUF, Rig, gzip, post, request, zstd};
use aqueduct_receiver::{Answer, Entry, Protocol};
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::{Code, ExportResponse, Status};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Guards content and count of each signal, the exact success answer, and that the connection is kept.
#[tokio::test]
async fn each_signal_arrives_on_one_connection() {
    let rig = Rig::http().await;
    let mut client = Http1::connect(rig.addr).await;
    for signal in Signal::ALL {
        let message = request(signal, 3, 1);
        client.send(post(signal.http_path(), &[PROTOBUF], &message)).await;
        client.answer().await.is_http_success();
        let incoming = rig.received.lock().expect("no panic").pop().expect("arrived");
        assert_eq!(incoming.protocol, Protocol::HttpProtobuf);
        assert_eq!((incoming.chunk.signal(), incoming.chunk.items()), (signal, 3));
        assert_eq!(incoming.chunk.bytes(), &message);
        assert_eq!(incoming.peer, client.stream.local_addr().expect("is open"));
        assert_eq!(rig.stats().of(signal).items, 3);
    }
    assert_eq!(rig.stats().connections, 1);
    drop(client);
    rig.finish().await;
}

/// Guards gzip and zstd, several gzip members, chunked transfer, and a query that means nothing.
#[tokio::test]
async fn encodings_and_transfers() {
    let rig = Rig::http().await;
    let mut client = Http1::connect(rig.addr).await;
    let message = request(Signal::Logs, 5_000, 1);
    let (first, second) = message.split_at(1000);
    let members = [gzip(first), gzip(second)].concat();
    let mut bodies = vec![("gzip", gzip(&message)), ("GZIP", members), ("identity", message.clone())];
    bodies.extend(zstd(&message).map(|body| ("zstd", body)));
    for (encoding, body) in &bodies {
        client.send(post("/v1/logs?a=b", &[PROTOBUF, ("content-encoding", encoding)], body)).await;
        client.answer().await.is_http_success();
    }
    let mut chunked = b"POST /v1/logs HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\
        content-type: application/x-protobuf\r\n\r\n"
        .to_vec();
    for piece in message.chunks(10_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    client.send(chunked).await;
    client.answer().await.is_http_success();
    let received = std::mem::take(&mut *rig.received.lock().expect("no panic"));
    assert_eq!(received.len(), bodies.len() + 1);
    for incoming in received {
        assert_eq!(incoming.chunk.bytes(), &message);
    }
    drop(client);
    rig.finish().await;
}

/// Guards that a body of no bytes is an empty request, and a success.
#[tokio::test]
async fn an_empty_body_is_a_success() {
    let rig = Rig::http().await;
    rig.http1(post("/v1/traces", &[PROTOBUF], b"")).await.is_http_success();
    let without_length =
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\r\n";
    rig.http1(without_length).await.is_http_success();
    assert_eq!(rig.received.lock().expect("no panic").len(), 0);
    assert_eq!(rig.stats().of(Signal::Traces).requests, 2);
    rig.finish().await;
}

/// Guards pipelining: requests sent at once are answered in order.
#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let rig = Rig::http().await;
    let mut client = Http1::connect(rig.addr).await;
    let good = post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1));
    let bad = post("/v1/traces", &[PROTOBUF], b"\xff");
    client.send([good.clone(), bad, good.clone(), post("/v1/x", &[PROTOBUF], b""), good].concat()).await;
    for status in [200, 400, 200, 404, 200] {
        assert_eq!(client.answer().await.status, status);
    }
    assert_eq!(rig.received_items(), 3);
    drop(client);
    rig.finish().await;
}

/// Guards a client that closes its side after asking: it gets its answers.
#[tokio::test]
async fn a_half_closed_connection_is_answered() {
    let rig = Rig::http().await;
    let mut client = Http1::connect(rig.addr).await;
    let good = post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1));
    client.send(good.repeat(3)).await;
    client.stream.shutdown().await.expect("is open");
    for _ in 0..3 {
        client.answer().await.is_http_success();
    }
    assert!(client.is_closed().await);
    rig.finish().await;
}

/// Guards `Expect: 100-continue`: asked for where the body is wanted, refused before it where not.
#[tokio::test]
async fn expectations_are_met() {
    let rig = Rig::http().await;
    let mut client = Http1::connect(rig.addr).await;
    let body = request(Signal::Traces, 1, 1);
    let whole = post("/v1/traces", &[PROTOBUF, ("expect", "100-continue")], &body);
    client.send(&whole[..whole.len() - body.len()]).await;
    assert_eq!(client.answer().await.status, 100);
    client.send(&body).await;
    client.answer().await.is_http_success();
    client
        .send(format!(
            "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\nexpect: 100-continue\r\n\
             content-length: {}\r\n\r\n",
            100 * MIB
        ))
        .await;
    assert_eq!(client.answer().await.http().0, 413);
    rig.finish().await;
}

/// Guards what a handler may answer.
#[tokio::test]
async fn handlers_answer() {
    let partial = Answer::Partial { rejected: 1, message: "old".into() };
    let overloaded = Answer::Overloaded { retry_after: Duration::from_millis(1) };
    let quota = Status::new(Code::ResourceExhausted, "quota").with_retry_delay(Duration::from_secs(9));
    let raw = Answer::Http { status: 599, retry_after: None, message: "odd".into() };
    let answers = [partial, overloaded, Answer::Status(quota.clone()), raw, Answer::Disconnect];
    let next = std::sync::Mutex::new(answers.into_iter());
    let rig = Rig::answering(Entry::Http, move || {
        next.lock().expect("no panic").next().expect("asked five times").into()
    })
    .await;
    let mut client = Http1::connect(rig.addr).await;
    let good = post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 2, 1));

    client.send(&good).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        ExportResponse::decode(&answer.body).expect("valid"),
        ExportResponse { rejected: 1, message: "old".into() }
    );

    client.send(&good).await;
    let answer = client.answer().await;
    let (status, told) = answer.http();
    assert_eq!((status, told.code, answer.header("retry-after")), (503, Code::Unavailable, Some("1")));
    assert_eq!(told.retry_delay, Some(Duration::from_millis(1)));

    client.send(&good).await;
    let answer = client.answer().await;
    assert_eq!((answer.http(), answer.header("retry-after")), ((429, quota), Some("9")));

    client.send(&good).await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.http(), answer.header("retry-after")),
        ((599, Status::new(Code::Unknown, "odd")), None)
    );

    client.send(&good).await;
    assert!(client.is_closed().await, "no answer at all");
    rig.finish().await;
}

#[cfg(feature = "json")]
mod json {
    use super::*;
    use crate::rig::JSON;
    use serde_json::{Value, json};

    const SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","name":"work","kind":2}]}]}]}"#;

    /// Guards JSON in and JSON out, and that the handler gets the protobuf form.
    #[tokio::test]
    async fn json_is_converted_and_answered_in_json() {
        let rig = Rig::http().await;
        for (name, value) in [JSON, ("content-type", "application/json; charset=utf-8")] {
            let answer = rig.http1(post("/v1/traces", &[(name, value)], SPAN.as_bytes())).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
            assert_eq!(serde_json::from_slice::<Value>(&answer.body).expect("is JSON"), json!({}));
        }
        let answer = rig
            .http1(post("/v1/traces", &[JSON, ("content-encoding", "gzip")], &gzip(SPAN.as_bytes())))
            .await;
        assert_eq!(answer.status, 200);
        let incoming = rig.received.lock().expect("no panic").pop().expect("arrived");
        assert_eq!((incoming.protocol, incoming.chunk.items()), (Protocol::HttpJson, 1));
        use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
        let message: ExportTraceServiceRequest =
            prost::Message::decode(&incoming.chunk.bytes()[..]).expect("valid");
        let span = &message.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!((&span.name[..], span.trace_id[0], span.span_id[0], span.kind), ("work", 0x5b, 0xee, 2));
        rig.finish().await;
    }

    /// Guards errors in JSON: a `google.rpc.Status` in JSON, also where there is no request to speak of.
    #[tokio::test]
    async fn errors_are_in_json_too() {
        let rig = Rig::http().await;
        for (path, body, status, code) in [
            ("/v1/traces", &b"{"[..], 400, 3),
            ("/v1/traces", b"", 400, 3),
            ("/v1/traces", b"[]", 400, 3),
            ("/v1/traces", b"{\"resourceSpans\":\"\xff\"}", 400, 3),
            ("/v1/logs", b"not json", 400, 3),
            ("/v1/nothing", b"{}", 404, 12),
        ] {
            let answer = rig.http1(post(path, &[JSON], body)).await;
            assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/json")));
            let told: Value = serde_json::from_slice(&answer.body).expect("is JSON");
            assert_eq!(told["code"], json!(code), "{told}");
            assert!(!told["message"].as_str().expect("is text").is_empty());
        }
        rig.finish().await;
    }

    /// Guards partial success in JSON, under the name that the signal gives it.
    #[tokio::test]
    async fn partial_success_in_json() {
        let rig =
            Rig::answering(Entry::Http, || Answer::Partial { rejected: 1, message: "old".into() }.into())
                .await;
        let answer = rig.http1(post("/v1/traces", &[JSON], SPAN.as_bytes())).await;
        let told: Value = serde_json::from_slice(&answer.body).expect("is JSON");
        assert_eq!(told, json!({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "old"}}));
        rig.finish().await;
    }
}

/// Guards NODELAY: with Nagle's algorithm on, each answer on a kept connection would wait 40 ms for a delayed acknowledgement.
#[tokio::test]
async fn answers_do_not_wait_for_acknowledgements() {
    let rig = Rig::http().await;
    let mut client = Http1::connect(rig.addr).await;
    let good = post("/v1/traces", &[PROTOBUF], &request(Signal::Traces, 1, 1));
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..50 {
        let start = std::time::Instant::now();
        client.send(&good).await;
        client.answer().await.is_http_success();
        times.push(start.elapsed());
    }
    times.sort();
    assert!(times[25] < Duration::from_millis(20), "the median is {:?}", times[25]);
    drop(client);
    rig.finish().await;
}

/// Guards the same with the socket's option itself.
#[tokio::test]
async fn nodelay_is_set_on_the_socket() {
    let rig = Rig::http().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut client =
        tokio::net::TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
    let (stream, peer) = listener.accept().await.expect("accepts");
    // A second handle on the same socket, to look at it while it is served.
    let stream = stream.into_std().expect("is open");
    let probe = socket2::Socket::from(stream.try_clone().expect("is open"));
    probe.set_tcp_nodelay(false).expect("is open");
    let stream = tokio::net::TcpStream::from_std(stream).expect("is open");
    let serving = tokio::spawn(rig.server.serve_connection(stream, peer, Entry::Http));
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.expect("is open");
    let mut one = [0; 1];
    client.read_exact(&mut one).await.expect("is answered");
    assert!(probe.tcp_nodelay().expect("is open"));
    drop((client, probe));
    serving.await.expect("ends");
    rig.finish().await;
}
