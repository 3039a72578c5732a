//! gRPC as it should not be: each wrong has its answer and its reason.

use crate::rig::{Call, MIB, Rig, config, framed, gzip, request, zstd};
use aqueduct_receiver::{Entry, RefuseReason};
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends one wrong call on a connection that is used on afterwards, and returns code and message.
async fn refused(call: Call, reason: RefuseReason) -> (Code, String) {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    let answer = call.send(&client).await;
    assert_eq!(rig.refused(), [(reason, 1)]);
    assert_eq!(answer.details(), None, "only overload has a delay");
    Call::export(Signal::Traces, &request(Signal::Traces, 1, 1)).send(&client).await.is_grpc_success();
    assert_eq!(rig.received_items(), 1);
    drop(client);
    rig.finish().await;
    answer.grpc()
}

fn traces(body: &[u8]) -> Call {
    Call::raw(Signal::Traces.grpc_path(), body)
}

/// Guards against everything that is no protobuf: random bytes, every truncation of a request.
#[tokio::test]
async fn garbage_is_an_invalid_argument() {
    let (code, message) = refused(Call::export(Signal::Traces, &[0xff; 100]), RefuseReason::Invalid).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(message.contains("at byte 0"), "{message}");

    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    let whole = request(Signal::Traces, 1, 1);
    for end in 1..whole.len() {
        let answer = Call::export(Signal::Traces, &whole[..end]).send(&client).await;
        assert_eq!(answer.grpc().0, Code::InvalidArgument, "cut at {end}");
    }
    assert_eq!(rig.refused(), [(RefuseReason::Invalid, whole.len() as u64 - 1)]);
    drop(client);
    rig.finish().await;
}

/// Guards UTF-8, which a merged batch would otherwise carry into the data of others.
#[tokio::test]
async fn invalid_utf8_is_an_invalid_argument() {
    let mut message = request(Signal::Traces, 1, 1);
    let at = message.windows(4).position(|w| w == b"work").expect("has its name");
    message[at] = 0xff;
    let (code, message) = refused(Call::export(Signal::Traces, &message), RefuseReason::Invalid).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(message.starts_with("invalid UTF-8 at byte"), "{message}");
}

/// Guards the number of items in a request, which amplifies: a span of two bytes is legal.
#[tokio::test]
async fn too_many_items_are_an_invalid_argument() {
    let mut config = config();
    config.limits = config.limits.with_max_items(10);
    let rig = Rig::with(Entry::Grpc, config).await;
    let client = rig.h2().await;
    Call::export(Signal::Logs, &request(Signal::Logs, 10, 1)).send(&client).await.is_grpc_success();
    let answer = Call::export(Signal::Logs, &request(Signal::Logs, 11, 1)).send(&client).await;
    assert_eq!(answer.grpc().0, Code::InvalidArgument);
    drop(client);
    rig.finish().await;
}

/// Guards the gRPC specification's framing: prefix, length, and one message in a unary call.
#[tokio::test]
async fn wrong_frames_are_internal() {
    let message = request(Signal::Traces, 1, 1);
    let whole = framed(&message, false);
    let twice = [whole.clone(), whole.clone()].concat();
    let long = [&whole[..], b"x"].concat();
    let mut flag = whole.clone();
    flag[0] = 2;
    for (body, expected) in [
        (&b""[..], "the call has no message"),
        (&whole[..3], "the message is shorter than its length"),
        (&whole[..whole.len() - 1], "the message is shorter than its length"),
        (&twice, "more bytes than the length of the one message that a unary call has"),
        (&long, "more bytes than the length of the one message that a unary call has"),
        (&flag, "invalid gRPC compression flag 2, expected 0 or 1"),
        (&framed(&message, true), "the message is marked as compressed, but grpc-encoding says identity"),
    ] {
        assert_eq!(refused(traces(body), RefuseReason::Framing).await, (Code::Internal, expected.into()));
    }
}

/// Guards that data which does not inflate is the client's fault, and named as such.
#[tokio::test]
async fn wrong_compression_is_an_invalid_argument() {
    let message = request(Signal::Traces, 1, 1);
    let good = gzip(&message);
    let mut flipped = good.clone();
    flipped[12] ^= 0xff;
    for body in [&good[..good.len() - 1], &[&good[..], b"garbage"].concat(), &message, &flipped, b""] {
        let call = traces(&framed(body, true)).header("grpc-encoding", "gzip");
        let (code, message) = refused(call, RefuseReason::Inflate).await;
        assert_eq!(code, Code::InvalidArgument);
        assert!(message.starts_with("the body is not valid gzip: "), "{message}");
    }
}

/// Guards UNIMPLEMENTED with the list of what there is (gRPC compression specification).
#[tokio::test]
async fn unknown_compression_is_unimplemented() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    let answer = traces(&framed(b"xxx", true)).header("grpc-encoding", "snappy").send(&client).await;
    let supported = if cfg!(feature = "zstd") { "identity, gzip and zstd" } else { "identity and gzip" };
    let message = format!("grpc-encoding snappy is not supported, but {supported} are");
    assert_eq!(answer.grpc(), (Code::Unimplemented, message));
    let list = if cfg!(feature = "zstd") { "identity,gzip,zstd" } else { "identity,gzip" };
    assert_eq!(answer.header("grpc-accept-encoding"), Some(list));
    assert_eq!(rig.refused(), [(RefuseReason::ContentEncoding, 1)]);
    drop(client);
    rig.finish().await;
}

/// Guards unknown methods, and that their name is not echoed at length.
#[tokio::test]
async fn unknown_methods_are_unimplemented() {
    let call = Call::raw("/opentelemetry.proto.collector.trace.v1.TraceService/Import", &framed(b"", false));
    let (code, message) = refused(call, RefuseReason::NotFound).await;
    assert_eq!(code, Code::Unimplemented);
    assert!(message.starts_with("unknown method /opentelemetry"), "{message}");
    let call = Call::raw(&format!("/{}", "x".repeat(5000)), b"");
    let (_, message) = refused(call, RefuseReason::NotFound).await;
    assert!(message.len() < 120, "{message}");
}

/// Guards the HTTP answers below gRPC: 415 for another content type, 405 with Allow for another method.
#[tokio::test]
async fn what_is_no_grpc_is_told_in_http() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    let body = framed(&request(Signal::Traces, 1, 1), false);
    for kind in ["application/x-protobuf", "application/grpc-web", "application/grpc+json", "text/plain"] {
        let answer = traces(&body).without("content-type").header("content-type", kind).send(&client).await;
        let (status, told) = answer.http();
        assert_eq!((status, told.code), (415, Code::InvalidArgument), "{kind}");
    }
    let answer = traces(&body).without("content-type").send(&client).await;
    assert_eq!(answer.http().0, 415);
    for method in ["GET", "PUT", "OPTIONS"] {
        let answer = traces(&body).method(method).send(&client).await;
        assert_eq!((answer.http().0, answer.header("allow")), (405, Some("POST")), "{method}");
    }
    let answer = traces(b"").method("HEAD").send(&client).await;
    assert_eq!((answer.status, answer.body.len()), (405, 0));
    let answer = traces(&body).header("content-type", "application/grpc").send(&client).await;
    assert_eq!(answer.grpc(), (Code::InvalidArgument, "two content-type headers".into()));
    assert_eq!(
        rig.refused(),
        [(RefuseReason::ContentType, 5), (RefuseReason::Method, 4), (RefuseReason::DuplicateHeader, 1)]
    );
    drop(client);
    rig.finish().await;
}

/// Guards the limit on the wire to the byte: RESOURCE_EXHAUSTED without a delay, which no client retries, and never
/// the OUT_OF_RANGE that OTLP clients do retry.
#[tokio::test]
async fn oversize_on_the_wire_is_resource_exhausted() {
    let message = request(Signal::Traces, 100, 1);
    let mut config = config();
    config.max_request_bytes = message.len();
    let rig = Rig::with(Entry::Grpc, config.clone()).await;
    let client = rig.h2().await;
    Call::export(Signal::Traces, &message).send(&client).await.is_grpc_success();
    drop(client);
    rig.finish().await;

    config.max_request_bytes -= 1;
    let rig = Rig::with(Entry::Grpc, config).await;
    let client = rig.h2().await;
    let answer = Call::export(Signal::Traces, &message).send(&client).await;
    let told = format!("the request is larger than {} bytes", message.len() - 1);
    assert_eq!(answer.grpc(), (Code::ResourceExhausted, told));
    assert_eq!(answer.details(), None);
    assert_eq!(rig.refused(), [(RefuseReason::TooLarge, 1)]);
    drop(client);
    rig.finish().await;
}

/// Guards that a length which lies is refused when it is read: nothing is waited for, nothing is reserved.
#[tokio::test]
async fn an_announced_oversize_is_refused_at_once() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    let (response, stream) = traces(&[0, 0xff, 0xff, 0xff, 0xff]).open(&client).await;
    let answer = crate::rig::answered(response).await.expect("is answered while the body is open");
    assert_eq!(answer.grpc().0, Code::ResourceExhausted);
    assert!(rig.server.budget().peak() < 100);
    drop(stream);
    Call::export(Signal::Traces, &request(Signal::Traces, 1, 1)).send(&client).await.is_grpc_success();
    drop(client);
    rig.finish().await;
}

/// Guards memory against bombs: 64 MiB of zeros in each encoding, alone and many at a time.
#[tokio::test]
async fn bombs_are_resource_exhausted_and_cost_bounded_memory() {
    let zeros = vec![0; 64 * MIB];
    let mut bombs = vec![("gzip", gzip(&zeros))];
    bombs.extend(zstd(&zeros).map(|body| ("zstd", body)));
    bombs.push(("gzip", gzip(&zeros).repeat(2)));
    for (encoding, bomb) in bombs {
        let rig = Rig::grpc().await;
        let client = rig.h2().await;
        let call = traces(&framed(&bomb, true)).header("grpc-encoding", encoding);
        let answer = call.send(&client).await;
        let told = format!("the request is larger than {} bytes", 4 * MIB);
        assert_eq!(answer.grpc(), (Code::ResourceExhausted, told), "{encoding}");
        let peak = rig.server.budget().peak();
        assert!(peak <= 4 * MIB + bomb.len() + 100, "{encoding}: {peak}");
        drop(client);
        rig.finish().await;
    }
}

/// Guards the gRPC door against what is no HTTP/2: a plain answer in HTTP/1.1, then the end.
#[tokio::test]
async fn what_is_no_http2_is_told_so_and_closed() {
    let long = [&b"POST /v1/traces HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n"[..], &vec![0; MIB]].concat();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nXX", &long] {
        let rig = Rig::grpc().await;
        let mut stream = tokio::net::TcpStream::connect(rig.addr).await.expect("connects");
        stream.write_all(bytes).await.expect("is open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("ends without a reset");
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(
            answer
                .ends_with("this port speaks gRPC (HTTP/2); OTLP/HTTP has its own port, by default 4318\r\n")
        );
        assert_eq!(rig.refused(), [(RefuseReason::Protocol, 1)]);
        drop(stream);
        rig.finish().await;
    }
}

/// Guards against frames that are no frames after a good beginning.
#[tokio::test]
async fn broken_http2_ends_the_connection() {
    let rig = Rig::grpc().await;
    let mut stream = tokio::net::TcpStream::connect(rig.addr).await.expect("connects");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("is open");
    stream.write_all(&[0xff; 200]).await.expect("is open");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(rig.refused(), [(RefuseReason::Protocol, 1)]);
    rig.finish().await;
}
