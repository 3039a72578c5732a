//! HTTP/2 beyond gRPC: OTLP/HTTP over it, both on one port, and its own ways to end.

use crate::rig::{Call, Rig, answered, h2_client, request};
use aqueduct_receiver::{Protocol, RefuseReason};
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Guards that the HTTP door takes gRPC and OTLP/HTTP on one connection, told apart by content type.
#[tokio::test]
async fn one_port_takes_both() {
    let rig = Rig::http().await;
    let client = rig.h2().await;
    let body = request(Signal::Traces, 2, 1);
    Call::export(Signal::Traces, &body).send(&client).await.is_grpc_success();
    let answer = Call::http("/v1/traces", "application/x-protobuf", &body).send(&client).await;
    answer.is_http_success();
    assert_eq!(answer.header("content-length"), Some("0"));
    let protocols: Vec<_> = rig.received.lock().expect("no panic").iter().map(|i| i.protocol).collect();
    assert_eq!(protocols, [Protocol::Grpc, Protocol::HttpProtobuf]);
    drop(client);
    rig.finish().await;
}

/// Guards the HTTP errors over HTTP/2.
#[tokio::test]
async fn http_errors_over_http2() {
    let rig = Rig::http().await;
    let client = rig.h2().await;
    let proto = "application/x-protobuf";
    for (call, status, code) in [
        (Call::http("/v1/nothing", proto, b""), 404, Code::Unimplemented),
        (Call::http("/v1/traces", "text/plain", b"x"), 415, Code::InvalidArgument),
        (Call::http("/v1/traces", proto, b"\xff"), 400, Code::InvalidArgument),
        (Call::http("/v1/traces", proto, b"").method("GET"), 405, Code::Unimplemented),
    ] {
        let answer = call.send(&client).await;
        let (answered, told) = answer.http();
        assert_eq!((answered, told.code), (status, code));
        assert_eq!(answer.header("content-length"), Some(&answer.body.len().to_string()[..]));
    }
    let announced = Call::http("/v1/traces", proto, b"x").header("content-length", "5000000");
    let (response, stream) = announced.open(&client).await;
    let answer = answered(response).await.expect("is answered while the body is open");
    assert_eq!((answer.http().0, answer.http().1.code), (413, Code::ResourceExhausted));
    drop((stream, client));
    rig.finish().await;
}

/// Guards a client that closes its side after asking, as far as HTTP/2 lets it: what was whole is answered, what was not is dropped.
#[tokio::test]
async fn a_half_closed_connection_is_answered() {
    let rig = Rig::grpc().await;
    // The bytes of a connection are recorded by a client that talks to a socket of ours.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    let recording = tokio::spawn(async move {
        let client = h2_client(addr).await;
        let body = request(Signal::Traces, 1, 1);
        let (_whole, mut stream) = Call::export(Signal::Traces, &body).open(&client).await;
        stream.send_data(bytes::Bytes::new(), true).expect("is open");
        let (_broken, _stream) = Call::raw(Signal::Traces.grpc_path(), &[0, 0, 0, 0, 9]).open(&client).await;
        std::future::pending::<()>().await;
    });
    let (mut socket, _) = listener.accept().await.expect("connects");
    let mut recorded = Vec::new();
    // The requests fit into the windows of a server that says nothing. The end of the first, and the open prefix of the second:
    let (end, prefix) = ([0, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 9]);
    let has = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    while !(has(&recorded, &end) && has(&recorded, &prefix)) {
        assert!(socket.read_buf(&mut recorded).await.expect("is open") > 0);
    }
    recording.abort();

    let mut stream = tokio::net::TcpStream::connect(rig.addr).await.expect("connects");
    stream.write_all(&recorded).await.expect("is open");
    stream.shutdown().await.expect("is open");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("ends without a reset");
    assert!(has(&answer, &[0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]), "has the DATA frame of the answer");
    assert_eq!((rig.received_items(), rig.refused()), (1, vec![(RefuseReason::Disconnected, 1)]));
    rig.finish().await;
}

/// Guards a stream that is reset in the middle against harming its neighbours.
#[tokio::test]
async fn a_reset_stream_is_its_own_affair() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    for n in 0..100 {
        let whole = request(Signal::Traces, 1, n);
        let (response, mut stream) =
            Call::raw(Signal::Traces.grpc_path(), &[0, 0, 0, 1, 0, 7]).open(&client).await;
        let good = Call::export(Signal::Traces, &whole);
        good.send(&client).await.is_grpc_success();
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
        good.send(&client).await.is_grpc_success();
    }
    rig.until("all resets are seen", |rig| rig.refused() == [(RefuseReason::Disconnected, 100)]).await;
    assert_eq!(rig.received_items(), 200);
    drop(client);
    rig.finish().await;
}
