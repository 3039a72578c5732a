//! gRPC as it should be.

use crate::rig::{Call, MIB, Rig, config, framed, gzip, request, zstd};
use aqueduct_receiver::{Answer, Entry, Protocol};
use aqueduct_wire::Signal;
use aqueduct_wire::rpc::{Code, ExportResponse, Status};
use std::time::Duration;

/// Guards content and count of each signal, and the exact success answer.
#[tokio::test]
async fn each_signal_arrives() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    for signal in Signal::ALL {
        let message = request(signal, 3, 1);
        let answer = Call::export(signal, &message).send(&client).await;
        answer.is_grpc_success();
        let incoming = rig.received.lock().expect("no panic").pop().expect("arrived");
        assert_eq!(
            (incoming.chunk.signal(), incoming.chunk.items(), incoming.protocol),
            (signal, 3, Protocol::Grpc)
        );
        assert_eq!(incoming.chunk.bytes(), &message);
        assert_eq!(incoming.wire_bytes, message.len() + 5);
        let row = rig.stats().of(signal);
        assert_eq!((row.requests, row.items, row.rejected_items), (1, 3, 0));
        assert_eq!((row.wire_bytes, row.bytes), (message.len() as u64 + 5, message.len() as u64));
    }
    drop(client);
    rig.finish().await;
}

/// Guards every compression that is advertised, and an uncompressed message under a compressing header.
#[tokio::test]
async fn compressed_messages_are_inflated() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    let message = request(Signal::Logs, 100, 1);
    let path = Signal::Logs.grpc_path();
    Call::raw(path, &framed(&gzip(&message), true))
        .header("grpc-encoding", "gzip")
        .send(&client)
        .await
        .is_grpc_success();
    Call::raw(path, &framed(&message, false))
        .header("grpc-encoding", "gzip")
        .send(&client)
        .await
        .is_grpc_success();
    Call::raw(path, &framed(&message, false))
        .header("grpc-encoding", "identity")
        .send(&client)
        .await
        .is_grpc_success();
    if let Some(small) = zstd(&message) {
        let call = Call::raw(path, &framed(&small, true)).header("grpc-encoding", "zstd");
        call.send(&client).await.is_grpc_success();
    }
    let sent = if cfg!(feature = "zstd") { 4 } else { 3 };
    for incoming in rig.received.lock().expect("no panic").iter() {
        assert_eq!(incoming.chunk.bytes(), &message);
    }
    assert_eq!(rig.received_items(), sent * 100);
    assert_eq!(rig.stats().of(Signal::Logs).bytes, sent * message.len() as u64);
    drop(client);
    rig.finish().await;
}

/// Guards the gathering of bodies that come in many frames, down to one byte each, around the prefix above all.
#[tokio::test]
async fn messages_in_pieces_are_joined() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    let small = request(Signal::Traces, 2, 1);
    for size in [1, 2, 4, 5, 6, 100] {
        Call::export(Signal::Traces, &small).in_pieces(size).send(&client).await.is_grpc_success();
    }
    let large = request(Signal::Traces, 20_000, 1);
    assert!(large.len() > MIB, "beyond the windows and the offloading size");
    for size in [10_000, MIB, large.len()] {
        Call::export(Signal::Traces, &large).in_pieces(size).send(&client).await.is_grpc_success();
    }
    let received = std::mem::take(&mut *rig.received.lock().expect("no panic"));
    for (n, incoming) in received.iter().enumerate() {
        assert_eq!(incoming.chunk.bytes(), if n < 6 { &small } else { &large });
    }
    assert_eq!(received.len(), 9);
    drop(client);
    rig.finish().await;
}

/// Guards the servers that judge on worker threads: what is large goes there, what is small does not, and all of it arrives whole.
#[tokio::test]
async fn large_messages_are_judged_by_the_workers() {
    let pool = aqueduct_exec::WorkerPool::new().expect("threads");
    let rig = Rig::working(Entry::Http, pool.spawner()).await;
    let client = rig.h2().await;
    let (small, large) = (request(Signal::Traces, 2, 1), request(Signal::Traces, 20_000, 1));
    for message in [&small, &large] {
        Call::export(Signal::Traces, message).send(&client).await.is_grpc_success();
    }
    // As long as the answer is under way the worker may not have counted its job as done: what it took counts at once.
    assert_eq!(pool.stats().spawned, 1);
    let received = std::mem::take(&mut *rig.received.lock().expect("no panic"));
    assert_eq!(received.iter().map(|i| i.chunk.len()).collect::<Vec<_>>(), [small.len(), large.len()]);
    drop(client);
    rig.finish().await;
}

/// Guards that an empty request is a success that troubles nobody (OTLP specification, "Success").
#[tokio::test]
async fn an_empty_message_is_a_success() {
    let rig = Rig::grpc().await;
    let client = rig.h2().await;
    Call::export(Signal::Metrics, b"").send(&client).await.is_grpc_success();
    assert_eq!(rig.received.lock().expect("no panic").len(), 0);
    let row = rig.stats().of(Signal::Metrics);
    assert_eq!((row.requests, row.items), (1, 0));
    drop(client);
    rig.finish().await;
}

/// Guards partial success: status OK, the message in the body, the rejected items counted.
#[tokio::test]
async fn partial_success_is_told_in_the_body() {
    let answer = || Answer::Partial { rejected: 2, message: "two are too old".into() }.into();
    let rig = Rig::answering(Entry::Grpc, answer).await;
    let client = rig.h2().await;
    let answer = Call::export(Signal::Traces, &request(Signal::Traces, 5, 1)).send(&client).await;
    assert_eq!(answer.grpc(), (Code::Ok, String::new()));
    let response = ExportResponse { rejected: 2, message: "two are too old".into() };
    assert_eq!(answer.body, framed(&response.encode(), false));
    let row = rig.stats().of(Signal::Traces);
    assert_eq!((row.requests, row.items, row.rejected_items), (1, 5, 2));
    drop(client);
    rig.finish().await;
}

/// Guards the throttling answer: UNAVAILABLE with the delay to the nanosecond.
#[tokio::test]
async fn overload_is_unavailable_with_retry_info() {
    let delay = Duration::from_millis(1_250);
    let rig = Rig::answering(Entry::Grpc, move || Answer::Overloaded { retry_after: delay }.into()).await;
    let client = rig.h2().await;
    let answer = Call::export(Signal::Traces, &request(Signal::Traces, 5, 1)).send(&client).await;
    assert_eq!(answer.grpc(), (Code::Unavailable, "overloaded, try again later".into()));
    let details = answer.details().expect("has details");
    assert_eq!((details.code, details.retry_delay), (Code::Unavailable, Some(delay)));
    assert_eq!(answer.body, b"");
    assert_eq!(rig.stats().of(Signal::Traces).requests, 0);
    drop(client);
    rig.finish().await;
}

/// Guards each other answer of a handler.
#[tokio::test]
async fn handlers_may_answer_with_any_status() {
    let status = Status::new(Code::PermissionDenied, "nicht für \u{1F980}\n");
    let with_delay = Status::new(Code::ResourceExhausted, "quota").with_retry_delay(Duration::from_secs(7));
    let answers = [
        Answer::Status(status.clone()),
        Answer::Status(with_delay.clone()),
        Answer::Status(Status::new(Code::Ok, "")),
        Answer::Http { status: 502, retry_after: Some(Duration::from_millis(1)), message: "proxy".into() },
        Answer::Disconnect,
    ];
    let next = std::sync::Mutex::new(answers.into_iter());
    let rig = Rig::answering(Entry::Grpc, move || {
        next.lock().expect("no panic").next().expect("asked five times").into()
    })
    .await;
    let client = rig.h2().await;
    let call = Call::export(Signal::Traces, &request(Signal::Traces, 1, 1));
    let answer = call.send(&client).await;
    assert_eq!(answer.grpc(), (status.code, status.message));
    assert_eq!(answer.details(), None);
    let answer = call.send(&client).await;
    assert_eq!(answer.details(), Some(with_delay));
    call.send(&client).await.is_grpc_success();
    let answer = call.send(&client).await;
    assert_eq!((answer.status, answer.header("retry-after")), (502, Some("1")));
    assert_eq!(answer.header("grpc-status"), None);
    let error = call.try_send(&client).await.expect_err("is reset");
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    drop(client);
    rig.finish().await;
}

/// Guards that many requests in flight on many connections are each answered once.
#[tokio::test]
async fn many_streams_on_many_connections() {
    let rig = Rig::with(Entry::Grpc, config()).await;
    let mut clients = tokio::task::JoinSet::new();
    for connection in 0..8u64 {
        let addr = rig.addr;
        clients.spawn(async move {
            let client = crate::rig::h2_client(addr).await;
            let mut calls = tokio::task::JoinSet::new();
            for n in 0..200 {
                let client = client.clone();
                let call = Call::export(Signal::Traces, &request(Signal::Traces, 1, connection * 1000 + n));
                calls.spawn(async move { call.send(&client).await.is_grpc_success() });
            }
            while let Some(done) = calls.join_next().await {
                done.expect("is answered");
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.expect("all are answered");
    }
    let mut seen: Vec<_> =
        rig.received.lock().expect("no panic").iter().map(|i| i.chunk.bytes().clone()).collect();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), rig.received_items()), (1600, 1600), "each once");
    rig.finish().await;
}
